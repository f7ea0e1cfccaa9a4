//! Streams that are slow to begin: their head waits for content, then goes ahead with comments, and deployments are tried on.

use std::time::{Duration, Instant};

use crate::harness::{Config, Deployment, Gateway, SOON, json, streamed, until};
use crate::simulator::{Behaviour, Simulator};

/// A group `a` that says nothing for a second and then fails, and a fallback `b`. Heads wait for 0.2 s.
fn slow(simulator: &Simulator, a: Behaviour, b: Behaviour) -> Config {
    simulator.behave("a", a);
    simulator.behave("b", b);
    Config::of(["a", "b"].map(|name| Deployment::of(simulator, name)))
        .router("num_retries", 0)
        .router("timeout", 1)
        .router("first_content_hold", 0.2)
        .router("fallbacks", json!([{"a": ["b"]}]))
        .litellm("sse_keepalive_ping_interval_seconds", 0.1)
}

fn silent() -> Behaviour {
    Behaviour::of(json!({"hang": "after_head"}))
}

fn comments(text: &str) -> usize {
    text.lines().filter(|line| *line == ": ping").count()
}

#[test]
fn a_fallback_answers_behind_a_head_that_went_ahead() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&slow(&simulator, silent(), Behaviour::saying("from b")));
    let began = Instant::now();
    let (mut connection, mut incoming) = gateway.master().begin(&streamed("a", json!({})));
    let head = began.elapsed();
    assert!(
        head >= Duration::from_millis(150) && head < Duration::from_millis(700),
        "the head came after {head:?}"
    );
    connection.read_until(&mut incoming, "[DONE]");
    let reply = incoming.reply;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.said(), "from b");
    assert!(reply.is_done());
    let pings = comments(reply.text());
    assert!((4..=12).contains(&pings), "{pings} comments in 0.8 s");
    for name in ["x-litellm-call-id", "x-litellm-version"] {
        reply.must(name);
    }
    assert_eq!(
        reply.must("content-type"),
        "text/event-stream; charset=utf-8"
    );
    // Who will answer is not known yet.
    assert_eq!(reply.header("x-litellm-model-id"), None);
    let row = &gateway.rows_when(1)[0];
    assert_eq!(
        (&*row.model_group, row.http_status, row.retries),
        ("b", 200, 1)
    );
    gateway.books_agree();
}

#[test]
fn a_failure_behind_the_head_is_one_event() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&slow(&simulator, silent(), Behaviour::failing(503)));
    let reply = gateway
        .master()
        .chat(&streamed("a", json!({})))
        .with_status(200);
    let frames = reply.frames();
    assert_eq!(frames.len(), 1, "{frames:?}");
    let error = &reply.events()[0]["error"];
    assert_eq!(
        error["code"], "408",
        "the first failure, in LiteLLM's words"
    );
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with("litellm.Timeout: "), "{message}");
    assert!(message.contains("Fallback to b also failed"), "{message}");
    assert!(!reply.is_done(), "a [DONE] would call the answer whole");
    let row = &gateway.rows_when(1)[0];
    assert_eq!((row.http_status, row.spend.0), (408, 0));
    gateway.books_agree();
}

/// The head waits as long as it may: an error before it has its own status.
#[test]
fn within_the_hold_a_failure_has_a_status() {
    let simulator = Simulator::start();
    let config =
        slow(&simulator, silent(), Behaviour::failing(503)).router("first_content_hold", 5);
    let gateway = Gateway::of(&config);
    let reply = gateway
        .master()
        .chat(&streamed("a", json!({})))
        .with_status(408);
    assert!(reply.must("content-type").starts_with("application/json"));
}

/// A role is no content: what a deployment said before it failed is not mixed with what the next one says.
#[test]
fn nothing_of_a_failed_deployment_is_left() {
    let simulator = Simulator::start();
    let a = Behaviour::of(json!({"silent_after_chunks": 0}));
    let gateway = Gateway::of(&slow(&simulator, a, Behaviour::saying("from b")));
    let reply = gateway
        .master()
        .chat(&streamed("a", json!({})))
        .with_status(200);
    assert_eq!(reply.said(), "from b");
    let roles = reply
        .events()
        .iter()
        .filter(|event| event["choices"][0]["delta"]["role"] == "assistant")
        .count();
    assert_eq!(roles, 1);
    assert!(reply.events().iter().all(|event| event["model"] == "b"));
}

/// A client that leaves while deployments are tried behind its head ends the call.
#[test]
fn leaving_behind_the_head_ends_the_call() {
    let simulator = Simulator::start();
    let config = slow(&simulator, silent(), silent()).router("timeout", 60);
    let gateway = Gateway::of(&config);
    let (connection, incoming) = gateway.master().begin(&streamed("a", json!({})));
    assert_eq!(incoming.reply.status, 200);
    assert_eq!(simulator.in_flight("a"), 1);
    connection.leave();
    until("the upstream call ends", SOON, || {
        simulator.in_flight("a") == 0
    });
    let row = &gateway.rows_when(1)[0];
    assert_eq!(row.http_status, 499);
    gateway.books_agree();
}

/// Silence in the middle of a stream is filled too, and still has its limit.
#[test]
fn comments_in_the_middle() {
    let simulator = Simulator::start();
    let paced = Behaviour::of(json!({"content": "one two three", "chunk_delay_ms": 350}));
    let gateway = Gateway::of(&slow(&simulator, paced, Behaviour::default()));
    let reply = gateway
        .master()
        .chat(&streamed("a", json!({})))
        .with_status(200);
    assert_eq!(reply.said(), "one two three");
    assert!(comments(reply.text()) >= 3, "{}", reply.text());
    simulator.behave(
        "a",
        Behaviour::of(json!({"content": "one two", "silent_after_chunks": 1})),
    );
    let began = Instant::now();
    let reply = gateway
        .master()
        .chat(&streamed("a", json!({})))
        .with_status(200);
    assert!(reply.frames().last().unwrap().contains("litellm.Timeout"));
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
}

/// Nobody asked for comments: a stream that has begun has none.
#[test]
fn no_comments_unless_asked_for() {
    let simulator = Simulator::start();
    simulator.behave(
        "a",
        Behaviour::of(json!({"content": "one two three", "chunk_delay_ms": 300})),
    );
    let gateway = Gateway::of(&Config::single(&simulator, "a"));
    let reply = gateway.master().chat(&streamed("a", json!({})));
    assert_eq!(comments(reply.text()), 0);
}
