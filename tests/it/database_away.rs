//! PostgreSQL goes away and comes back: callers that are known notice nothing, and the books are whole afterwards.

use std::time::{Duration, Instant};

use crate::harness::postgres::{Schema, Server};
use crate::harness::{
    Client, Config, Deployment, Gateway, Key, SOON, Setup, chat, chat_with, json, until,
};
use crate::simulator::Simulator;

/// How long the server is away; a minute where `POINTSMAN_TEST_OUTAGE_SECONDS` says so.
fn outage() -> Duration {
    let seconds = std::env::var("POINTSMAN_TEST_OUTAGE_SECONDS");
    let seconds = seconds.ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(2))
}

fn config(simulator: &Simulator) -> Config {
    let deployment = Deployment::of(simulator, "m").priced(0.000_01, 0.000_03);
    Config::of([deployment])
        .router("num_retries", 0)
        // Short, so that keys are looked up again while the server is away.
        .general("user_api_key_cache_ttl", 1)
}

/// A gateway on a server of its own.
fn gateway(server: &Server, config: &Config) -> Gateway {
    Setup::new(config).start_in(Schema::at(&server.url("")))
}

fn key(gateway: &Gateway) -> Key {
    gateway.team("t", |_| {});
    gateway.user("u", |_| {});
    gateway.key(json!({"user_id": "u", "team_id": "t", "max_budget": 1000}))
}

fn body() -> crate::harness::Value {
    let usage = json!({"usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}});
    chat_with("m", json!({"simulate": usage}))
}

/// Calls until both worker threads know the key.
fn introduce(caller: &Client, gateway: &Gateway) -> usize {
    for _ in 0..20 {
        caller.chat(&body()).with_status(200);
    }
    gateway.rows_when(20);
    20
}

#[test]
fn the_server_goes_and_comes_back() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let simulator = Simulator::start();
    let gateway = gateway(&server, &config(&simulator));
    let (known, unknown) = (key(&gateway), key(&gateway));
    let caller = gateway.client(&known.secret);
    let mut calls = introduce(&caller, &gateway);
    server.stop();
    let back_at = Instant::now() + outage();
    until("readiness says so", SOON, || {
        let reply = gateway.anonymous().get("/health/readiness");
        // It is stalled while a connection is tried, then disconnected.
        reply.status == 503 && reply.json()["db"] == "disconnected"
    });
    let refused = gateway.client(&unknown.secret).chat(&chat("m"));
    assert_eq!(refused.status, 503);
    assert_eq!(refused.error()["type"], "no_db_connection");
    assert!(refused.must("retry-after") == "1");
    let mut slowest = Duration::ZERO;
    while Instant::now() < back_at || calls < 40 {
        let begun = Instant::now();
        caller.chat(&body()).with_status(200);
        slowest = slowest.max(begun.elapsed());
        calls += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(
        slowest < Duration::from_secs(2),
        "a call waited {slowest:?} for a database that is away"
    );
    assert!(
        gateway
            .metric("pointsman_journal_queue_rows")
            .is_some_and(|rows| rows > 0.0)
    );
    server.start_again();
    let returned = Instant::now();
    gateway.rows_when(calls);
    eprintln!("booked {:?} after the return", returned.elapsed());
    until("readiness says so", SOON, || {
        gateway.anonymous().get("/health/readiness").status == 200
    });
    gateway
        .client(&unknown.secret)
        .chat(&chat("m"))
        .with_status(200);
    gateway.rows_when(calls + 1);
    gateway.verified();
}

/// A server that answers nothing any more, as behind a broken network.
#[test]
fn a_silent_server_delays_nobody_for_long() {
    let Some(server) = Server::start() else {
        return;
    };
    let simulator = Simulator::start();
    let gateway = gateway(&server, &config(&simulator));
    let known = key(&gateway);
    let caller = gateway.client(&known.secret);
    let mut calls = introduce(&caller, &gateway);
    server.freeze();
    until("readiness says so", SOON, || {
        gateway.anonymous().get("/health/readiness").status == 503
    });
    for _ in 0..40 {
        let begun = Instant::now();
        caller.chat(&body()).with_status(200);
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "{:?}",
            begun.elapsed()
        );
        calls += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
    server.thaw();
    gateway.rows_when(calls);
    until("readiness says so", SOON, || {
        gateway.anonymous().get("/health/readiness").status == 200
    });
    gateway.verified();
}

/// `allow_requests_on_db_unavailable`: whoever they are, they are served, as nobody in particular.
#[test]
fn callers_may_be_let_in_unlooked() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let simulator = Simulator::start();
    let config = config(&simulator).general("allow_requests_on_db_unavailable", true);
    let gateway = gateway(&server, &config);
    let key = key(&gateway);
    server.stop();
    let caller = gateway.client(&key.secret);
    until("an unlooked caller is let in", SOON, || {
        caller.chat(&body()).status == 200
    });
    assert_eq!(caller.post("/key/generate", &json!({})).status, 503);
    assert_eq!(gateway.client("no-key").chat(&body()).status, 401);
    let ready = gateway
        .anonymous()
        .get("/health/readiness")
        .with_status(200)
        .json();
    assert_ne!(ready["db"], "connected");
    server.start_again();
    let rows = gateway.rows_when(1);
    assert_eq!(
        rows[0].user_id.as_deref(),
        Some("__db_unavailable_fallback__")
    );
    gateway.verified();
}
