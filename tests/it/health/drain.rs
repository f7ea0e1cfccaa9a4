//! What orchestrators ask beside whether an instance lives: that it leaves, and what it is made of.

use crate::harness::{
    Config, Deployment, Gateway, Request, SOON, Setup, chat, chat_with, json, until,
};
use crate::simulator::Simulator;

const TOKEN: &str = "drain-token-7c1e";

#[test]
fn an_instance_leaves_and_finishes_what_is_under_way() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m")
        .general("enable_drain_endpoint", true)
        .general("drain_endpoint_token", TOKEN);
    let gateway = Gateway::of(&config);
    gateway.plant(TOKEN);
    let anonymous = gateway.anonymous();
    let drain = |token: &str| Request::get("/health/drain").header("x-drain-token", token);
    for wrong in [Request::get("/health/drain"), drain("other"), drain("")] {
        let refused = anonymous.ask(wrong).with_status(401);
        assert_eq!(
            refused.json(),
            json!({"detail": "Invalid or missing X-Drain-Token"})
        );
    }
    anonymous.get("/health/readiness").with_status(200);
    let held = chat_with("m", json!({"simulate": {"hold": true}}));
    let mut waiting = gateway.master().send(&held);
    assert!(simulator.wait_until(SOON, |simulator| simulator.held() == 1));
    let mut draining = anonymous.connect();
    draining.send(&drain(TOKEN)).expect("a request");
    until("readiness says so", SOON, || {
        anonymous.get("/health/readiness").status == 503
    });
    let readiness = anonymous.get("/health/readiness").json();
    assert_eq!(readiness["status"], "shutting_down");
    // Nobody is turned away, and nobody kills it.
    anonymous.get("/health/liveliness").with_status(200);
    gateway.master().chat(&chat("m")).with_status(200);
    simulator.release();
    waiting.reply().expect("an answer").with_status(200);
    let drained = draining.reply().expect("an answer").with_status(200);
    assert_eq!(
        drained.json(),
        json!({"status": "drained", "drained_requests": 1})
    );
    // There is no way back.
    let again = anonymous.ask(drain(TOKEN)).with_status(200).json();
    assert_eq!(again["drained_requests"], 0);
    anonymous.get("/health/readiness").with_status(503);
}

#[test]
fn draining_waits_no_longer_than_it_may() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m")
        .general("enable_drain_endpoint", true)
        .general("drain_timeout", 0.3);
    let gateway = Gateway::of(&config);
    let held = chat_with("m", json!({"simulate": {"hold": true}}));
    let waiting = gateway.master().send(&held);
    assert!(simulator.wait_until(SOON, |simulator| simulator.held() == 1));
    let drained = gateway.anonymous().get("/health/drain").with_status(200);
    assert_eq!(drained.json()["drained_requests"], 0);
    simulator.release();
    drop(waiting);
}

#[test]
fn the_token_may_come_from_the_environment() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m").general("enable_drain_endpoint", true);
    let gateway = Setup::new(&config)
        .env("DRAIN_ENDPOINT_TOKEN", TOKEN)
        .start();
    gateway.anonymous().get("/health/drain").with_status(401);
    let drain = Request::get("/health/drain").header("X-Drain-Token", TOKEN);
    gateway.anonymous().ask(drain).with_status(200);
}

#[test]
fn nobody_drains_what_is_not_switched_on() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let reply = gateway.master().get("/health/drain").with_status(404);
    assert_eq!(reply.json(), json!({"detail": "Not Found"}));
    gateway
        .anonymous()
        .get("/health/readiness")
        .with_status(200);
}

#[test]
fn details_of_readiness_may_be_public() {
    let simulator = Simulator::start();
    let config = Config::of([Deployment::of(&simulator, "m")]);
    for is_public in [false, true] {
        let config = config
            .clone()
            .general("allow_public_health_readiness_details", is_public);
        let gateway = Gateway::of(&config);
        let readiness = gateway
            .anonymous()
            .get("/health/readiness")
            .with_status(200);
        let readiness = readiness.json();
        assert_eq!(readiness["status"], "healthy");
        assert_eq!(readiness["litellm_version"].is_string(), is_public);
        assert_eq!(readiness["deployments"].is_number(), is_public);
        gateway
            .anonymous()
            .get("/health/readiness/details")
            .with_status(401);
    }
}

#[test]
fn services_are_refused_by_name() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let master = gateway.master();
    let known = master
        .get("/health/services?service=slack")
        .with_status(422);
    assert!(known.message().contains("`slack` is not set up"));
    let unknown = master
        .get("/health/services?service=nobody")
        .with_status(400);
    assert!(unknown.message().contains("Service=nobody not in"));
    master.get("/health/services").with_status(422);
}
