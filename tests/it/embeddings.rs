//! Embeddings: `/v1/embeddings`, whose vectors go through as they came.

use crate::harness::{Config, Deployment, Gateway, PROMPT, Request, json};
use crate::simulator::Simulator;

fn gateway(simulator: &Simulator) -> Gateway {
    let deployment = Deployment::of(simulator, "up")
        .group("e")
        .priced(0.000_001, 0.0);
    Gateway::of(&Config::of([deployment]).router("num_retries", 0))
}

#[test]
fn an_embedding_is_answered_and_booked() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({}));
    let body = json!({"model": "e", "input": [PROMPT, "b"], "dimensions": 3, "simulate": {
        "usage": {"prompt_tokens": 7, "total_tokens": 7}}});
    let reply = gateway
        .client(&key.secret)
        .post("/v1/embeddings", &body)
        .with_status(200);
    assert_eq!(reply.must("x-litellm-response-cost"), "0.000007");
    let answer = reply.json();
    assert_eq!(answer["object"], "list");
    assert_eq!(answer["model"], "e");
    assert_eq!(answer["data"][1]["embedding"].as_array().unwrap().len(), 3);
    let sent = &simulator.take()[0];
    assert_eq!(sent.path, "/v1/embeddings");
    assert_eq!(sent.json()["model"], "up");
    let row = &gateway.rows_when(1)[0];
    assert_eq!(&*row.call_type, "aembedding");
    assert_eq!(row.usage.prompt_tokens(), 7);
    assert_eq!(row.usage.completion_tokens(), 0);
    assert_eq!(&*row.request_id, reply.must("x-litellm-call-id"));
    gateway.books_agree();
}

/// Numbers with all their digits and base64 alike, and what a provider adds of its own.
#[test]
fn vectors_pass_untouched() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for vector in [
        "[-0.10000000149011612, 1e-45, 3.40282350E+38, 0]",
        r#""zczMPQAAgD8=""#,
    ] {
        let answer = format!(
            r#"{{ "object":"list","data":[{{"object":"embedding","index":0,"embedding":{vector}}}],"model":"up","usage":{{"prompt_tokens":1,"total_tokens":1}},"took":1.50}}"#
        );
        let simulate = format!(r#"{{"body":{answer}}}"#);
        for input in [r#""a""#, r#"["a","b"]"#, "[1,2]", "[[1],[2]]"] {
            let body = format!(
                r#"{{"model":"e","input":{input},"encoding_format":"base64","input_type":"query","user":"u","simulate":{simulate}}}"#
            );
            let request = Request::post("/v1/embeddings", body.clone());
            let reply = gateway.master().ask(request).with_status(200);
            assert_eq!(
                reply.text(),
                answer.replace(r#""model":"up""#, r#""model":"e""#)
            );
            let sent = String::from_utf8(simulator.take().remove(0).body).unwrap();
            assert_eq!(sent, body.replace(r#""model":"e""#, r#""model":"up""#));
        }
    }
}

/// Some hosts send vectors alone.
#[test]
fn items_without_a_place_get_one() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let simulate =
        json!({"body": {"data": [{"embedding": [1.5]}, {"embedding": [2.5]}], "model": "x"}});
    let body = json!({"model": "e", "input": ["a", "b"], "simulate": simulate});
    let reply = gateway
        .master()
        .post("/v1/embeddings", &body)
        .with_status(200);
    assert_eq!(
        reply.json(),
        json!({"model": "e", "data": [
            {"object": "embedding", "index": 0, "embedding": [1.5]},
            {"object": "embedding", "index": 1, "embedding": [2.5]},
        ]})
    );
}

#[test]
fn an_answer_without_usage_is_estimated_from_its_input_alone() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let body = json!({"model": "e", "input": "x".repeat(40), "dimensions": 500, "simulate": {"no_usage": true}});
    gateway
        .master()
        .post("/v1/embeddings", &body)
        .with_status(200);
    let row = &gateway.rows_when(1)[0];
    assert!(row.usage_estimated);
    assert_eq!(row.usage.prompt_tokens(), 10);
    assert_eq!(row.usage.completion_tokens(), 0, "vectors are no tokens");
}

#[test]
fn token_limits_count_the_input_alone() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({"tpm_limit": 10}));
    let body = |tokens: usize| json!({"model": "e", "input": vec![5; tokens]});
    let refused = caller.post("/v1/embeddings", &body(11));
    assert_eq!(refused.status, 429, "{}", refused.message());
    caller.post("/v1/embeddings", &body(10)).with_status(200);
    assert_eq!(caller.post("/v1/embeddings", &body(1)).status, 429);
}
