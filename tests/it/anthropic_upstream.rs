//! Chats with Anthropic's models: how they are called, what of OpenAI's parameters reaches them, and what their errors become.

use crate::harness::{
    Config, Deployment, Gateway, Request, Value, chat, chat_with, json, streamed,
};
use crate::simulator::{Behaviour, Recorded, Simulator};

fn claude(simulator: &Simulator, model: &str) -> Deployment {
    Deployment::of(simulator, "m").param("model", format!("anthropic/{model}"))
}

fn gateway(deployment: Deployment) -> Gateway {
    Gateway::of(
        &Config::of([deployment])
            .router("num_retries", 0)
            .never_cooling(),
    )
}

fn sent(gateway: &Gateway, simulator: &Simulator, body: &Value) -> Recorded {
    gateway.master().chat(body).with_status(200);
    simulator.take().remove(0)
}

#[test]
fn the_call_is_as_anthropic_wants_it() {
    let simulator = Simulator::start();
    let gateway = gateway(claude(&simulator, "claude-sonnet-4-5"));
    let call = sent(&gateway, &simulator, &chat("m"));
    assert_eq!(call.path, "/v1/messages");
    assert!(call.header("x-api-key").is_some());
    assert_eq!(call.header("authorization"), None);
    assert_eq!(call.header("anthropic-version"), Some("2023-06-01"));
    assert_eq!(call.header("anthropic-beta"), None);
    let body = call.json();
    assert_eq!(body["model"], "claude-sonnet-4-5");
    // The catalogue's most.
    assert_eq!(body["max_tokens"], 64_000);
    gateway
        .master()
        .chat(&streamed("m", json!({"max_tokens": 5})))
        .with_status(200);
    assert_eq!(simulator.take()[0].json()["max_tokens"], 5);
}

#[test]
fn tokens_of_subscriptions_are_no_keys() {
    let simulator = Simulator::start();
    let token = "sk-ant-oat01-planted-token";
    let gateway = gateway(
        claude(&simulator, "claude-x")
            .param("api_key", token)
            .param(
                "extra_headers",
                json!({"anthropic-beta": "skills-2025-10-02"}),
            ),
    );
    gateway.plant(token);
    gateway.master().chat(&chat("m"));
    let call = simulator.take().remove(0);
    assert_eq!(
        call.header("authorization"),
        Some(&*format!("Bearer {token}"))
    );
    assert_eq!(call.header("x-api-key"), None);
    assert_eq!(
        call.header("anthropic-beta"),
        Some("skills-2025-10-02,oauth-2025-04-20")
    );
}

#[test]
fn betas_go_where_they_are_known() {
    let simulator = Simulator::start();
    let known = "interleaved-thinking-2025-05-14";
    for (model, beta, sent, dropped) in [
        ("anthropic/claude-x", known, Some(known), None),
        ("deepseek/x", known, None, Some(known)),
        (
            "azure_ai/claude-x",
            "interleaved-thinking-2025-05-14,output-128k-2025-02-19",
            Some(known),
            Some("output-128k-2025-02-19"),
        ),
    ] {
        let gateway = gateway(Deployment::of(&simulator, "m").param("model", model));
        let body = json!({
            "model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "a"}],
        });
        let request = Request::post("/v1/messages", body.to_string());
        let request = request
            .header("content-type", "application/json")
            .header("anthropic-version", "2023-01-01")
            .header("anthropic-beta", beta);
        let reply = gateway.master().ask(request);
        let call = simulator.take().remove(0);
        assert_eq!(call.header("anthropic-beta"), sent, "{model}");
        assert_eq!(call.header("anthropic-version"), Some("2023-01-01"));
        assert_eq!(
            reply.header("x-litellm-dropped-anthropic-betas"),
            dropped,
            "{model}"
        );
    }
}

#[test]
fn what_is_not_served_is_refused_or_left_out() {
    let simulator = Simulator::start();
    let gateway = gateway(claude(&simulator, "claude-opus-4-8"));
    for (field, value) in [
        ("n", json!(2)),
        ("seed", json!(1)),
        ("logprobs", json!(true)),
        ("frequency_penalty", json!(0.5)),
        // Newer models sample as they see fit.
        ("temperature", json!(0.5)),
        ("top_p", json!(0.5)),
    ] {
        let body = chat_with("m", json!({field: value}));
        let reply = gateway.master().chat(&body).with_status(400);
        assert_eq!(reply.error()["param"], field);
        let body = chat_with("m", json!({field: value, "drop_params": true}));
        let call = sent(&gateway, &simulator, &body);
        assert_eq!(call.json().get(field), None);
    }
    let body = chat_with(
        "m",
        json!({"temperature": 1, "stop": "E", "user": "u-1", "reasoning_effort": "high"}),
    );
    let body = sent(&gateway, &simulator, &body).json();
    assert_eq!(body["stop_sequences"], json!(["E"]));
    assert_eq!(body["metadata"], json!({"user_id": "u-1"}));
    assert_eq!(body["thinking"]["type"], "adaptive");
    assert_eq!(body["output_config"], json!({"effort": "high"}));
}

#[test]
fn errors_keep_their_kinds() {
    let simulator = Simulator::start();
    let gateway = gateway(claude(&simulator, "claude-x"));
    for (status, class, answered) in [
        (400, "BadRequestError", 400),
        (401, "AuthenticationError", 401),
        (403, "PermissionDeniedError", 403),
        (404, "NotFoundError", 404),
        (413, "BadRequestError", 413),
        (429, "RateLimitError", 429),
        (500, "InternalServerError", 500),
        (529, "InternalServerError", 503),
    ] {
        simulator.behave("claude-x", Behaviour::of(json!({"status": status})));
        for body in [chat("m"), streamed("m", json!({}))] {
            let reply = gateway.master().chat(&body).with_status(answered);
            let error = reply.error();
            let message = error["message"].as_str().unwrap_or_default();
            let start = format!("litellm.{class}: AnthropicException - ");
            assert!(message.starts_with(&start), "{message}");
        }
    }
}

#[test]
fn conversations_are_mended_where_that_is_asked_for() {
    let simulator = Simulator::start();
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "tool_calls": [
            {"id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        ]},
        {"role": "user", "content": "b"},
    ]});
    for (mends, status) in [(false, 400), (true, 200)] {
        let config = Config::of([claude(&simulator, "claude-x")])
            .litellm("modify_params", mends)
            .never_cooling();
        let gateway = Gateway::of(&config);
        gateway.master().chat(&body).with_status(status);
        let sent = simulator.take().remove(0).json();
        let results = sent["messages"].to_string().contains("tool_result");
        assert_eq!(results, mends);
    }
}
