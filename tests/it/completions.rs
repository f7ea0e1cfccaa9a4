//! Text completions: `/v1/completions` in all its forms.

use crate::harness::{Config, Deployment, Gateway, PROMPT, Reply, Value, json};
use crate::simulator::Simulator;

fn gateway(simulator: &Simulator) -> Gateway {
    let deployment = Deployment::of(simulator, "up")
        .group("m")
        .priced(0.000_001, 0.000_002);
    Gateway::of(
        &Config::of([deployment])
            .router("num_retries", 0)
            .never_cooling(),
    )
}

fn ask(gateway: &Gateway, more: Value) -> Reply {
    let mut body = json!({"model": "m", "prompt": PROMPT});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    gateway.master().post("/v1/completions", &body)
}

#[test]
fn a_completion_is_answered_and_booked() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15});
    let reply = ask(
        &gateway,
        json!({"user": "u7", "simulate": {"content": "and on.", "usage": usage}}),
    )
    .with_status(200);
    assert_eq!(reply.must("x-litellm-model-group"), "m");
    assert_eq!(reply.must("x-litellm-response-cost"), "0.00002");
    let answer = reply.json();
    assert_eq!(answer["object"], "text_completion");
    assert_eq!(answer["model"], "m");
    assert_eq!(answer["choices"][0]["text"], "and on.");
    let sent = &simulator.take()[0];
    assert_eq!(sent.path, "/v1/completions");
    assert_eq!(sent.json()["model"], "up");
    assert_eq!(sent.json()["prompt"], PROMPT);
    let row = &gateway.rows_when(1)[0];
    assert_eq!(&*row.call_type, "atext_completion");
    assert_eq!(answer["id"], *row.request_id);
    assert_eq!(row.end_user.as_deref(), Some("u7"));
    assert_eq!(
        (row.usage.prompt_tokens(), row.usage.completion_tokens()),
        (10, 5)
    );
    assert!(!row.usage_estimated);
    assert_eq!(row.spend.0, 20_000);
    gateway.books_agree();
    let metrics = gateway.metrics();
    assert!(metrics.contains(r#"route="/completions""#), "{metrics}");
}

#[test]
fn what_the_gateway_does_not_know_passes_untouched() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let fields = r#""suffix":"}","echo":true,"logprobs":5,"best_of":3,"n":2,"logit_bias":{"50256":-100},"temperature":0.50,"stop":["\u0041"],"seed":12345678901234567890"#;
    for prompt in [
        r#""a \u00e9""#,
        r#"["a", "b"]"#,
        "[1, 22, 333]",
        "[[1], [2, 3]]",
    ] {
        let body = format!(r#"{{"model":"m","prompt":{prompt},{fields}}}"#);
        let request = crate::harness::Request::post("/v1/completions", body.clone());
        let reply = gateway.master().ask(request).with_status(200);
        let sent = simulator.take().remove(0);
        let expected = body.replace(r#""model":"m""#, r#""model":"up""#);
        assert_eq!(String::from_utf8(sent.body).unwrap(), expected);
        let prompts = if prompt.contains("],") || prompt.contains("\",") {
            2
        } else {
            1
        };
        assert_eq!(
            reply.json()["choices"].as_array().unwrap().len(),
            2 * prompts
        );
    }
}

#[test]
fn a_stream_is_passed_on_without_the_usage_nobody_asked_for() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let usage = json!({"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6});
    let simulate = json!({"content": "one two three", "usage": usage});
    for asked in [false, true] {
        let reply = ask(
            &gateway,
            json!({"stream": true, "simulate": simulate, "stream_options": {"include_usage": asked}}),
        )
        .with_status(200);
        assert!(reply.is_done());
        let events = reply.events();
        let text: String = events
            .iter()
            .filter_map(|event| event["choices"][0]["text"].as_str())
            .collect();
        assert_eq!(text, "one two three");
        assert!(events.iter().all(|event| event["model"] == "m"));
        let with_usage = events.iter().filter(|event| event["usage"].is_object());
        assert_eq!(with_usage.count(), usize::from(asked));
        let sent = simulator.take().remove(0).json();
        assert_eq!(sent["stream_options"]["include_usage"], true);
    }
    for row in gateway.rows_when(2) {
        assert_eq!(
            (row.usage.prompt_tokens(), row.usage.completion_tokens()),
            (4, 2)
        );
        assert!(row.first_token_at.is_some());
    }
}

#[test]
fn a_stream_without_usage_is_estimated_from_its_text() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let simulate = json!({"content": "x".repeat(400), "no_usage": true});
    ask(
        &gateway,
        json!({"prompt": [5, 6, 7], "stream": true, "simulate": simulate}),
    )
    .with_status(200);
    let row = &gateway.rows_when(1)[0];
    assert!(row.usage_estimated);
    assert_eq!(row.usage.prompt_tokens(), 3, "token ids count as they are");
    assert_eq!(row.usage.completion_tokens(), 100);
}

#[test]
fn every_prompt_and_candidate_is_held_for() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    // Twenty answers of fifty tokens.
    let caller = gateway.caller(json!({"tpm_limit": 1000}));
    let body = |prompts: usize| json!({"model": "m", "prompt": vec!["a"; prompts], "best_of": 2, "max_tokens": 50});
    let refused = caller.post("/v1/completions", &body(10));
    assert_eq!(refused.status, 429, "{}", refused.message());
    caller.post("/v1/completions", &body(9)).with_status(200);
}

#[test]
fn an_upstreams_error_keeps_its_status() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for status in [400, 404, 429, 503] {
        let reply = ask(&gateway, json!({"simulate": {"status": status}}));
        assert_eq!(reply.status, status);
        assert!(
            reply.message().starts_with("litellm."),
            "{}",
            reply.message()
        );
    }
    assert!(
        gateway
            .rows_when(4)
            .iter()
            .all(|row| &*row.call_type == "atext_completion")
    );
}

/// Where the provider has chats alone, or the model is known to chat, the prompt is what the user says.
#[test]
fn models_that_only_chat_complete_texts() {
    let simulator = Simulator::start();
    let deployment = |model: &str| Deployment::of(&simulator, model).param("model", model);
    let models = ["groq/llama", "openai/gpt-4o", "openai/nobody-knows"];
    let gateway = Gateway::of(&Config::of(models.map(deployment)).router("num_retries", 0));
    for (model, path) in [
        ("groq/llama", "/v1/chat/completions"),
        ("openai/gpt-4o", "/v1/chat/completions"),
        ("openai/nobody-knows", "/v1/completions"),
    ] {
        let body = |stream: bool| {
            json!({"model": model, "prompt": PROMPT, "max_tokens": 7, "stream": stream, "echo": null,
                "simulate": {"content": "and on."}})
        };
        let answer = gateway
            .master()
            .post("/v1/completions", &body(false))
            .with_status(200)
            .json();
        assert_eq!(answer["object"], "text_completion", "{model}");
        assert_eq!(answer["model"], model);
        assert_eq!(answer["choices"][0]["text"], "and on.", "{model}");
        assert_eq!(answer["choices"][0]["finish_reason"], "stop");
        assert_eq!(answer["choices"][0].get("message"), None);
        let reply = gateway.master().post("/v1/completions", &body(true));
        let events = reply.with_status(200).events();
        let text: String = events
            .iter()
            .filter_map(|event| event["choices"][0]["text"].as_str())
            .collect();
        assert_eq!(text, "and on.", "{model}");
        assert!(
            events
                .iter()
                .all(|event| event["object"] == "text_completion")
        );
        assert!(events.iter().all(|event| event.get("usage").is_none()));
        let sent = simulator.take();
        assert!(
            sent.iter().all(|sent| sent.path == path),
            "{model}: {sent:?}"
        );
        assert_eq!(sent[0].json()["max_tokens"], 7);
        if path == "/v1/chat/completions" {
            let messages = json!([{"role": "user", "content": PROMPT}]);
            assert_eq!(sent[0].json()["messages"], messages);
            assert_eq!(sent[0].json().get("prompt"), None);
        }
    }
    for row in gateway.rows_when(6) {
        assert_eq!(&*row.call_type, "atext_completion");
        assert!(!row.usage_estimated);
    }
}

#[test]
fn what_a_chat_cannot_do_is_refused() {
    let simulator = Simulator::start();
    let deployment = Deployment::of(&simulator, "m").param("model", "groq/llama");
    let gateway = Gateway::of(&Config::of([deployment]).router("num_retries", 0));
    for (field, value) in [
        ("prompt", json!([1, 2])),
        ("prompt", json!(["a", "b"])),
        ("suffix", json!("b")),
        ("echo", json!(true)),
        ("logprobs", json!(2)),
    ] {
        let mut body = json!({"model": "m", "prompt": "a"});
        body[field] = value;
        let reply = gateway
            .master()
            .post("/v1/completions", &body)
            .with_status(400);
        let words = format!("the model only chats, so '{field}' must be");
        assert!(reply.message().contains(&words), "{}", reply.message());
    }
    let body = json!({"model": "m", "input": "a"});
    let reply = gateway
        .master()
        .post("/v1/embeddings", &body)
        .with_status(400);
    assert!(
        reply.message().contains("no /embeddings"),
        "{}",
        reply.message()
    );
    assert_eq!(simulator.requests().len(), 0);
}
