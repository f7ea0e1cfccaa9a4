//! `pointsman launch`, with agents that tell what they were told.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::harness::{Config, Deployment, Gateway, Value, json};
use crate::simulator::Simulator;

/// A program of this name that prints its arguments, one a line, and its environment.
fn fake(folder: &Path, name: &str) {
    let file = folder.join(name);
    let script =
        "#!/bin/sh\nfor one in \"$@\"; do echo \"argument $one\"; done\n/usr/bin/env\nexit 7\n";
    std::fs::write(&file, script).expect("a script");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("a program");
}

struct Launched {
    output: Output,
    text: String,
}

fn launch(path: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Launched {
    let output = Command::new(env!("CARGO_BIN_EXE_pointsman"))
        .env_clear()
        .env("PATH", path)
        .envs(variables.iter().copied())
        .current_dir(path)
        .arg("launch")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the binary");
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains("panicked"), "{text}");
    Launched { output, text }
}

impl Launched {
    /// A variable that the agent has.
    #[track_caller]
    fn variable(&self, name: &str) -> Option<&str> {
        let mut lines = self.text.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    }

    fn arguments(&self) -> Vec<&str> {
        let lines = self.text.lines();
        lines
            .filter_map(|line| line.strip_prefix("argument "))
            .collect()
    }
}

#[test]
fn agents_get_what_they_need_and_nothing_else_changes() {
    let simulator = Simulator::start();
    let large = Deployment::of(&simulator, "claude-large")
        .info("max_input_tokens", 200_000)
        .info("max_output_tokens", 64_000);
    let small = Deployment::of(&simulator, "small");
    let gateway = Gateway::of(&Config::of([large, small]));
    let url = format!("http://{}", gateway.address());
    let key = gateway.key(json!({})).secret;
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["claude", "codex", "opencode"] {
        fake(folder.path(), name);
    }
    // A project's file is the agent's business.
    std::fs::write(folder.path().join(".env"), "OF_THE_PROJECT=1\n").expect("a file");
    let variables = [
        ("POINTSMAN_KEY", key.as_str()),
        ("POINTSMAN_URL", url.as_str()),
        ("ANTHROPIC_API_KEY", "sk-ant-own"),
        ("OF_THE_USER", "1"),
    ];

    let models = ["--model", "claude-large", "--small-model", "small"];
    let claude = launch(
        folder.path(),
        &variables,
        &[&["claude"], &models[..], &["--", "-p", "a b"]].concat(),
    );
    assert_eq!(claude.output.status.code(), Some(7), "{}", claude.text);
    assert_eq!(claude.arguments(), ["-p", "a b"]);
    for (name, value) in [
        ("ANTHROPIC_BASE_URL", Some(url.as_str())),
        ("ANTHROPIC_AUTH_TOKEN", Some(key.as_str())),
        ("ANTHROPIC_API_KEY", None),
        ("ANTHROPIC_MODEL", Some("claude-large")),
        ("ANTHROPIC_DEFAULT_HAIKU_MODEL", Some("small")),
        ("OF_THE_USER", Some("1")),
        ("OF_THE_PROJECT", None),
    ] {
        assert_eq!(claude.variable(name), value, "{name}");
    }

    let codex = launch(
        folder.path(),
        &variables,
        &["codex", "--model", "small", "--", "exec", "hi"],
    );
    let arguments = codex.arguments();
    assert_eq!(arguments[arguments.len() - 2..], ["exec", "hi"]);
    assert!(arguments.contains(&"model=\"small\""), "{arguments:?}");
    assert_eq!(codex.variable("POINTSMAN_KEY"), Some(key.as_str()));
    assert_eq!(codex.variable("ANTHROPIC_API_KEY"), Some("sk-ant-own"));

    let opencode = launch(folder.path(), &variables, &["opencode"]);
    let config = opencode
        .variable("OPENCODE_CONFIG_CONTENT")
        .expect("a configuration");
    let config: Value = serde_json::from_str(config).expect("JSON");
    let known = &config["provider"]["pointsman"]["models"];
    assert_eq!(
        known["claude-large"]["limit"],
        json!({"context": 200_000, "output": 64_000})
    );
    assert!(known["small"].is_object());

    // Flags beat variables, and an address may be the one that SDKs are given.
    let with_v1 = format!("{url}/v1/");
    let flags = launch(
        folder.path(),
        &[("POINTSMAN_URL", "http://127.0.0.1:9")],
        &["claude", "--url", &with_v1, "--key", &key],
    );
    assert_eq!(flags.variable("ANTHROPIC_BASE_URL"), Some(url.as_str()));
    // A model that is not listed may be there all the same.
    let odd = launch(
        folder.path(),
        &variables,
        &["claude", "--model", "claude-lrage"],
    );
    assert!(
        odd.text.contains("does not list `claude-lrage`"),
        "{}",
        odd.text
    );
    assert_eq!(odd.variable("ANTHROPIC_MODEL"), Some("claude-lrage"));
}

#[test]
fn what_is_missing_is_said() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let url = format!("http://{}", gateway.address());
    let elsewhere = format!("{url}/elsewhere");
    let key = gateway.key(json!({})).secret;
    let folder = tempfile::tempdir().expect("a folder");
    for (arguments, words) in [
        (
            vec!["claude", "--url", "http://127.0.0.1:9"],
            "no gateway answers at http://127.0.0.1:9 (nobody listens there)",
        ),
        (
            vec!["claude", "--url", "localhost"],
            "expected the gateway's address",
        ),
        (
            vec!["claude", "--url", &url],
            "wants a key: give one by --key or POINTSMAN_KEY",
        ),
        (
            vec![
                "claude",
                "--url",
                &url,
                "--key",
                "sk-0123456789abcdefghijkl",
            ],
            "refuses this key (401)",
        ),
        (
            vec!["claude", "--url", &elsewhere],
            "no gateway of this kind",
        ),
        (
            vec!["claude", "--url", &url, "--key", &key],
            "`claude` is not installed, or not on the PATH: install it with `npm install -g @anthropic-ai/claude-code`",
        ),
        (vec!["nano"], "invalid value 'nano'"),
    ] {
        let launched = launch(folder.path(), &[], &arguments);
        assert!(!launched.output.status.success(), "{arguments:?}");
        assert!(
            launched.text.contains(words),
            "{arguments:?}: {}",
            launched.text
        );
        assert!(!launched.text.contains(&key), "{}", launched.text);
    }
    gateway.plant("sk-0123456789abcdefghijkl");
}
