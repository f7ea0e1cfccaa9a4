//! `POST /v1/messages` and `/v1/messages/count_tokens`: whatever goes wrong is told as Anthropic tells it.

use crate::harness::{Client, Config, Deployment, Gateway, Reply, Request, Value, json};
use crate::simulator::Simulator;

fn message(model: &str) -> Value {
    json!({"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]})
}

fn gateway(simulator: &Simulator) -> Gateway {
    let nowhere = Deployment::at("http://127.0.0.1:9/v1", "gone").group("gone");
    let of = [Deployment::of(simulator, "m"), nowhere];
    Gateway::of(&Config::of(of).router("num_retries", 0))
}

/// An error as Anthropic's SDKs read it; answers its message.
#[track_caller]
fn anthropics(reply: &Reply, kind: &str) -> String {
    let body = reply.json();
    assert_eq!(body["type"], "error", "{body}");
    assert_eq!(body["error"]["type"], kind, "{body}");
    assert_eq!(body["request_id"], reply.must("request-id"), "{body}");
    body["error"]["message"]
        .as_str()
        .expect("a message")
        .to_owned()
}

const PATHS: [&str; 3] = [
    "/v1/messages",
    "/anthropic/v1/messages",
    "/claude_code_gateway/v1/messages",
];

#[test]
fn every_path_answers_and_names_the_call() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for path in PATHS {
        let path = format!("{path}?beta=true");
        let reply = gateway.master().post(&path, &message("m")).with_status(200);
        let body = reply.json();
        assert_eq!(
            (&body["type"], &body["role"]),
            (&json!("message"), &json!("assistant"))
        );
        assert_eq!(body["model"], "m");
        assert_eq!(reply.must("request-id"), reply.must("x-litellm-call-id"));
    }
}

#[test]
fn a_stream_has_named_events() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let mut body = message("m");
    body["stream"] = json!(true);
    let reply = gateway
        .master()
        .post("/v1/messages", &body)
        .with_status(200);
    assert!(reply.must("content-type").starts_with("text/event-stream"));
    assert!(!reply.must("request-id").is_empty());
    let text = reply.text();
    assert!(text.starts_with("event: message_start\ndata: {"), "{text}");
    assert!(text.contains("event: message_stop\ndata: {"), "{text}");
}

#[test]
fn both_keys_of_anthropics_clients_are_taken() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({})).secret;
    for (name, value) in [
        ("x-api-key", key.clone()),
        ("authorization", format!("Bearer {key}")),
    ] {
        let request = Request::post("/v1/messages", message("m").to_string())
            .header(name, &value)
            .header("anthropic-version", "2023-06-01");
        gateway.anonymous().ask(request).with_status(200);
    }
}

#[test]
fn every_failure_is_told_in_anthropics_words() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let master = gateway.master();
    let ask = |client: &Client, body: String| client.ask(Request::post("/v1/messages", body));
    let without = |field: &str| {
        let mut body = message("m");
        body.as_object_mut().expect("an object").remove(field);
        body.to_string()
    };
    let narrow = gateway.caller(json!({"models": ["other"]}));
    let slow = gateway.caller(json!({"rpm_limit": 0}));
    let poor = gateway.caller(json!({"max_budget": 0.0}));
    for (client, body, status, kind, words) in [
        (
            &gateway.anonymous(),
            message("m").to_string(),
            401,
            "authentication_error",
            "No api key",
        ),
        (
            &master,
            "{".to_owned(),
            400,
            "invalid_request_error",
            "JSON",
        ),
        (
            &master,
            "[]".to_owned(),
            400,
            "invalid_request_error",
            "object",
        ),
        (
            &master,
            without("model"),
            400,
            "invalid_request_error",
            "model",
        ),
        (
            &master,
            without("messages"),
            400,
            "invalid_request_error",
            "messages",
        ),
        (
            &master,
            without("max_tokens"),
            400,
            "invalid_request_error",
            "max_tokens",
        ),
        (
            &master,
            message("none").to_string(),
            400,
            "invalid_request_error",
            "anthropic_messages: Invalid model name",
        ),
        (
            &narrow,
            message("m").to_string(),
            403,
            "permission_error",
            "not available",
        ),
        (
            &slow,
            message("m").to_string(),
            429,
            "rate_limit_error",
            "Limit",
        ),
        (
            &poor,
            message("m").to_string(),
            422,
            "invalid_request_error",
            "Budget",
        ),
        (
            &master,
            message("gone").to_string(),
            500,
            "api_error",
            "onnect",
        ),
    ] {
        let reply = ask(client, body.clone()).with_status(status);
        let message = anthropics(&reply, kind);
        assert!(message.contains(words), "{body}: {message}");
        if status == 429 {
            assert!(reply.header("retry-after").is_some());
        }
    }
    for method in ["GET", "PUT", "DELETE"] {
        let reply = master
            .ask(Request::new(method, "/v1/messages"))
            .with_status(405);
        assert_eq!(reply.json()["type"], "error");
    }
}

#[test]
fn a_body_that_is_too_large_is_refused_in_anthropics_words() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m").general("max_request_size_mb", 1);
    let gateway = Gateway::of(&config);
    let mut body = message("m");
    body["messages"][0]["content"] = json!("x".repeat(2 * 1024 * 1024));
    let reply = gateway
        .master()
        .post("/v1/messages", &body)
        .with_status(413);
    anthropics(&reply, "request_too_large");
}

#[test]
fn input_is_counted_without_a_call() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let body = json!({
        "model": "m",
        "system": "You are helpful.",
        "messages": [{"role": "user", "content": "Hello world"}],
    });
    for path in PATHS {
        let reply = gateway
            .master()
            .post(&format!("{path}/count_tokens"), &body)
            .with_status(200);
        assert_eq!(reply.json(), json!({"input_tokens": 17}));
        assert!(reply.header("request-id").is_some());
    }
    assert_eq!(simulator.requests().len(), 0);
    // What cannot be counted is guessed, from its size.
    let odd =
        json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "hologram"}]}]});
    let count = gateway
        .master()
        .post("/v1/messages/count_tokens", &odd)
        .with_status(200)
        .json();
    assert!(
        count["input_tokens"]
            .as_u64()
            .is_some_and(|count| (1..100).contains(&count)),
        "{count}"
    );
    let rows = gateway.master().get("/spend/logs").with_status(200).json();
    assert_eq!(rows, json!([]), "counting is free");
}

#[test]
fn what_is_no_request_is_not_counted() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let narrow = gateway.caller(json!({"models": ["other"]}));
    for (client, body, status, kind) in [
        (
            &gateway.master(),
            json!({"model": "m"}),
            400,
            "invalid_request_error",
        ),
        (
            &gateway.master(),
            json!({"messages": []}),
            400,
            "invalid_request_error",
        ),
        (
            &gateway.master(),
            json!({"model": "m", "messages": 1}),
            400,
            "invalid_request_error",
        ),
        (
            &gateway.master(),
            message("none"),
            400,
            "invalid_request_error",
        ),
        (&narrow, message("m"), 403, "permission_error"),
        (
            &gateway.anonymous(),
            message("m"),
            401,
            "authentication_error",
        ),
    ] {
        let reply = client
            .post("/v1/messages/count_tokens", &body)
            .with_status(status);
        anthropics(&reply, kind);
    }
}

/// Anthropic counts for its own models; where it cannot be asked the count is ours.
#[test]
fn anthropic_counts_where_the_model_is_its_own() {
    let simulator = Simulator::start();
    let claude = |base: &str, group: &str| {
        Deployment::at(base, group).param("model", "anthropic/claude-sonnet-4-5")
    };
    let there = claude(&simulator.base_url(), "there");
    let gone = claude("http://127.0.0.1:9/v1", "gone");
    let paused = claude(&simulator.base_url(), "paused").info("blocked", true);
    let gateway = Gateway::of(&Config::of([there, gone, paused]));
    let body = |model: &str| {
        json!({
            "model": model,
            "system": "You are helpful.",
            "messages": [{"role": "user", "content": "Hello world"}],
            "max_tokens": 5,
            "thinking": {"type": "enabled", "budget_tokens": 2000},
        })
    };
    let count = |model: &str| {
        let request = Request::post("/v1/messages/count_tokens", body(model).to_string())
            .header("anthropic-beta", "interleaved-thinking-2025-05-14")
            .header("anthropic-version", "2023-06-01");
        let reply = gateway.master().ask(request).with_status(200);
        reply.json()["input_tokens"].as_u64().expect("a number")
    };
    let by_anthropic = count("there");
    let asked = simulator.take().remove(0);
    assert_eq!(asked.path, "/v1/messages/count_tokens");
    assert_eq!(
        asked.header("anthropic-beta"),
        Some("interleaved-thinking-2025-05-14")
    );
    let sent: Value = serde_json::from_slice(&asked.body).expect("JSON");
    let mut expected = body("claude-sonnet-4-5");
    // It is refused there: nothing is to be made.
    expected
        .as_object_mut()
        .expect("an object")
        .remove("max_tokens");
    assert_eq!(sent, expected);
    assert!(by_anthropic > 0);
    assert_eq!(count("gone"), 17);
    assert_eq!(count("paused"), 17);
    assert_eq!(simulator.take().len(), 0, "who is paused is not asked");
    let rows = gateway.master().get("/spend/logs").with_status(200).json();
    assert_eq!(rows, json!([]), "counting is free");
}
