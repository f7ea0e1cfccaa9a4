//! Mirrored traffic: `silent_model` gets a copy of each request, and the client notices nothing.

use std::time::{Duration, Instant};

use crate::harness::{
    Config, Deployment, Gateway, MASTER_KEY, Request, SOON, Value, chat, chat_with, json, streamed,
    until,
};
use crate::simulator::{Behaviour, Simulator};

fn mirrored(simulator: &Simulator, to: Value) -> Config {
    Config::of([
        Deployment::of(simulator, "m")
            .param("silent_model", to)
            .priced(1e-6, 2e-6),
        Deployment::of(simulator, "silent").priced(3e-6, 4e-6),
        Deployment::of(simulator, "other").priced(0.0, 0.0),
    ])
    .router("num_retries", 0)
    .never_cooling()
}

/// What was asked of a model since the last look.
fn asked(simulator: &Simulator, model: &str) -> Vec<Value> {
    let all = simulator.take();
    let bodies = all
        .iter()
        .map(|one| serde_json::from_slice(&one.body).expect("JSON"));
    bodies
        .filter(|body: &Value| body["model"] == model)
        .collect()
}

#[test]
fn a_copy_on_every_protocol() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&mirrored(&simulator, json!("silent")));
    let key = gateway.key(json!({"models": ["m"], "max_budget": 10.0}));
    let user = json!([{"role": "user", "content": "Hi"}]);
    let mut calls = 0;
    for stream in [false, true] {
        for (path, more) in [
            (
                "/v1/chat/completions",
                json!({"messages": user, "temperature": 0.25}),
            ),
            (
                "/v1/messages",
                json!({"messages": user, "max_tokens": 50, "temperature": 0.25}),
            ),
            ("/v1/responses", json!({"input": "Hi", "temperature": 0.25})),
        ] {
            let mut body = json!({"model": "m", "stream": stream});
            let fields = body.as_object_mut().expect("an object");
            fields.extend(more.as_object().expect("an object").clone());
            let request = Request::post(path, body.to_string()).key(&key.secret);
            let reply = gateway.anonymous().ask(request).with_status(200);
            assert!(!reply.text().contains("silent"), "{}", reply.text());
            calls += 2;
            let rows = gateway.rows_when(calls);
            let copies = rows.iter().filter(|row| &*row.model_group == "silent");
            assert_eq!(copies.count(), calls / 2, "{path}");
            let copies = asked(&simulator, "silent");
            assert_eq!(copies.len(), 1, "{path}");
            assert_eq!(copies[0]["temperature"], 0.25, "{path}");
            assert_eq!(copies[0]["disable_fallbacks"], Value::Null, "{path}");
        }
    }
    let logs = gateway.master().get("/spend/logs").with_status(200).json();
    let logs = logs.as_array().expect("rows");
    let mut ids: Vec<&str> = logs
        .iter()
        .filter_map(|row| row["litellm_call_id"].as_str())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), calls, "a call id each");
    for row in logs {
        let is_copy = row["model_group"] == "silent";
        let told = row["metadata"]["is_silent_experiment"]
            .as_bool()
            .unwrap_or(false);
        assert_eq!(told, is_copy, "{row}");
        assert_eq!(row["api_key"], key.hash, "{row}");
        assert!(row["spend"].as_f64().unwrap_or_default() > 0.0, "{row}");
    }
    gateway.books_agree();
}

#[test]
fn the_client_does_not_wait_for_it() {
    let simulator = Simulator::start();
    simulator.behave("silent", Behaviour::of(json!({"hang": "before_head"})));
    let gateway = Gateway::of(&mirrored(&simulator, json!(["silent", "other", "nobody"])));
    for body in [chat("m"), streamed("m", json!({}))] {
        let began = Instant::now();
        gateway.master().chat(&body).with_status(200);
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
    }
    until("both copies wait", SOON, || {
        simulator.in_flight("silent") == 2
    });
    // Those that do not hang are booked beside the client's own calls.
    assert_eq!(
        gateway
            .rows_when(4)
            .iter()
            .filter(|row| &*row.model_group == "other")
            .count(),
        2
    );
    until("the unknown group is told", SOON, || {
        gateway.log().matches("a copy for nobody failed").count() == 2
    });
}

/// The copies' failures are nobody's, and a copy's own deployment makes no further ones.
#[test]
fn a_copy_that_fails_and_one_that_would_be_copied() {
    let simulator = Simulator::start();
    simulator.behave("silent", Behaviour::failing(500));
    let config = Config::of([
        Deployment::of(&simulator, "m").param("silent_model", "silent"),
        Deployment::of(&simulator, "silent").param("silent_model", "m"),
    ])
    .router("num_retries", 0)
    .router("default_fallbacks", json!(["m"]))
    .never_cooling();
    let gateway = Gateway::of(&config);
    gateway.master().chat(&chat("m")).with_status(200);
    let rows = gateway.rows_when(2);
    let failed = rows
        .iter()
        .find(|row| &*row.model_group == "silent")
        .expect("the copy");
    assert_eq!((failed.http_status, failed.retries), (500, 0));
    until("both calls were made", SOON, || {
        simulator.in_flight("m") == 0
    });
    assert_eq!(
        asked(&simulator, "m").len(),
        1,
        "neither a fallback nor a copy of the copy"
    );
}

/// A key's limits are for its own calls: copies use up its budget alone.
#[test]
fn copies_take_no_place_of_the_client() {
    let simulator = Simulator::start();
    simulator.behave("silent", Behaviour::of(json!({"hang": "before_head"})));
    let gateway = Gateway::of(&mirrored(&simulator, json!("silent")));
    let key =
        gateway.key(json!({"rpm_limit": 2, "max_parallel_requests": 1, "tpm_limit": 100_000}));
    let client = gateway.client(&key.secret);
    client.chat(&chat("m")).with_status(200);
    until("the copy is under way", SOON, || {
        simulator.in_flight("silent") == 1
    });
    client.chat(&chat("m")).with_status(200);
    client.chat(&chat("m")).with_status(429);
    // A request that goes on from what one deployment keeps has no copy; this one has.
    let request = Request::post(
        "/v1/responses",
        json!({"model": "m", "input": "Hi"}).to_string(),
    );
    gateway
        .anonymous()
        .ask(request.key(MASTER_KEY))
        .with_status(200);
    until("three copies", SOON, || simulator.in_flight("silent") == 3);
}

/// Copies are made where there is room for their bodies, which others cannot take meanwhile.
#[test]
fn a_copy_takes_room() {
    let simulator = Simulator::start();
    simulator.behave("silent", Behaviour::of(json!({"hang": "before_head"})));
    let config = mirrored(&simulator, json!("silent")).general("max_requests_in_memory_mb", 1);
    let gateway = Gateway::of(&config);
    let master = gateway.master();
    let of = |bytes: usize| chat_with("m", json!({"user": "x".repeat(bytes)}));
    master.chat(&of(400_000)).with_status(200);
    until("the copy is under way", SOON, || {
        simulator.in_flight("silent") == 1
    });
    master.chat(&of(400_000)).with_status(200);
    assert!(
        gateway.log().contains("no copy for silent"),
        "a second one has no room"
    );
    master.chat(&of(700_000)).with_status(503);
    assert_eq!(simulator.in_flight("silent"), 1);
}

/// All callers together have so many places: copies take none of them.
#[test]
fn copies_take_no_place_of_all_callers() {
    let simulator = Simulator::start();
    simulator.behave("silent", Behaviour::of(json!({"hang": "before_head"})));
    let config = mirrored(&simulator, json!("silent")).general("global_max_parallel_requests", 1);
    let gateway = Gateway::of(&config);
    for copies in 1..=3 {
        gateway.master().chat(&chat("m")).with_status(200);
        until("the copy is under way", SOON, || {
            simulator.in_flight("silent") == copies
        });
    }
}
