//! What is kept of findings, and shared; and trying a deployment that is nobody's yet.

use super::{ids, in_background, json};
use crate::harness::{Config, Deployment, Gateway, PROVIDER_KEY, SOON, Setup, until};
use crate::simulator::{Behaviour, Simulator};
use pointsman::types::DatabaseUrl;

/// Where the gateway's books are, for another one.
fn url_of(gateway: &Gateway) -> String {
    match gateway.database_url() {
        DatabaseUrl::Sqlite(path) => format!("sqlite://{}", path.display()),
        DatabaseUrl::Postgres(url) => url.expose().to_owned(),
    }
}

#[test]
fn findings_outlive_the_process() {
    let simulator = Simulator::start();
    simulator.behave("ill", Behaviour::failing(401));
    let config = Config::of([
        Deployment::of(&simulator, "well"),
        Deployment::of(&simulator, "ill"),
    ]);
    let mut gateway = Gateway::of(&config);
    gateway.master().get("/health").with_status(200);
    gateway.terminate();
    gateway.start_again();
    let master = gateway.master();
    let latest = master.get("/health/latest").with_status(200).json();
    assert_eq!(latest["total_models"], 2, "{latest}");
    let ill = &latest["latest_health_checks"]["id-ill"];
    assert_eq!(
        (&ill["status"], &ill["checked_by"]),
        (&json!("unhealthy"), &json!("request"))
    );
    let history = master.get("/health/history?status_filter=unhealthy");
    let history = history.with_status(200).json();
    assert_eq!(history["total_records"], 1);
    assert_eq!(history["health_checks"][0]["model_id"], "id-ill");
}

/// `/health` passes over those that the background passes over.
#[test]
fn who_is_not_asked_in_the_background_may_be_passed_over() {
    let simulator = Simulator::start();
    let config = Config::of([
        Deployment::of(&simulator, "m"),
        Deployment::of(&simulator, "spared").info("disable_background_health_check", true),
    ])
    .general("health_check_skip_disabled_background_models", true);
    let gateway = Gateway::of(&config);
    let health = gateway.master().get("/health").with_status(200).json();
    assert_eq!(ids(&health, "healthy_endpoints"), ["id-m"]);
    assert_eq!(simulator.received("spared"), 0);
}

/// Two instances on one database: one asks, both know.
#[test]
fn instances_share_what_they_find() {
    let simulator = Simulator::start();
    let config = in_background(&simulator, 3600.0).general("use_shared_health_check", true);
    let first = Gateway::of(&config);
    let well = |gateway: &Gateway| {
        let health = gateway.master().get("/health").with_status(200).json();
        health["healthy_count"] == 1 && health["unhealthy_count"] == 1
    };
    until("the first has asked", SOON, || well(&first));
    let url = url_of(&first);
    let second = Setup::new(&config).env("DATABASE_URL", &url).start();
    until("the second knows", SOON, || well(&second));
    assert_eq!(
        (simulator.received("well"), simulator.received("ill")),
        (1, 1)
    );
    let status = second
        .master()
        .get("/health/shared-status")
        .with_status(200)
        .json();
    assert_eq!(status["shared_health_check_enabled"], true);
    let round = &status["status"];
    assert_eq!(
        (&round["cache_available"], &round["lock_in_progress"]),
        (&json!(true), &json!(false)),
        "{status}"
    );
}

/// Who had the turn and died keeps it no longer than his lease.
#[test]
fn a_turn_that_is_left_is_taken_over() {
    let simulator = Simulator::start();
    simulator.behave("ill", Behaviour::of(json!({"hang": "before_head"})));
    let config = Config::of([Deployment::of(&simulator, "ill")])
        .general("background_health_checks", true)
        .general("use_shared_health_check", true);
    let setup = || Setup::new(&config).env("DEFAULT_SHARED_HEALTH_CHECK_LOCK_TTL", "3");
    let mut first = setup().start();
    until("the first asks", SOON, || simulator.received("ill") == 1);
    let url = url_of(&first);
    let second = setup().env("DATABASE_URL", &url).start();
    // It looks every second, and waits.
    std::thread::sleep(std::time::Duration::from_millis(3_500));
    assert_eq!(simulator.received("ill"), 1, "the first still has its turn");
    first.kill();
    until("the second asks", SOON, || simulator.received("ill") == 2);
    drop(second);
}

#[test]
fn a_deployment_can_be_tried_before_it_is_there() {
    let simulator = Simulator::start();
    simulator.behave("ill", Behaviour::failing(401));
    let config = Config::single(&simulator, "m")
        .top(
            "credential_list",
            json!([{
                "credential_name": "shared",
                "credential_values": {"api_key": PROVIDER_KEY, "api_base": simulator.base_url()},
            }]),
        )
        .top(
            "environment_variables",
            json!({"OF_THE_FILE": PROVIDER_KEY}),
        );
    let gateway = Gateway::of(&config);
    let asked = |params: crate::harness::Value, mode: Option<&str>| {
        let body = json!({"litellm_params": params, "mode": mode});
        let reply = gateway.master().post("/health/test_connection", &body);
        let reply = reply.with_status(200);
        assert!(!reply.text().contains(PROVIDER_KEY));
        reply.json()
    };
    let params = |model: &str| json!({"model": format!("openai/{model}"), "api_base": simulator.base_url(), "api_key": PROVIDER_KEY});
    assert_eq!(asked(params("any"), None)["status"], "success");
    assert_eq!(asked(params("any"), Some("rerank"))["status"], "success");
    let ill = asked(params("ill"), None);
    assert_eq!(
        (&ill["status"], &ill["result"]["status_code"]),
        (&json!("error"), &json!(401))
    );
    // As an entry of the configuration: with its credentials, its variables and its defaults.
    simulator.expect_key(Some(PROVIDER_KEY));
    for key in [
        json!({"litellm_credential_name": "shared"}),
        json!({"api_key": "os.environ/OF_THE_FILE", "api_base": simulator.base_url()}),
    ] {
        let mut params = key;
        params["model"] = json!("openai/any");
        assert_eq!(asked(params, None)["status"], "success");
    }
    let unknown = asked(
        json!({"model": "openai/x", "litellm_credential_name": "none"}),
        None,
    );
    let why = unknown["result"]["error"].as_str().unwrap_or_default();
    assert!(why.contains("no entry of `credential_list`"), "{unknown}");
    let wrong = asked(json!({"model": "openai/x", "api_base": "no address"}), None);
    assert_eq!(wrong["status"], "error");
    assert!(
        wrong["result"]["error"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{wrong}"
    );
    // It is in no table, and nothing is kept of it.
    let latest = gateway
        .master()
        .get("/health/latest")
        .with_status(200)
        .json();
    assert_eq!(latest["total_models"], 0);
    for body in [
        json!({}),
        json!({"litellm_params": 3}),
        json!({"litellm_params": {}, "mode": 1}),
    ] {
        let reply = gateway.master().post("/health/test_connection", &body);
        reply.with_status(422);
    }
}
