//! What a configuration does at the start: refusals that say why, warnings that help, and the examples that are shipped.

use crate::harness::{
    Config, Deployment, Gateway, MASTER_KEY, PROVIDER_KEY, SOON, Setup, chat, json, until,
};
use crate::simulator::Simulator;

#[test]
fn a_weak_master_key_is_refused() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m");
    for (key, text) in [
        (None, "no master key is set"),
        (Some(""), "master key"),
        (Some("sk-1234"), "sk-1234"),
        (Some("secret"), "sk-"),
    ] {
        let mut setup = Setup::new(&config).without_env("LITELLM_MASTER_KEY");
        if let Some(key) = key {
            setup = setup.env("LITELLM_MASTER_KEY", key);
        }
        let (status, said) = setup.refuse();
        assert!(
            !status.success() && status.code().is_some(),
            "{key:?}: {status}"
        );
        assert!(
            said.contains(text) && said.contains("LITELLM_MASTER_KEY"),
            "{key:?}: {said}"
        );
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn a_weak_master_key_can_be_permitted() {
    let simulator = Simulator::start();
    const VARIABLE: &str = "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY";
    const SETTING: &str = "dangerously_permit_weak_or_unset_master_key";
    let config = || Config::single(&simulator, "m");
    let weak = |config: &Config| Setup::new(config).env("LITELLM_MASTER_KEY", "sk-1234");
    for setup in [
        weak(&config()).env(VARIABLE, "true"),
        weak(&config().general(SETTING, true)),
        weak(&config()).flag("--dangerously_permit_weak_or_unset_master_key"),
    ] {
        let gateway = setup.start();
        gateway.client("sk-1234").chat(&chat("m")).with_status(200);
        gateway.client("sk-4321").chat(&chat("m")).with_status(401);
        assert!(
            gateway.log().contains("everybody knows"),
            "{}",
            gateway.log()
        );
    }
}

/// As LiteLLM without a master key: everybody is a user, nobody an administrator.
#[test]
fn without_any_master_key_everybody_may_call() {
    let simulator = Simulator::start();
    let setup = Setup::new(&Config::single(&simulator, "m")).without_env("LITELLM_MASTER_KEY");
    let gateway = setup
        .flag("--dangerously_permit_weak_or_unset_master_key")
        .start();
    gateway.anonymous().chat(&chat("m")).with_status(200);
    gateway
        .client("sk-anything")
        .chat(&chat("m"))
        .with_status(200);
    gateway.anonymous().get("/v1/models").with_status(200);
    let rows = gateway.rows_when(2);
    assert!(
        rows.iter()
            .all(|row| row.user_id.as_deref() == Some("default_user_id")),
        "{rows:?}"
    );
    gateway.books_agree();
}

/// Whose key everybody knows is for this machine alone, unless somebody says otherwise.
#[test]
fn a_permitted_weak_key_serves_this_machine_only() {
    for (key, host, expected) in [
        ("sk-1234", None, "127.0.0.1"),
        ("sk-1234", Some("0.0.0.0"), "0.0.0.0"),
        ("sk-5c9e1f", None, "0.0.0.0"),
    ] {
        let setup = Setup::of_text("model_list: []\n")
            .env("LITELLM_MASTER_KEY", key)
            .flag("--dangerously_permit_weak_or_unset_master_key")
            .host(host);
        let gateway = setup.start();
        let line = format!("listening on http://{expected}:");
        assert!(
            gateway.log().contains(&line),
            "{key} {host:?}: {}",
            gateway.log()
        );
    }
}

#[test]
fn a_broken_file_is_refused_with_its_line() {
    for (text, line) in [
        ("model_list:\n  - model_name: [\n", "gateway.yaml"),
        ("model_list: 7\n", "gateway.yaml:1"),
        (
            "model_list: []\ngeneral_settings:\n  budget_enforcement: sometimes\n",
            "gateway.yaml:3",
        ),
        (
            "model_list: []\nlitellm_settings:\n  budget_exceeded_status_code: 200\n",
            "gateway.yaml:3",
        ),
    ] {
        let (status, said) = Setup::of_text(text).refuse();
        assert!(!status.success(), "{text}");
        assert!(
            said.contains(line) && !said.contains("panicked"),
            "{text}: {said}"
        );
    }
}

#[test]
fn a_missing_database_folder_is_refused() {
    let simulator = Simulator::start();
    let setup = Setup::new(&Config::single(&simulator, "m"))
        .env("DATABASE_URL", "sqlite:///nowhere/at/all/pointsman.db");
    let (status, said) = setup.refuse();
    assert!(
        !status.success() && said.contains("/nowhere/at/all"),
        "{said}"
    );
    let setup = Setup::new(&Config::single(&simulator, "m"))
        .env("DATABASE_URL", "mysql://root:hunter2@db/x");
    let (status, said) = setup.refuse();
    assert!(
        !status.success() && said.contains("sqlite:") && !said.contains("hunter2"),
        "{said}"
    );
}

#[test]
fn an_unknown_field_warns_with_a_suggestion() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m")
        .router("num_retrys", 3)
        .general("mastr_key", "x");
    let gateway = Gateway::of(&config);
    let log = gateway.log();
    for (wrong, right) in [("num_retrys", "num_retries"), ("mastr_key", "master_key")] {
        assert!(log.contains(wrong) && log.contains(right), "{wrong}: {log}");
    }
    gateway.master().chat(&chat("m")).with_status(200);
}

/// An entry whose environment is missing is left out; the others work.
#[test]
fn a_model_without_its_environment_is_left_out() {
    let simulator = Simulator::start();
    let broken =
        Deployment::of(&simulator, "broken").param("api_base", "os.environ/NOT_SET_ANYWHERE");
    let gateway = Gateway::of(&Config::of([broken, Deployment::of(&simulator, "m")]));
    assert!(
        gateway.log().contains("NOT_SET_ANYWHERE"),
        "{}",
        gateway.log()
    );
    gateway.master().chat(&chat("m")).with_status(200);
    gateway.master().chat(&chat("broken")).with_status(400);
}

#[test]
fn values_from_the_environment() {
    let simulator = Simulator::start();
    simulator.expect_key(Some("sk-from-the-environment-PLANTED"));
    let deployment = Deployment::of(&simulator, "m")
        .param("api_key", "os.environ/MY_KEY")
        .param("api_base", "os.environ/MY_BASE");
    let setup =
        Setup::new(&Config::of([deployment])).env("MY_KEY", "sk-from-the-environment-PLANTED");
    let gateway = setup.env("MY_BASE", &simulator.base_url()).start();
    gateway.plant("sk-from-the-environment-PLANTED");
    gateway.master().chat(&chat("m")).with_status(200);
}

/// The shipped examples serve.
#[test]
fn the_examples_serve() {
    let simulator = Simulator::start();
    for (text, model) in [
        (include_str!("../../config/quickstart.yaml"), "my-model"),
        (include_str!("../../config/two-deployments.yaml"), "gpt-4o"),
    ] {
        let setup = Setup::of_text(text)
            .env("OPENAI_API_KEY", PROVIDER_KEY)
            .env("UPSTREAM_API_KEY", PROVIDER_KEY);
        let gateway = setup
            .env("UPSTREAM_BASE_URL", &simulator.base_url())
            .start();
        let models = gateway.master().get("/v1/models").with_status(200).json();
        assert!(models.to_string().contains(model), "{models}");
        if model == "my-model" {
            gateway.master().chat(&chat(model)).with_status(200);
        }
        let log = gateway.log();
        assert!(
            !log.contains("WARN") && !log.contains("ERROR"),
            "an example warns: {log}"
        );
    }
}

#[test]
fn a_taken_port_is_told() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let port = gateway.address().port();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("gateway.yaml");
    std::fs::write(&config, json!({"model_list": []}).to_string()).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_pointsman"))
        .env_clear()
        .env("LITELLM_MASTER_KEY", MASTER_KEY)
        .arg("--config")
        .arg(&config)
        .args([
            "--host",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--data-dir",
        ])
        .arg(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains(&port.to_string()) && said.contains("in use"),
        "{said}"
    );
}

/// Two processes that count on one folder would each be wrong.
#[test]
fn a_data_folder_is_for_one_process() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_pointsman"))
        .env_clear()
        .env("LITELLM_MASTER_KEY", MASTER_KEY)
        .args(["--host", "127.0.0.1", "--port", "0", "--data-dir"])
        .arg(gateway.data_dir())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("in use by another pointsman"),
        "{said}"
    );
    gateway.master().chat(&chat("m")).with_status(200);
}

#[test]
fn help_and_version() {
    for flag in ["--help", "--version"] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_pointsman"))
            .arg(flag)
            .output()
            .unwrap();
        assert!(output.status.success(), "{flag}");
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("pointsman"),
            "{flag}"
        );
    }
}

/// A credential by name reaches the provider.
#[test]
fn a_named_credential_is_used() {
    let simulator = Simulator::start();
    simulator.expect_key(Some("sk-named-credential-PLANTED"));
    let config = json!({
        "credential_list": [{
            "credential_name": "shared",
            "credential_values": {"api_key": "os.environ/SHARED", "api_base": simulator.base_url()},
        }],
        "model_list": [{
            "model_name": "m",
            "litellm_params": {"model": "openai/m", "litellm_credential_name": "shared"},
        }],
    });
    let gateway = Setup::of_text(config.to_string())
        .env("SHARED", "sk-named-credential-PLANTED")
        .start();
    gateway.plant("sk-named-credential-PLANTED");
    gateway.master().chat(&chat("m")).with_status(200);
}

/// Everything without effect is told in one block.
#[test]
fn what_has_no_effect_yet_is_told_once() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m")
        .general("alerting", json!(["slack"]))
        .litellm("cache", true);
    let gateway = Setup::new(&config).env("REDIS_HOST", "redis").start();
    let log = gateway.log();
    let block = "3 settings have no effect in this version yet:";
    assert_eq!(log.matches(block).count(), 1, "{log}");
    for name in [
        "general_settings.alerting",
        "litellm_settings.cache",
        "REDIS_HOST",
    ] {
        assert_eq!(log.matches(name).count(), 1, "{name}: {log}");
    }
}

/// Spend is written as often as it is told.
#[test]
fn spend_is_written_at_its_interval() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m").general("proxy_batch_write_at", 3600);
    let mut gateway = Gateway::of(&config);
    gateway.master().chat(&chat("m")).with_status(200);
    // Longer than the usual second; what is not in the database is in the journal, and booked at the end.
    until("the row has waited", SOON, || {
        let lag = gateway.metric("pointsman_journal_lag_seconds");
        lag.is_some_and(|seconds| seconds > 1.5)
    });
    assert!(gateway.rows().is_empty());
    gateway.terminate();
    assert_eq!(gateway.rows().len(), 1);
    let config = Config::single(&simulator, "m").general("proxy_batch_write_at", 0.1);
    let gateway = Gateway::of(&config);
    gateway.master().chat(&chat("m")).with_status(200);
    gateway.rows_when(1);
}
