//! Probes of orchestrators, and `/health`, which asks the deployments themselves.

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
fn ids(health: &Value, which: &str) -> Vec<String> {
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
    // No key pays for it.
    assert_eq!(gateway.totals().rows, 0);
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
