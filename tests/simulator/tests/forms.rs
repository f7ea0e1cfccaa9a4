//! What an answer may hold besides text, in OpenAI's form, whole and streamed.

use serde_json::{Value, json};

use super::super::Simulator;
use super::chat;
use super::peer::Peer;

/// The message of a whole answer and the deltas of a stream, with their probabilities.
fn both(asked: Value, simulate: Value) -> (Value, Vec<(Value, Value)>) {
    let simulator = Simulator::start();
    let mut peer = Peer::new(&simulator);
    let mut body = chat(asked);
    body["simulate"] = simulate;
    let whole = peer.ask(&body).json()["choices"][0].clone();
    body["stream"] = json!(true);
    let events = peer.ask(&body).events();
    let deltas = events.iter().map(|event| {
        let choice = &event["choices"][0];
        (choice["delta"].clone(), choice["logprobs"].clone())
    });
    (whole, deltas.collect())
}

fn deltas(parts: &[(Value, Value)]) -> Vec<&Value> {
    parts.iter().map(|(delta, _)| delta).collect()
}

#[test]
fn a_refusal() {
    let (whole, parts) = both(json!({}), json!({"refusal": "I won't"}));
    assert_eq!(
        whole["message"],
        json!({"role": "assistant", "content": null, "refusal": "I won't", "annotations": []})
    );
    assert_eq!(
        deltas(&parts),
        [
            &json!({"role": "assistant", "content": null, "refusal": null}),
            &json!({"refusal": "I "}),
            &json!({"refusal": "won't"}),
            &json!({}),
        ]
    );
}

#[test]
fn thoughts() {
    let (whole, parts) = both(
        json!({}),
        json!({"reasoning_content": "Let me see", "content": "Yes"}),
    );
    assert_eq!(whole["message"]["reasoning_content"], "Let me see");
    assert_eq!(
        parts[1].0,
        json!({"content": null, "reasoning_content": "Let "})
    );
    assert_eq!(parts[4].0, json!({"content": "Yes"}));
    let (whole, parts) = both(json!({}), json!({"reasoning": "Hm", "content": "Yes"}));
    assert_eq!(whole["message"]["reasoning"], "Hm");
    assert_eq!(parts[1].0, json!({"reasoning": "Hm"}));
}

#[test]
fn calls_by_turns() {
    let calls = json!([{"id": "a", "name": "f", "arguments": "{\"x\":1}"}, {"id": "b", "name": "g", "arguments": "{}"}]);
    let how = json!({"tool_calls": calls, "content": "Wait", "interleave_tool_calls": true, "chunk_bytes": 4});
    let (whole, parts) = both(json!({}), how);
    assert_eq!(whole["message"]["content"], "Wait");
    assert_eq!(whole["finish_reason"], "tool_calls");
    assert_eq!(parts[0].0["content"], "");
    assert_eq!(parts[1].0, json!({"content": "Wait"}));
    let order: Vec<&Value> = parts[2..]
        .iter()
        .map(|(delta, _)| &delta["tool_calls"][0]["index"])
        .collect();
    assert_eq!(
        order,
        [
            &json!(0),
            &json!(1),
            &json!(0),
            &json!(1),
            &json!(0),
            &Value::Null
        ]
    );
}

#[test]
fn speech() {
    let how = json!({"audio": {"transcript": "Good day", "data": "AAAA"}});
    let (whole, parts) = both(json!({"modalities": ["text", "audio"]}), how);
    assert_eq!(whole["message"]["content"], Value::Null);
    assert_eq!(whole["message"]["audio"]["transcript"], "Good day");
    assert_eq!(whole["message"]["audio"]["data"], "AAAA");
    let audio: Vec<&Value> = parts[1..parts.len() - 1]
        .iter()
        .map(|(delta, _)| &delta["audio"])
        .collect();
    assert_eq!(audio[0]["id"], whole["message"]["audio"]["id"]);
    assert_eq!(
        audio[1..],
        [
            &json!({"transcript": "Good "}),
            &json!({"transcript": "day"}),
            &json!({"data": "AAAA"}),
            &json!({"expires_at": 4_102_444_800u64}),
        ]
    );
}

#[test]
fn annotations() {
    let citation = json!({"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 3, "url": "https://example.org", "title": "T"}});
    let (whole, parts) = both(
        json!({}),
        json!({"content": "Yes", "annotations": [citation]}),
    );
    assert_eq!(whole["message"]["annotations"], json!([citation]));
    assert_eq!(parts[2].0, json!({"annotations": [citation]}));
}

#[test]
fn probabilities() {
    let (whole, parts) = both(
        json!({"logprobs": true, "top_logprobs": 2}),
        json!({"content": "Grüß Gott"}),
    );
    let tokens = whole["logprobs"]["content"].as_array().unwrap();
    assert_eq!(tokens.len(), 2);
    assert_eq!(tokens[0]["token"], "Grüß ");
    assert_eq!(tokens[0]["bytes"][2], 0xc3);
    assert_eq!(tokens[0]["top_logprobs"].as_array().unwrap().len(), 2);
    assert_eq!(
        tokens[0]["top_logprobs"][0]["logprob"],
        tokens[0]["logprob"]
    );
    assert!(tokens[1]["logprob"].as_f64() < tokens[0]["logprob"].as_f64());
    let streamed: Vec<&Value> = parts.iter().map(|(_, logprobs)| logprobs).collect();
    assert_eq!(
        streamed,
        [
            &json!({"content": [], "refusal": null}),
            &json!({"content": [tokens[0]], "refusal": null}),
            &json!({"content": [tokens[1]], "refusal": null}),
            &Value::Null,
        ]
    );
    let (whole, _) = both(json!({"logprobs": true}), json!({"refusal": "No"}));
    assert_eq!(whole["logprobs"]["content"], Value::Null);
    assert_eq!(whole["logprobs"]["refusal"][0]["top_logprobs"], json!([]));
    assert_eq!(both(json!({}), json!({})).0["logprobs"], Value::Null);
}
