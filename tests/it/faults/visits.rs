//! What callers and administrators do, so that the steps of it are visited. Each gives the answers that a panic may break.

use crate::harness::{Client, Gateway, Reply, SOON, chat, chat_with, json, streamed};

/// Visits some steps, with the calls of a caller.
pub type Visit = fn(&Gateway, &Client) -> Vec<Reply>;

pub fn calls(_: &Gateway, caller: &Client) -> Vec<Reply> {
    [chat("m"), streamed("m", json!({}))]
        .map(|body| caller.chat(&body))
        .into()
}

/// Calls that another deployment has to answer, then another group.
pub fn detours(_: &Gateway, caller: &Client) -> Vec<Reply> {
    [chat("f"), streamed("f", json!({})), chat("fallen")]
        .map(|body| caller.chat(&body))
        .into()
}

/// Clients that leave: before the answer, and in the middle of it.
pub fn leaving(_: &Gateway, caller: &Client) -> Vec<Reply> {
    let slow = json!({"simulate": {"delay_ms": 60_000}});
    caller.send(&chat_with("m", slow)).leave();
    let long = json!({"simulate": {"chunks": 2_000, "chunk_delay_ms": 30}});
    let (mut stream, mut incoming) = caller.begin(&streamed("m", long));
    stream.read_until(&mut incoming, "data: ");
    stream.leave();
    Vec::new()
}

/// What administrators look at.
pub fn looks(gateway: &Gateway, caller: &Client) -> Vec<Reply> {
    gateway.master().get("/health?model_id=id-m");
    gateway.master().get("/metrics");
    calls(gateway, caller)
}

pub fn explanations(_: &Gateway, caller: &Client) -> Vec<Reply> {
    vec![caller.post("/router/explain", &chat("m"))]
}

/// A key from its making to its end.
pub fn keys(gateway: &Gateway, _: &Client) -> Vec<Reply> {
    let master = gateway.master();
    let made = master.post("/key/generate", &json!({"max_budget": 1}));
    let Some(key) = made.json()["key"].as_str().map(str::to_owned) else {
        return vec![made];
    };
    gateway.plant(&key);
    let called = gateway.client(&key).chat(&chat("m"));
    let set = master.post("/key/update", &json!({"key": key, "spend": 0.5}));
    let again = master.post("/key/regenerate", &json!({"key": key}));
    let key = again.json()["key"].as_str().map_or(key, str::to_owned);
    gateway.plant(&key);
    let deleted = master.post("/key/delete", &json!({"keys": [key]}));
    vec![made, called, set, again, deleted]
}

/// Conversations that are kept here, and one that is made in the background.
pub fn conversations(gateway: &Gateway, caller: &Client) -> Vec<Reply> {
    let ask = |body| caller.post("/v1/responses", &body);
    let kept = ask(json!({"model": "chats", "input": "Hi"}));
    let background = ask(json!({"model": "m", "input": "Hi", "background": true}));
    let rows = gateway.rows().len();
    if background.status == 200 {
        crate::harness::until("it is settled", SOON, || gateway.rows().len() > rows);
    }
    vec![kept, background]
}
