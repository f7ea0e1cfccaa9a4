//! What was said, by client or model, is between the two.

use super::talkative;
use crate::harness::{PROMPT, json};
use crate::simulator::Simulator;

const ANSWER: &str = "PLANTED-ANSWER: what the red locomotive said";

/// Wherever a request may hold what somebody said, and an answer what a model did.
#[test]
fn content_of_every_kind_stays_between_client_and_provider() {
    let simulator = Simulator::start();
    let gateway = talkative(&simulator);
    gateway.plant(ANSWER);
    let caller = gateway.caller(json!({"max_budget": 1000}));
    let call =
        json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": PROMPT}});
    let schema = json!({"type": "object", "description": PROMPT});
    let asked = json!({
        "messages": [
            {"role": "system", "content": PROMPT},
            {"role": "user", "content": [
                {"type": "text", "text": PROMPT},
                {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PROMPT}")}},
                {"type": "input_audio", "input_audio": {"data": PROMPT, "format": "wav"}},
                {"type": "file", "file": {"file_data": PROMPT, "filename": PROMPT}},
            ]},
            {"role": "assistant", "content": null, "tool_calls": [call], "reasoning_content": PROMPT},
            {"role": "tool", "tool_call_id": "c", "content": PROMPT},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": PROMPT, "parameters": schema}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}},
        "prediction": {"type": "content", "content": PROMPT},
        "stop": [PROMPT],
        "vendor_field": PROMPT,
    });
    let call = json!({"id": "c", "name": "f", "arguments": ANSWER});
    let moods = [
        json!({"content": ANSWER}),
        json!({"content": ANSWER, "chunk_bytes": 1000, "error_mid_stream": {"after_chunks": 1}}),
        json!({"content": ANSWER, "cut_after_bytes": 400}),
        json!({"reasoning_content": ANSWER, "content": ANSWER}),
        json!({"tool_calls": [call], "chunk_bytes": 1000}),
        json!({"refusal": ANSWER, "chunk_bytes": 1000}),
        json!({"audio": {"transcript": ANSWER, "data": ANSWER}, "chunk_bytes": 1000}),
        json!({"usage": {"prompt_tokens": ANSWER}}),
        json!({"body": {"choices": ANSWER}}),
        json!({"frames": [ANSWER]}),
        // A provider that repeats what it was asked tells the client, who knows it; nobody else.
        json!({"status": 400, "body": {"error": {"message": PROMPT, "type": PROMPT, "param": PROMPT, "code": PROMPT}}}),
        json!({"status": 500, "body": PROMPT}),
        json!({"status": 429, "headers": {"x-odd": PROMPT}}),
    ];
    for mood in moods {
        let mut body = asked.clone();
        body["model"] = json!("m");
        body["simulate"] = mood;
        caller.chat(&body);
        body["stream"] = json!(true);
        caller.chat(&body);
    }
    assert!(simulator.requests().len() >= 26);
    gateway.rows_when(26);
    // Log, metrics, database and journal are searched when the gateway is dropped; the journal holds all of it now.
}
