//! Where auto routers would lead requests that are not made; and calls of their own that nobody answers.

use std::time::{Duration, Instant};

use super::{HARD, ask, group, router, saying};
use crate::harness::{Config, Deployment, Gateway, Value, json};
use crate::simulator::{Behaviour, Simulator};

fn semantic() -> Deployment {
    let routes = json!({"routes": [{"name": "small", "utterances": ["write a poem"]}]});
    router(
        "meaning",
        "my_router",
        "auto_router_config",
        Value::String(routes.to_string()),
    )
    .param("auto_router_default_model", "large")
    .param("auto_router_embedding_model", "vectors")
}

fn gateway(simulator: &Simulator) -> Gateway {
    let tiers = json!({
        "tiers": {"SIMPLE": "small", "MEDIUM": "small", "COMPLEX": "large", "REASONING": "large"},
        "session_affinity": true,
    });
    let groups = ["small", "large", "vectors"].map(|name| Deployment::of(simulator, name));
    let config = Config::of(groups).and([
        router(
            "smart",
            "complexity_router",
            "complexity_router_config",
            tiers,
        ),
        semantic(),
    ]);
    Gateway::of(&config.router("num_retries", 0).never_cooling())
}

#[test]
fn a_request_that_is_not_made_is_led_and_not_remembered() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let session = ("x-claude-code-session-id", "one");
    let explain = |text: &str| {
        let body = saying("smart", text).to_string();
        let request = crate::harness::Request::post("/router/explain", body);
        let told = gateway.master().ask(request.header(session.0, session.1));
        let told = told.with_status(200).json();
        let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        (text("group"), text("deployment"))
    };
    let of = |name: &str| (name.to_owned(), format!("id-{name}"));
    assert_eq!(explain("Hello there"), of("small"));
    assert_eq!(explain(HARD), of("large"));
    let made = ask(&gateway.master(), &saying("smart", "ok"), session).with_status(200);
    assert_eq!(group(&made), "small");
    // What is remembered counts.
    assert_eq!(explain(HARD), of("small"));
    // What only a call could tell is told to be so.
    let explain = |text: &str| {
        let body = saying("meaning", text);
        gateway.master().post("/router/explain", &body)
    };
    let why = explain("some verses").with_status(400).message();
    assert!(why.contains("'vectors'"), "{why}");
    assert_eq!(simulator.received("vectors"), 0);
    let caller = gateway.caller(json!({"models": ["small"]}));
    let body = saying("smart", HARD);
    caller.post("/router/explain", &body).with_status(403);
}

/// It delays one request, and its row says what has happened.
#[test]
fn a_group_that_hangs_is_waited_for_once() {
    let simulator = Simulator::start();
    simulator.behave("vectors", Behaviour::of(json!({"hang": "before_head"})));
    let gateway = gateway(&simulator);
    let begun = Instant::now();
    for _ in 0..4 {
        let reply = gateway.master().chat(&saying("meaning", "some verses"));
        assert_eq!(group(&reply.with_status(200)), "large");
    }
    assert_eq!(simulator.received("vectors"), 1);
    assert!(begun.elapsed() < Duration::from_secs(19));
    let rows = gateway.rows_when(5);
    let mut own = rows.iter().filter(|row| &*row.call_type == "aembedding");
    assert_eq!(own.next().map(|row| row.http_status), Some(408));
}
