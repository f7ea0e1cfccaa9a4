//! `pointsman plan`: what another file would change, without a secret, and an exit code for scripts.

use std::process::{Command, Stdio};

/// Runs `plan` on two files.
fn plan(old: &str, new: &str, flags: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("old.yaml", old), ("new.yaml", new)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let output = Command::new(env!("CARGO_BIN_EXE_pointsman"))
        .env_clear()
        .env("KEY", "sk-variable-0001")
        .args(["plan", "old.yaml", "new.yaml"])
        .args(flags)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(!text.contains("panicked"), "{text}");
    for secret in ["sk-", "hunter2", "header-secret"] {
        assert!(!text.contains(secret), "{text}");
    }
    (output.status.code(), text)
}

const OLD: &str = "
model_list:
- {model_name: stays, litellm_params: {model: openai/s, api_key: sk-old-0001, extra_body: {password: hunter2}}, model_info: {id: s}}
- model_name: changes
  litellm_params: {model: openai/c, api_key: sk-old-0002, rpm: 60, extra_headers: {x: header-secret}, timeout: 5}
  model_info: {id: c}
- {model_name: goes, litellm_params: {model: openai/g, api_base: 'http://host/v1'}, model_info: {id: g}}
- {model_name: unnamed, litellm_params: {model: openai/u, rpm: 1}}
router_settings: {num_retries: 1, model_group_alias: {nick: stays, old: stays}}
general_settings: {master_key: sk-old-master, max_request_size_mb: 1}
";

const NEW: &str = "
general_settings: {max_request_size_mb: 2, master_key: sk-new-master}
model_list:
- {model_name: comes, litellm_params: {model: openai/n, api_base: 'http://host/v1'}, model_info: {id: n}}
- model_name: changes
  litellm_params: {model: openai/c, api_key: sk-new-0002, rpm: 120, extra_headers: {x: header-secret2}, api_base: 'http://other/v1'}
  model_info: {id: c}
- {model_name: stays, litellm_params: {model: openai/s, api_key: sk-old-0001, extra_body: {password: hunter2}}, model_info: {id: s}}
- {model_name: unnamed, litellm_params: {model: openai/u, rpm: 2, api_key: os.environ/KEY}}
router_settings: {num_retries: 3, timeout: 30, model_group_alias: {nick: {model: comes, hidden: true}}}
";

#[test]
fn it_tells_each_field_and_no_secret() {
    let (code, said) = plan(OLD, NEW, &[]);
    assert_eq!(code, Some(0), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    for line in [
        "Deployments",
        "  + comes (n): openai/n at http://host/v1",
        "  - goes (g): openai/g at http://host/v1",
        "  ~ changes (c)",
        "      litellm_params.api_base: not set → http://other/v1",
        "      litellm_params.api_key: another value (not shown)",
        "      litellm_params.extra_headers: another value (not shown)",
        "      litellm_params.rpm: 60 → 120",
        "      litellm_params.timeout: 5 → not set",
        "      litellm_params.api_key: not set → os.environ/KEY",
        "      litellm_params.rpm: 1 → 2",
        "Groups",
        "  + comes",
        "  - goes",
        "Aliases",
        "  nick: stays → comes (hidden)",
        "  old: stays → not set",
        "Settings",
        "  general_settings.max_request_size_mb: 1 → 2",
        "  router_settings.num_retries: 1 → 3",
        "  router_settings.timeout: not set → 30",
        "At the next start",
        "  general_settings.master_key: another value (not shown)",
    ] {
        assert!(lines.contains(&line), "{line}\nis not in\n{said}");
    }
    let renamed = lines.iter().find(|line| line.starts_with("  ~ unnamed ("));
    assert!(
        renamed
            .unwrap()
            .ends_with(": what is known of it begins anew"),
        "{said}"
    );
    assert!(!said.contains("stays ("), "{said}");
    assert!(
        said.ends_with("but for what stands under \"At the next start\".\n"),
        "{said}"
    );
}

#[test]
fn the_exit_code_tells_when_it_is_asked() {
    assert_eq!(
        plan(OLD, OLD, &["--detailed-exitcode"]),
        (Some(0), "nothing differs\n".to_owned())
    );
    assert_eq!(plan(OLD, NEW, &["--detailed-exitcode"]).0, Some(2));
    let (code, said) = plan(
        OLD,
        "router_settings: {num_retries: many}",
        &["--detailed-exitcode"],
    );
    assert_eq!(code, Some(1));
    assert!(
        said.contains("new.yaml:1:") && said.contains("router_settings.num_retries"),
        "{said}"
    );
    let (code, said) = plan("model_list: [", NEW, &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("old.yaml"), "{said}");
}

#[test]
fn what_a_restart_takes_is_told() {
    let (_, said) = plan(
        "general_settings: {drain_timeout: 1}",
        "general_settings: {drain_timeout: 2}",
        &[],
    );
    assert!(said.ends_with("It takes a restart.\n"), "{said}");
    let (_, said) = plan(
        "router_settings: {timeout: 1}",
        "router_settings: {timeout: 2}",
        &[],
    );
    assert!(
        said.ends_with("A reload puts all of it in force while calls go on.\n"),
        "{said}"
    );
}
