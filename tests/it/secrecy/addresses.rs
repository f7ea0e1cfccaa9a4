//! An upstream's address may hold a key in its query: it goes to its server, and is told to nobody.

use crate::harness::{Config, Deployment, Request, Setup, chat, chat_with, json};
use crate::simulator::Simulator;

const KEY: &str = "key-in-an-address-3f61-PLANTED";

#[test]
fn a_key_in_an_address_is_told_to_its_server_alone() {
    let simulator = Simulator::start();
    let base = simulator.base_url();
    let deployment = Deployment::at(&format!("{base}?key={KEY}"), "m")
        .param("configurable_clientside_auth_params", json!(["api_key"]));
    let config = Config::of([deployment])
        .router("num_retries", 0)
        .router("allowed_fails", 0);
    let gateway = Setup::new(&config).log("trace").start();
    gateway.plant(KEY);
    let master = gateway.master();
    let ask = |fields| {
        let body = chat_with("m", fields).to_string();
        let request = Request::post("/v1/chat/completions", body);
        master.ask(request.header("x-pointsman-explain", "true"))
    };
    let mut replies = vec![
        ask(json!({})).with_status(200),
        // With a key of the caller's the same address is told.
        ask(json!({"api_key": "sk-of-a-caller"})).with_status(200),
    ];
    for reply in &replies {
        assert_eq!(reply.must("x-litellm-model-api-base"), base);
    }
    replies.push(ask(json!({"simulate": {"status": 401}})));
    replies.push(ask(json!({"simulate": {"garbage": "not_http"}})));
    replies.push(master.post("/router/explain", &chat("m")));
    for path in [
        "/health",
        "/health/latest",
        "/health/history",
        "/health/readiness/details",
        "/metrics",
        "/model/info",
        "/v1/model/info",
        "/model_group/info",
        "/spend/logs",
    ] {
        replies.push(master.get(path));
    }
    for reply in replies {
        let all = format!("{:?} {}", reply.headers, reply.text());
        assert!(!all.contains(KEY), "{all}");
    }
    // Three calls, and a health check.
    let rows = gateway.rows_when(4);
    assert!(rows.iter().all(|row| *row.api_base == *base), "{rows:?}");
    let asked = simulator.requests();
    assert!(asked.len() >= 3);
    let has_it = |path: &str| path.ends_with(&format!("?key={KEY}"));
    assert!(asked.iter().all(|request| has_it(&request.path)));
}
