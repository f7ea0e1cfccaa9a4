//! What clients of Anthropic's API find beside their calls: errors in its form, and somebody who answers.

use crate::harness::{Config, Gateway, Reply, Request, json};
use crate::simulator::Simulator;

fn gateway(simulator: &Simulator) -> Gateway {
    Gateway::of(&Config::single(simulator, "m"))
}

/// An error as Anthropic's SDKs read it.
#[track_caller]
fn assert_anthropics(reply: &Reply, kind: &str) {
    let body = reply.json();
    assert_eq!(body["type"], "error", "{body}");
    assert_eq!(body["error"]["type"], kind, "{body}");
    assert!(
        body["error"]["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{body}"
    );
    assert!(reply.must("content-type").starts_with("application/json"));
    if let Some(id) = reply.header("x-litellm-call-id") {
        assert_eq!(body["request_id"], id);
        assert_eq!(reply.must("request-id"), id);
    }
}

#[test]
fn what_is_not_there_is_said_in_anthropics_words() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let client = gateway.anonymous();
    let nothing = client.get("/anthropic/v1/nothing").with_status(404);
    assert_anthropics(&nothing, "not_found_error");
    let versioned = Request::get("/v1/nothing").header("anthropic-version", "2023-06-01");
    assert_anthropics(&client.ask(versioned).with_status(404), "not_found_error");
    let wrong = client.get("/api/event_logging/batch").with_status(405);
    assert_anthropics(&wrong, "invalid_request_error");
    let other = client.get("/v1/nothing").with_status(404);
    assert_eq!(other.json(), json!({"detail": "Not Found"}));
}

#[test]
fn refusals_before_the_handler_are_said_in_anthropics_words() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let reply = gateway
        .anonymous()
        .get("/anthropic/v1/models")
        .with_status(401);
    assert_anthropics(&reply, "authentication_error");
    assert!(reply.header("request-id").is_some());
}

#[test]
fn claude_code_finds_somebody() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let client = gateway.anonymous();
    for path in ["/", "/api/hello"] {
        let reply = client.ask(Request::new("HEAD", path)).with_status(200);
        assert!(reply.body.is_empty());
    }
    let hello = client.get("/api/hello").with_status(200).json();
    assert_eq!(hello, json!({"message": "hello"}));
    for path in ["/api/event_logging/batch", "/api/event_logging/v2/batch"] {
        let taken = client
            .post(path, &json!({"events": [1, 2]}))
            .with_status(200);
        assert_eq!(taken.json(), json!({"status": "ok"}));
        // Nobody looks into it.
        client.ask(Request::post(path, "{")).with_status(200);
    }
    let flood = Request::post("/api/event_logging/batch", vec![b'x'; 9 * 1024 * 1024]);
    assert_anthropics(&client.ask(flood).with_status(413), "request_too_large");
}
