//! The simulator's own tests, over raw TCP: what it says when it behaves.

mod blocks;
mod faults;
mod forms;
mod operations;
mod peer;
mod records;

use std::time::Duration;

use serde_json::{Value, json};

use super::{Behaviour, Simulator, ToolCall};
use peer::Peer;

/// Long enough for any machine; nothing waits for it when all is well.
const SOON: Duration = Duration::from_secs(5);

fn chat(extra: Value) -> Value {
    let mut body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]});
    body.as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    body
}

#[test]
fn a_whole_answer_is_openais() {
    let simulator = Simulator::start();
    let answer = Peer::new(&simulator).ask(&chat(json!({"n": 2})));
    assert_eq!(
        (answer.status(), answer.header("content-type")),
        (200, Some("application/json"))
    );
    assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("10000"));
    assert!(answer.header("x-request-id").unwrap().starts_with("req_"));
    assert!(answer.text().starts_with("{\n  \"id\": \"chatcmpl-"));
    let json = answer.json();
    assert_eq!(
        (&json["object"], &json["model"]),
        (&json!("chat.completion"), &json!("gpt-4o"))
    );
    assert_eq!(json["choices"].as_array().unwrap().len(), 2);
    assert_eq!(
        json["choices"][1]["message"]["content"],
        "Hello! How can I help you today?"
    );
    assert_eq!(json["choices"][1]["finish_reason"], "stop");
    let usage = &json["usage"];
    assert_eq!(
        (&usage["prompt_tokens"], &usage["completion_tokens"]),
        (&json!(8), &json!(16))
    );
    assert_eq!(usage["total_tokens"], 24);
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 0);
    assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 0);
}

#[test]
fn a_stream_has_openais_order() {
    let simulator = Simulator::start();
    simulator.behave(
        "gpt-4o",
        Behaviour {
            content: Some("one two".into()),
            ..Behaviour::default()
        },
    );
    let mut peer = Peer::new(&simulator);
    let answer = peer.ask(&chat(
        json!({"stream": true, "stream_options": {"include_usage": true}}),
    ));
    assert_eq!(
        answer.header("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    assert!(answer.text().ends_with("}\n\ndata: [DONE]\n\n"));
    let events = answer.events();
    let deltas: Vec<&Value> = events
        .iter()
        .map(|event| &event["choices"][0]["delta"])
        .collect();
    assert_eq!(
        deltas,
        [
            &json!({"role": "assistant", "content": "", "refusal": null}),
            &json!({"content": "one "}),
            &json!({"content": "two"}),
            &json!({}),
            &Value::Null
        ]
    );
    assert_eq!(events[3]["choices"][0]["finish_reason"], "stop");
    assert_eq!(
        (
            &events[4]["choices"],
            &events[4]["usage"]["completion_tokens"]
        ),
        (&json!([]), &json!(2))
    );
    assert_eq!(events[0].get("usage"), Some(&Value::Null));
    assert!(events.iter().all(|event| event["id"] == events[0]["id"]));

    let unasked = peer.ask(&chat(json!({"stream": true}))).events();
    assert_eq!(
        (
            unasked.len(),
            unasked.iter().any(|event| event.get("usage").is_some())
        ),
        (4, false)
    );
}

#[test]
fn tool_calls_come_whole_or_in_pieces() {
    let simulator = Simulator::start();
    let call = ToolCall {
        id: "call_1".into(),
        name: "weather".into(),
        arguments: r#"{"city":"Köln"}"#.into(),
    };
    simulator.behave(
        "gpt-4o",
        Behaviour {
            tool_calls: vec![call],
            chunks: Some(3),
            ..Behaviour::default()
        },
    );
    let mut peer = Peer::new(&simulator);
    let whole = peer.ask(&chat(json!({}))).json();
    assert_eq!(
        whole["choices"][0]["message"]["tool_calls"][0]["function"]["name"],
        "weather"
    );
    assert_eq!(whole["choices"][0]["message"]["content"], Value::Null);
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
    let events = peer.ask(&chat(json!({"stream": true}))).events();
    let calls: Vec<&Value> = events
        .iter()
        .map(|event| &event["choices"][0]["delta"]["tool_calls"][0])
        .collect();
    assert_eq!(
        (&calls[1]["id"], &calls[1]["type"]),
        (&json!("call_1"), &json!("function"))
    );
    let arguments: String = calls
        .iter()
        .filter_map(|call| call["function"]["arguments"].as_str())
        .collect();
    assert_eq!(arguments, r#"{"city":"Köln"}"#);
}

#[test]
fn every_answer_has_ids_of_its_own() {
    let simulator = Simulator::start();
    let mut peer = Peer::new(&simulator);
    let answers = [0, 1, 2].map(|_| peer.ask(&chat(json!({}))));
    for (answer, other) in [(0, 1), (1, 2), (2, 0)] {
        assert_ne!(answers[answer].json()["id"], answers[other].json()["id"]);
        assert_ne!(
            answers[answer].header("x-request-id"),
            answers[other].header("x-request-id")
        );
    }
    assert_eq!(answers[0].body.len(), answers[2].body.len());
}

#[test]
fn refusals_are_openais() {
    let simulator = Simulator::start();
    let chat = "POST /v1/chat/completions HTTP/1.1";
    let cases = [
        (
            "GET /v1/none HTTP/1.1",
            "",
            404,
            "Invalid URL (GET /v1/none)",
            Value::Null,
        ),
        (
            "GET /v1/chat/completions HTTP/1.1",
            "",
            405,
            "Not allowed to GET",
            json!("method_not_supported"),
        ),
        (chat, "{", 400, "We could not parse", Value::Null),
        (
            chat,
            r#"{"messages":[]}"#,
            400,
            "you must provide a model",
            Value::Null,
        ),
        (
            chat,
            r#"{"model":"m"}"#,
            400,
            "Missing required parameter",
            json!("missing_required_parameter"),
        ),
        (
            chat,
            r#"{"model":7,"messages":[]}"#,
            400,
            "Invalid type",
            json!("invalid_type"),
        ),
        (
            chat,
            r#"{"model":"m","messages":[],"simulate":{"dela_ms":1}}"#,
            400,
            "the simulator does not understand",
            Value::Null,
        ),
    ];
    let mut peer = Peer::new(&simulator);
    for (head, body, status, message, code) in cases {
        peer.send(head, body);
        let answer = peer.answer();
        let error = &answer.json()["error"];
        assert_eq!(
            (answer.status(), &error["code"]),
            (status, &code),
            "{head} {body}"
        );
        assert!(
            error["message"].as_str().unwrap().starts_with(message),
            "{error}"
        );
        assert_eq!(error["type"], "invalid_request_error");
    }
}

#[test]
fn a_key_can_be_expected() {
    let simulator = Simulator::start();
    simulator.expect_key(Some("sk-upstream"));
    let mut peer = Peer::new(&simulator);
    let body = chat(json!({})).to_string();
    for (header, status, message) in [
        ("authorization: Bearer sk-upstream", 200, ""),
        (
            "authorization: Bearer sk-something-else",
            401,
            "Incorrect API key provided: sk-somet*****else.",
        ),
        ("x-nothing: 1", 401, "You didn't provide an API key."),
    ] {
        peer.send(
            &format!("POST /openai/chat/completions HTTP/1.1\r\n{header}"),
            &body,
        );
        let answer = peer.answer();
        assert_eq!(answer.status(), status);
        assert!(
            status == 200
                || answer.json()["error"]["message"]
                    .as_str()
                    .unwrap()
                    .starts_with(message)
        );
    }
}

#[test]
fn models_are_those_that_behave() {
    let simulator = Simulator::start();
    simulator.behave("b", Behaviour::default());
    simulator.behave("a", Behaviour::default());
    let mut peer = Peer::new(&simulator);
    peer.send("GET /v1/models HTTP/1.1", "");
    let list = peer.answer().json();
    assert_eq!(list["object"], "list");
    assert_eq!(
        (&list["data"][0]["id"], &list["data"][1]["id"]),
        (&json!("a"), &json!("b"))
    );
}

#[test]
fn the_body_wins_over_the_model_over_the_default() {
    let simulator = Simulator::start();
    simulator.behave_by_default(Behaviour::saying("default"));
    let mut peer = Peer::new(&simulator);
    let said = |answer: peer::Answer| answer.json()["choices"][0]["message"]["content"].clone();
    assert_eq!(said(peer.ask(&chat(json!({})))), "default");
    simulator.behave_in_turn(
        "gpt-4o",
        vec![Behaviour::failing(429)],
        Behaviour::saying("model"),
    );
    assert_eq!(peer.ask(&chat(json!({}))).status(), 429);
    assert_eq!(said(peer.ask(&chat(json!({})))), "model");
    assert_eq!(
        said(peer.ask(&chat(json!({"simulate": {"content": "body"}})))),
        "body"
    );
    assert_eq!(said(peer.ask(&chat(json!({})))), "model");
}

#[test]
fn status_body_and_headers_are_as_given() {
    let simulator = Simulator::start();
    let mut peer = Peer::new(&simulator);
    let json_body = json!({"status": 529, "body": {"type": "overloaded"}, "headers": {"Retry-After": "3", "x-request-id": "mine"}});
    let answer = peer.ask(&chat(json!({"stream": true, "simulate": json_body})));
    assert_eq!(
        (answer.status(), answer.json()),
        (529, json!({"type": "overloaded"}))
    );
    assert_eq!(
        (answer.header("Retry-After"), answer.header("x-request-id")),
        (Some("3"), Some("mine"))
    );
    let text = peer.ask(&chat(json!({"simulate": {"body": "plain"}})));
    assert_eq!(
        (text.text().as_str(), text.header("content-type")),
        ("plain", Some("text/plain; charset=utf-8"))
    );
    let verbatim = r#"{"model":"m","messages":[],"simulate":{"usage":{"z":1.0, "a" : 2}}}"#;
    peer.send("POST /v1/chat/completions HTTP/1.1", verbatim);
    assert!(peer.answer().text().contains(r#"{"z":1.0, "a" : 2}"#));
}
