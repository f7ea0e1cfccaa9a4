//! Probes of orchestrators, and `/health`, which asks the deployments themselves.

mod books;
mod callers;
mod drain;
mod lists;
mod modes;
mod records;
mod rounds;
mod routing;

use crate::harness::{Config, Deployment, Gateway, PROMPT, PROVIDER_KEY, Request, Value, json};
use crate::simulator::{Behaviour, Simulator};

fn deployments(simulator: &Simulator) -> Config {
    simulator.behave("ill", Behaviour::failing(401));
    Config::of([
        Deployment::of(simulator, "well").group("g"),
        Deployment::of(simulator, "ill").group("g"),
        Deployment::at("http://127.0.0.1:1/v1", "gone"),
        // Nobody is asked: the gateway answers this one itself.
        Deployment::of(simulator, "own").param("mock_response", "hello"),
    ])
}

/// The endpoints of `which`, by deployment id.
pub fn ids(health: &Value, which: &str) -> Vec<String> {
    let endpoints = health[which].as_array().expect("endpoints");
    let id = |endpoint: &Value| endpoint["model_id"].as_str().expect("an id").to_owned();
    endpoints.iter().map(id).collect()
}

#[test]
fn every_deployment_is_asked() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&deployments(&simulator));
    let reply = gateway.master().get("/health").with_status(200);
    assert_eq!(reply.header("litellm-health-field-notice"), None);
    assert!(!reply.text().contains(PROVIDER_KEY));
    let health = reply.json();
    assert_eq!(ids(&health, "healthy_endpoints"), ["id-well"]);
    assert_eq!(ids(&health, "unhealthy_endpoints"), ["id-ill", "id-gone"]);
    let counts = (&health["healthy_count"], &health["unhealthy_count"]);
    assert_eq!(counts, (&json!(1), &json!(2)));
    let (well, ill) = (
        &health["healthy_endpoints"][0],
        &health["unhealthy_endpoints"][0],
    );
    assert_eq!(well["model"], "openai/well");
    assert_eq!(well["api_base"], simulator.base_url());
    assert_eq!(well["error"], Value::Null);
    assert_eq!(ill["status_code"], 401);
    assert!(
        ill["error"].as_str().is_some_and(|text| !text.is_empty()),
        "{ill}"
    );
    let asked = simulator.requests();
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|request| request.body.len() < 200));
    // One of them has cost something.
    gateway.rows_when(1);
}

#[test]
fn one_model_or_one_deployment_is_asked_alone() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&deployments(&simulator));
    let master = gateway.master();
    let well = master
        .get("/health?model_id=id-well")
        .with_status(200)
        .json();
    assert_eq!(ids(&well, "healthy_endpoints"), ["id-well"]);
    assert_eq!(well["unhealthy_count"], 0);
    let group = master.get("/health?model=g").with_status(503).json();
    assert_eq!(ids(&group, "healthy_endpoints"), ["id-well"]);
    assert_eq!(ids(&group, "unhealthy_endpoints"), ["id-ill"]);
    master.get("/health?model=no-such-model").with_status(404);
    master.get("/health?model_id=").with_status(404);
    assert_eq!(simulator.received("well"), 2);
}

/// A key sees the deployments of its models, and not where they are.
#[test]
fn a_key_sees_what_it_may_call() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&deployments(&simulator));
    let caller = gateway.caller(json!({"models": ["g"]}));
    let reply = caller.get("/health").with_status(200);
    assert!(reply.header("litellm-health-field-notice").is_some());
    let health = reply.json();
    assert_eq!(ids(&health, "unhealthy_endpoints"), ["id-ill"]);
    assert_eq!(health["healthy_endpoints"][0]["api_base"], Value::Null);
    assert!(!reply.text().contains("127.0.0.1"), "{}", reply.text());
    caller.get("/health?model=gone").with_status(404);
}

#[test]
fn an_operator_sees_what_goes_on_inside() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    simulator.behave("m", Behaviour::of(json!({"hold": true})));
    let body = json!({"model": "m", "messages": [{"role": "user", "content": PROMPT}]});
    let waiting = gateway.master().send(&body);
    crate::harness::until("the call is under way", crate::harness::SOON, || {
        let backlog = gateway.master().get("/health/backlog").with_status(200);
        backlog.json() == json!({"in_flight_requests": 1})
    });
    let details = gateway
        .master()
        .get("/health/readiness/details")
        .with_status(200)
        .json();
    assert_eq!(details["status"], "healthy");
    assert_eq!(details["db"], "connected");
    assert_eq!(details["deployments"], 1);
    assert_eq!(details["in_flight_requests"], 1);
    assert_eq!(details["open_holds"], 1);
    simulator.release();
    drop(waiting);
}

#[test]
fn probes_may_ask_with_options() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    for path in [
        "/health/liveliness",
        "/health/liveness",
        "/health/readiness",
    ] {
        let reply = gateway.anonymous().ask(Request::new("OPTIONS", path));
        assert_eq!(reply.with_status(200).must("allow"), "GET, OPTIONS");
    }
    let echo = gateway.anonymous().get("/test").with_status(200).json();
    assert_eq!(echo, json!({"route": "/test"}));
}

/// Two of a group, and one that nobody asks in the background.
pub fn in_background(simulator: &Simulator, interval: f64) -> Config {
    simulator.behave("ill", Behaviour::failing(401));
    Config::of([
        Deployment::of(simulator, "well").group("g"),
        Deployment::of(simulator, "ill").group("g"),
        Deployment::of(simulator, "spared").info("disable_background_health_check", true),
    ])
    .general("background_health_checks", true)
    .general("health_check_interval", interval)
}

pub fn health_when(gateway: &Gateway, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    crate::harness::eventually(what, crate::harness::SOON, || {
        let health = gateway.master().get("/health").with_status(200).json();
        holds(&health).then_some(health)
    })
}

#[test]
fn the_background_asks_and_health_tells_what_it_found() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&in_background(&simulator, 3600.0));
    let health = health_when(&gateway, "the first round", |health| {
        health["healthy_count"] == 1
    });
    assert_eq!(ids(&health, "healthy_endpoints"), ["id-well"]);
    assert_eq!(ids(&health, "unhealthy_endpoints"), ["id-ill"]);
    assert_eq!(health["unhealthy_endpoints"][0]["status_code"], 401);
    gateway.master().get("/health?model=g").with_status(503);
    // Nobody was asked because of that.
    assert_eq!(
        (
            simulator.received("well"),
            simulator.received("ill"),
            simulator.received("spared")
        ),
        (1, 1, 0)
    );
    let latest = gateway
        .master()
        .get("/health/latest")
        .with_status(200)
        .json();
    assert_eq!(latest["total_models"], 2);
    let ill = &latest["latest_health_checks"]["id-ill"];
    assert_eq!(
        (&ill["status"], &ill["model_name"], &ill["checked_by"]),
        (&json!("unhealthy"), &json!("g"), &json!("background"))
    );
    assert!(
        ill["error_message"]
            .as_str()
            .is_some_and(|text| text.starts_with("litellm.AuthenticationError")),
        "{ill}"
    );
}

#[test]
fn rounds_follow_each_other() {
    let simulator = Simulator::start();
    let config = in_background(&simulator, 1.0)
        .general("background_health_check_model_groups", json!(["g"]));
    let gateway = Gateway::of(&config);
    simulator.behave("ill", Behaviour::default());
    crate::harness::until("three rounds", crate::harness::SOON, || {
        simulator.received("well") >= 3
    });
    let health = health_when(&gateway, "all are well", |health| {
        health["unhealthy_count"] == 0
    });
    assert_eq!(health["healthy_count"], 2);
    let history = |query: &str| {
        gateway
            .master()
            .get(&format!("/health/history?{query}"))
            .with_status(200)
            .json()
    };
    let all = history("limit=3");
    assert_eq!(
        (
            all["health_checks"].as_array().map(Vec::len),
            &all["limit"],
            &all["offset"]
        ),
        (Some(3), &json!(3), &json!(0))
    );
    assert!(all["total_records"].as_u64() >= Some(4), "{all}");
    assert_eq!(history("model=nobody")["total_records"], 0);
    assert_eq!(
        history("status_filter=unhealthy&model=nobody")["total_records"],
        0
    );
    for query in ["limit=0", "limit=x", "offset=-1", "status_filter=so-so"] {
        gateway
            .master()
            .get(&format!("/health/history?{query}"))
            .with_status(422);
    }
}

#[test]
fn only_some_groups_are_asked() {
    let simulator = Simulator::start();
    let config = Config::of([
        Deployment::of(&simulator, "a"),
        Deployment::of(&simulator, "b"),
    ])
    .general("background_health_checks", true)
    .general("background_health_check_model_groups", json!(["b"]));
    let gateway = Gateway::of(&config);
    let health = health_when(&gateway, "the first round", |health| {
        health["healthy_count"] == 1
    });
    assert_eq!(ids(&health, "healthy_endpoints"), ["id-b"]);
    assert_eq!(simulator.received("a"), 0);
}

/// How one deployment is asked, as it says itself.
#[test]
fn a_deployment_says_how_it_is_asked() {
    let simulator = Simulator::start();
    simulator.behave("slow", Behaviour::of(json!({"hang": "before_head"})));
    let gateway = Gateway::of(&Config::of([
        Deployment::of(&simulator, "m")
            .info("health_check_model", "openai/small")
            .info("health_check_max_tokens", 3),
        Deployment::of(&simulator, "slow").info("health_check_timeout", 0.2),
    ]));
    let began = std::time::Instant::now();
    let health = gateway.master().get("/health").with_status(200).json();
    assert!(
        began.elapsed() < crate::harness::SOON,
        "{:?}",
        began.elapsed()
    );
    assert_eq!(ids(&health, "healthy_endpoints"), ["id-m"]);
    assert_eq!(health["unhealthy_endpoints"][0]["status_code"], 408);
    let asked = simulator.requests();
    let bodies: Vec<Value> = asked
        .iter()
        .map(|request| serde_json::from_slice(&request.body).expect("JSON"))
        .collect();
    let small = bodies
        .iter()
        .find(|body| body["model"] == "small")
        .expect("the other model");
    assert_eq!(small["max_tokens"], 3);
    assert_eq!(simulator.received("m"), 0);
}

#[test]
fn details_can_be_left_out() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&deployments(&simulator).general("health_check_details", false));
    let health = gateway.master().get("/health").with_status(200).json();
    assert_eq!(
        health["healthy_endpoints"],
        json!([{"model": "openai/well", "model_name": "g", "model_id": "id-well"}])
    );
    assert_eq!(
        health["unhealthy_endpoints"][0],
        json!({"model": "openai/ill", "model_name": "g", "model_id": "id-ill"})
    );
}

#[test]
fn checks_go_side_by_side_as_configured() {
    let simulator = Simulator::start();
    let names: Vec<String> = (0..6).map(|n| format!("m{n}")).collect();
    for name in &names {
        simulator.behave(name, Behaviour::of(json!({"delay_ms": 150})));
    }
    for (concurrency, most) in [(1, 1), (3, 3)] {
        let config = Config::of(names.iter().map(|name| Deployment::of(&simulator, name)))
            .general("health_check_concurrency", concurrency);
        let gateway = Gateway::of(&config);
        let began = std::time::Instant::now();
        assert_eq!(
            gateway.master().get("/health").with_status(200).json()["healthy_count"],
            6
        );
        let rounds = began.elapsed().as_millis() / 150;
        assert!(rounds >= 6 / most, "{rounds} rounds of {concurrency}");
    }
}

/// `ill` answers calls, but not checks.
pub fn routing_by_health(simulator: &Simulator, status: u16) -> Config {
    simulator.behave("check-of-ill", Behaviour::failing(status));
    Config::of([
        Deployment::of(simulator, "ill")
            .group("g")
            .info("health_check_model", "openai/check-of-ill"),
        Deployment::of(simulator, "well").group("g"),
    ])
    .router("enable_health_check_routing", true)
    .general("background_health_checks", true)
    .general("health_check_interval", 3600)
}

pub fn calls(gateway: &Gateway, count: usize) {
    let body = json!({"model": "g", "messages": [{"role": "user", "content": PROMPT}]});
    for _ in 0..count {
        gateway.master().chat(&body).with_status(200);
    }
}

#[test]
fn who_fails_a_check_is_called_only_when_nobody_else_is_left() {
    let simulator = Simulator::start();
    let config = routing_by_health(&simulator, 500).router("health_check_staleness_threshold", 3);
    let gateway = Gateway::of(&config);
    let began = std::time::Instant::now();
    health_when(&gateway, "the first round", |health| {
        health["unhealthy_count"] == 1
    });
    let before = simulator.received("ill");
    calls(&gateway, 16);
    if began.elapsed().as_secs() < 3 {
        assert_eq!(
            simulator.received("ill"),
            before,
            "it was called although it fails its checks"
        );
    }
    // A finding that is too old does not count.
    crate::harness::until("it is called again", crate::harness::SOON, || {
        calls(&gateway, 1);
        simulator.received("ill") > before
    });
}

#[test]
fn when_all_fail_their_checks_they_are_called_all_the_same() {
    let simulator = Simulator::start();
    let config = routing_by_health(&simulator, 500);
    simulator.behave("well", Behaviour::failing(500));
    let gateway = Gateway::of(&config);
    health_when(&gateway, "the first round", |health| {
        health["unhealthy_count"] == 2
    });
    simulator.behave("well", Behaviour::default());
    calls(&gateway, 24);
    assert!(simulator.received("ill") > 0 && simulator.received("well") > 1);
}

#[test]
fn passing_failures_of_checks_can_be_ignored() {
    let simulator = Simulator::start();
    let config =
        routing_by_health(&simulator, 429).general("health_check_ignore_transient_errors", true);
    let gateway = Gateway::of(&config);
    health_when(&gateway, "the first round", |health| {
        health["unhealthy_count"] == 1
    });
    calls(&gateway, 24);
    assert!(simulator.received("ill") > 0);
}
