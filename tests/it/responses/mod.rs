//! The Responses API: going on from responses, whoever keeps them.

mod kept;
mod native;
mod socket;

use crate::harness::{Client, PROMPT, Reply, Value, json};

/// A request with a prompt that must not turn up anywhere it does not belong.
fn request(model: &str, more: Value) -> Value {
    let mut body = json!({"model": model, "input": PROMPT});
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

fn respond(client: &Client, body: &Value) -> Reply {
    client.post("/v1/responses", body)
}

/// A whole response, or the one at the end of a stream.
#[track_caller]
fn response(client: &Client, body: &Value) -> Value {
    let reply = respond(client, body).with_status(200);
    if body["stream"] != true {
        return reply.json();
    }
    let events = events(&reply);
    let last = events.last().expect("an event");
    assert_eq!(last["type"], "response.completed", "{last}");
    assert_eq!(events[0]["type"], "response.created");
    assert_eq!(
        events[0]["response"]["id"], last["response"]["id"],
        "one id"
    );
    last["response"].clone()
}

/// The data of a stream's events.
#[track_caller]
fn events(reply: &Reply) -> Vec<Value> {
    let lines = reply.text().lines();
    let data = lines.filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}")))
        .collect()
}

fn id(response: &Value) -> &str {
    response["id"].as_str().expect("an id")
}

/// What is refused when nothing is known by the id of the response before.
#[track_caller]
fn assert_unknown(reply: &Reply) {
    assert_eq!(reply.status, 400, "{}", reply.text());
    // Its code is OpenAI's own, not the status.
    let error = &reply.json()["error"];
    assert_eq!(error["code"], "previous_response_not_found", "{error}");
    assert_eq!(error["param"], "previous_response_id", "{error}");
    assert_eq!(error["type"], "invalid_request_error", "{error}");
}
