//! Text completions and embeddings.

use serde_json::{Value, json};

use super::super::Simulator;
use super::peer::{Answer, Peer};

fn ask(simulator: &Simulator, path: &str, body: &Value) -> Answer {
    let mut peer = Peer::new(simulator);
    let head = format!("POST /v1/{path} HTTP/1.1\r\nhost: sim");
    peer.send(&head, &body.to_string());
    peer.answer()
}

#[test]
fn a_text_completion_is_openais() {
    let simulator = Simulator::start();
    let body = json!({"model": "m", "prompt": ["a", "b"], "n": 2, "echo": true, "simulate": {"content": "!"}});
    let answer = ask(&simulator, "completions", &body).json();
    assert_eq!(answer["object"], "text_completion");
    assert!(answer["id"].as_str().unwrap().starts_with("cmpl-Sim"));
    let texts: Vec<&Value> = (0..4)
        .map(|index| &answer["choices"][index]["text"])
        .collect();
    assert_eq!(texts, ["a!", "a!", "b!", "b!"]);
    assert_eq!(answer["choices"][3]["index"], 3);
    assert_eq!(answer["choices"][3]["finish_reason"], "stop");
    let usage = json!({"prompt": answer["usage"]["prompt_tokens"], "total": answer["usage"]["total_tokens"]});
    assert_eq!(usage, json!({"prompt": 2, "total": 6}));
}

#[test]
fn a_text_stream_is_openais() {
    let simulator = Simulator::start();
    let body = json!({
        "model": "m", "prompt": [1, 2, 3], "stream": true, "stream_options": {"include_usage": true},
        "simulate": {"content": "one two"},
    });
    let answer = ask(&simulator, "completions", &body);
    assert!(answer.text().ends_with("data: [DONE]\n\n"));
    let events = answer.events();
    let texts: Vec<&Value> = events
        .iter()
        .map(|event| &event["choices"][0]["text"])
        .collect();
    assert_eq!(
        texts,
        [&json!("one "), &json!("two"), &json!(""), &Value::Null]
    );
    assert_eq!(events[2]["choices"][0]["finish_reason"], "stop");
    assert_eq!(events[3]["usage"]["prompt_tokens"], 3);
    assert!(
        events
            .iter()
            .all(|event| event["object"] == "text_completion")
    );
}

#[test]
fn embeddings_are_openais() {
    let simulator = Simulator::start();
    let body = |format| json!({"model": "m", "input": ["a", "b"], "dimensions": 3, "encoding_format": format});
    let numbers = ask(&simulator, "embeddings", &body("float")).json();
    assert_eq!(numbers["object"], "list");
    assert_eq!(numbers["data"][1]["index"], 1);
    assert_eq!(numbers["data"][1]["embedding"].as_array().unwrap().len(), 3);
    assert_eq!(
        numbers["usage"],
        json!({"prompt_tokens": 2, "total_tokens": 2})
    );
    let base64 = ask(&simulator, "embeddings", &body("base64")).json();
    let text = base64["data"][0]["embedding"].as_str().unwrap();
    assert_eq!(text.len(), 16, "three floats are twelve bytes");
}

#[test]
fn what_is_missing_is_told() {
    let simulator = Simulator::start();
    for (path, field) in [("completions", "prompt"), ("embeddings", "input")] {
        let answer = ask(&simulator, path, &json!({"model": "m", "messages": []}));
        assert_eq!(answer.status(), 400);
        assert_eq!(answer.json()["error"]["param"], field);
    }
}
