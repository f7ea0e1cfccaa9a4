//! `pointsman check`: every problem with its place, and an exit code for scripts.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Runs `check` on files of a folder; paths in what is said are relative to it.
fn check(
    files: &[(&str, &str)],
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let output = Command::new(env!("CARGO_BIN_EXE_pointsman"))
        .env_clear()
        .envs(variables.iter().copied())
        .args(arguments)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    said(&output)
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(!text.contains("panicked"), "{text}");
    (output.status.code(), text)
}

const GOOD: &str = "model_list:
- model_name: m
  litellm_params: {model: openai/m, api_key: os.environ/K}
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}
";

const BAD: &str = "model_list:
- model_name: m
  litellm_params: {model: openai/m, api_key: k, rpm: ten}
router_settings:
  routing_strategy: least-bussy
  num_retrys: 3
";

#[test]
fn a_good_file() {
    let variables = [("K", "k"), ("LITELLM_MASTER_KEY", "sk-5c9e1f")];
    let (code, said) = check(&[("c.yaml", GOOD)], &["check", "c.yaml"], &variables);
    assert_eq!(
        (code, said.as_str()),
        (
            Some(0),
            "c.yaml: no errors, no warnings; 1 deployment in use\n"
        )
    );
    // What is not set here may be set where it serves.
    let (code, said) = check(&[("c.yaml", GOOD)], &["check", "c.yaml"], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("c.yaml:3:46: note: model_list[0].litellm_params.api_key: the environment variable K is not set"), "{said}");
    assert!(said.contains("no master key is set here"), "{said}");
}

#[test]
fn a_bad_file() {
    for arguments in [
        &["check", "c.yaml"][..],
        &["--config", "c.yaml", "--validate_config"],
    ] {
        let (code, said) = check(
            &[("c.yaml", BAD)],
            arguments,
            &[("LITELLM_MASTER_KEY", "sk-5c9e1f")],
        );
        let expected = "c.yaml:3:54: error: model_list[0].litellm_params.rpm: expected a whole number ≥ 0, found \"ten\"
c.yaml:5:21: error: router_settings.routing_strategy: expected one of simple-shuffle, least-busy, usage-based-routing, usage-based-routing-v2, latency-based-routing, cost-based-routing, provider-budget-routing, p2c-ewma, cache-affinity, lar1, found \"least-bussy\"; did you mean `least-busy`?
c.yaml:6:3: warning: router_settings.num_retrys: unknown field, ignored; did you mean `num_retries`?
c.yaml: 2 errors, 1 warning; 1 deployment in use
";
        assert_eq!((code, said.as_str()), (Some(1), expected));
    }
}

#[test]
fn several_files_and_none() {
    let files = [
        ("good.yaml", GOOD),
        ("bad.yaml", BAD),
        ("broken.yaml", "a: ["),
    ];
    let arguments = ["check", "good.yaml", "gone.yaml", "broken.yaml", "bad.yaml"];
    let (code, said) = check(&files, &arguments, &[]);
    assert_eq!(code, Some(1));
    for part in [
        "good.yaml: no errors",
        "gone.yaml: cannot be read",
        "broken.yaml:2:1: error: this is not valid YAML",
        "bad.yaml: 2 errors",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let (code, said) = check(&[], &["check"], &[]);
    assert!(code != Some(0) && said.contains("FILE"), "{said}");
}

#[test]
fn the_standard_input() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pointsman"))
        .env_clear()
        .args(["check", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(BAD.as_bytes())
        .unwrap();
    let (code, said) = said(&child.wait_with_output().unwrap());
    assert_eq!(code, Some(1));
    assert!(said.contains("(standard input):3:54: error"), "{said}");
}

#[test]
fn a_weak_master_key_is_an_error_and_never_shown() {
    let weak = "model_list: []\ngeneral_settings: {master_key: secret-without-prefix}\n";
    let (code, said) = check(&[("c.yaml", weak)], &["check", "c.yaml"], &[]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("does not start with `sk-`") && !said.contains("secret-without"),
        "{said}"
    );
}

#[test]
fn what_is_included_is_checked() {
    let main = "include: [models.yaml]\n";
    let (code, said) = check(
        &[("c.yaml", main), ("models.yaml", BAD)],
        &["check", "c.yaml"],
        &[],
    );
    assert_eq!(code, Some(1));
    assert!(
        said.contains("models.yaml:3:54: error: model_list[0]"),
        "{said}"
    );
}
