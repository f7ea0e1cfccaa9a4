//! Parameters that a provider does not serve: refused in words that help, or left out where that is allowed; and the
//! parameters of a deployment, which are defaults.

use crate::harness::{Config, Deployment, Gateway, Setup, Value, chat_with, json, streamed};
use crate::simulator::{Behaviour, Simulator};

/// A deployment of Mistral, which refuses `n` and calls `seed` otherwise.
fn mistral(simulator: &Simulator) -> Deployment {
    Deployment::of(simulator, "m").param("model", "mistral/m")
}

fn sent(gateway: &Gateway, simulator: &Simulator, body: &Value) -> Value {
    gateway.master().chat(body).with_status(200);
    simulator.take()[0].json()
}

#[test]
fn what_is_not_served_is_refused() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::of([mistral(&simulator)]));
    for body in [
        chat_with("m", json!({"n": 2})),
        streamed("m", json!({"n": 2})),
    ] {
        let reply = gateway.master().chat(&body).with_status(400);
        let error = reply.error();
        let message = error["message"].as_str().unwrap();
        let start = "litellm.UnsupportedParamsError: mistral does not support parameters: ['n'";
        assert!(message.starts_with(start), "{message}");
        assert!(message.contains("drop_params"), "{message}");
        assert_eq!(error["type"], "invalid_request_error");
        assert_eq!(error["param"], "n");
        assert_eq!(error["code"], "400");
    }
    assert!(simulator.requests().is_empty());
    let rows = gateway.rows_when(2);
    assert_eq!(
        rows[0].error_class.as_deref(),
        Some("UnsupportedParamsError")
    );
    assert_eq!(rows[0].spend.0, 0);
}

#[test]
fn what_is_not_served_is_left_out_where_allowed() {
    let simulator = Simulator::start();
    let refused = json!({"n": 2, "logprobs": true, "temperature": 0.5});
    let expected = |sent: &Value| {
        assert_eq!(sent.get("n"), None, "{sent}");
        assert_eq!(sent.get("logprobs"), None, "{sent}");
        assert_eq!(sent.get("drop_params"), None, "{sent}");
        assert_eq!(sent["temperature"], 0.5);
    };
    let of = |deployment: Deployment, global: bool| {
        Gateway::of(&Config::of([deployment]).litellm("drop_params", global))
    };
    expected(&sent(
        &of(mistral(&simulator), true),
        &simulator,
        &chat_with("m", refused.clone()),
    ));
    let gateway = of(mistral(&simulator).param("drop_params", true), false);
    expected(&sent(
        &gateway,
        &simulator,
        &chat_with("m", refused.clone()),
    ));
    let gateway = of(mistral(&simulator), false);
    let mut asking = refused.clone();
    asking["drop_params"] = json!(true);
    expected(&sent(&gateway, &simulator, &chat_with("m", asking)));
    // The deployment's own word beats the global one.
    let gateway = of(mistral(&simulator).param("drop_params", false), true);
    gateway
        .master()
        .chat(&chat_with("m", refused))
        .with_status(400);
}

#[test]
fn additional_and_allowed_parameters() {
    let simulator = Simulator::start();
    let deployment = mistral(&simulator)
        .param("additional_drop_params", json!(["x", "deep.b[*].c"]))
        .param("allowed_openai_params", json!(["n"]));
    let gateway = Gateway::of(&Config::of([deployment]));
    let body = chat_with(
        "m",
        json!({"n": 2, "x": 1, "y": 2, "z": 3, "deep": {"a": 1, "b": [{"c": 1, "d": 1.50}]},
            "additional_drop_params": ["y"], "allowed_openai_params": ["logprobs"], "logprobs": false}),
    );
    let sent = sent(&gateway, &simulator, &body);
    let fields: Vec<&String> = sent.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["deep", "logprobs", "messages", "model", "n", "z"]);
    assert_eq!(sent["deep"], json!({"a": 1, "b": [{"d": 1.5}]}));
    for (field, value) in [
        ("drop_params", json!("yes")),
        ("additional_drop_params", json!("n")),
        ("additional_drop_params", json!(["a[x]"])),
        ("additional_drop_params", json!(vec!["a"; 101])),
        ("allowed_openai_params", json!({})),
    ] {
        let reply = gateway
            .master()
            .chat(&chat_with("m", json!({field: value})))
            .with_status(400);
        assert_eq!(reply.error()["param"], field, "{}", reply.text());
    }
}

#[test]
fn names_values_and_messages_are_the_providers() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::of([mistral(&simulator)]));
    let body = json!({
        "model": "m", "seed": 7, "max_completion_tokens": 9, "tool_choice": "required", "user": "u", "n": 1,
        "tools": [{"type": "function", "function": {"name": "f", "strict": true, "parameters": {"strict": 1}}}],
        "messages": [
            {"role": "developer", "content": "a", "name": "n"},
            {"role": "user", "content": [{"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}}]},
        ],
    });
    let sent = sent(&gateway, &simulator, &body);
    let expected = json!({
        "model": "m", "random_seed": 7, "max_tokens": 9, "tool_choice": "any",
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"strict": 1}}}],
        "messages": [
            {"role": "system", "content": "a"},
            {"role": "user", "content": [{"type": "text", "text": "b"}]},
        ],
    });
    assert_eq!(sent, expected);
}

#[test]
fn another_provider_of_the_group_may_serve_it() {
    let simulator = Simulator::start();
    let other = Deployment::of(&simulator, "o")
        .group("m")
        .param("model", "hosted_vllm/o");
    let gateway = Gateway::of(&Config::of([mistral(&simulator), other]));
    for _ in 0..8 {
        gateway
            .master()
            .chat(&chat_with("m", json!({"n": 2})))
            .with_status(200);
    }
    assert_eq!(simulator.received("o"), 8);
}

#[test]
fn extra_body_and_parameters_are_defaults() {
    let simulator = Simulator::start();
    let deployment = Deployment::of(&simulator, "m")
        .param("seed", 5)
        .param("max_tokens", 50)
        .param("top_k", 40)
        .param(
            "extra_body",
            json!({"guided": {"a": [1.5]}, "temperature": 0.1}),
        );
    let gateway = Gateway::of(&Config::of([deployment]));
    let answer = sent(&gateway, &simulator, &chat_with("m", json!({})));
    assert_eq!(
        (
            &answer["seed"],
            &answer["max_tokens"],
            &answer["top_k"],
            &answer["temperature"]
        ),
        (&json!(5), &json!(50), &json!(40), &json!(0.1))
    );
    assert_eq!(answer["guided"], json!({"a": [1.5]}));
    let own = json!({"seed": 6, "max_completion_tokens": 7, "guided": null, "temperature": 1});
    let answer = sent(&gateway, &simulator, &chat_with("m", own));
    assert_eq!(
        (&answer["seed"], &answer["top_k"], &answer["temperature"]),
        (&json!(6), &json!(40), &json!(1))
    );
    assert_eq!(
        (answer.get("max_tokens"), &answer["max_completion_tokens"]),
        (None, &json!(7))
    );
    assert_eq!(answer["guided"], Value::Null);
}

#[test]
fn defaults_under_those_of_every_deployment() {
    let simulator = Simulator::start();
    simulator.behave("slow", Behaviour::of(json!({"hang": "before_head"})));
    let config = Config::of([
        Deployment::of(&simulator, "m").param("seed", 5),
        Deployment::of(&simulator, "slow"),
    ])
    .router("num_retries", 0)
    .router(
        "default_litellm_params",
        json!({"seed": 1, "top_k": 40, "temperature": 0.5, "timeout": 0.3}),
    );
    let gateway = Gateway::of(&config);
    let own = chat_with("m", json!({"temperature": 1}));
    let answer = sent(&gateway, &simulator, &own);
    assert_eq!(
        (&answer["seed"], &answer["top_k"], &answer["temperature"]),
        (&json!(5), &json!(40), &json!(1))
    );
    // A limit of the gateway's own is one too, and is not sent.
    gateway
        .master()
        .chat(&chat_with("slow", json!({})))
        .with_status(408);
    assert_eq!(answer.get("timeout"), None);
    // Ids are those of what is written at the deployment.
    let (_, told) =
        Setup::new(&config.router("default_litellm_params", json!({"api_key": "sk-x"}))).refuse();
    assert!(
        told.contains("default_litellm_params.api_key: is no default"),
        "{told}"
    );
}

#[test]
fn reasoning_has_the_name_that_clients_know() {
    let simulator = Simulator::start();
    let deployment = Deployment::of(&simulator, "m").param("model", "groq/m");
    let gateway = Gateway::of(&Config::of([deployment]));
    let message = json!({"role": "assistant", "content": "4", "reasoning": "2+2"});
    let body = json!({"id": "c", "object": "chat.completion", "model": "m", "choices": [
        {"index": 0, "message": message, "finish_reason": "stop"}]});
    let reply = gateway
        .master()
        .chat(&chat_with("m", json!({"simulate": {"body": body}})))
        .with_status(200);
    let message = &reply.json()["choices"][0]["message"];
    assert_eq!(message["reasoning_content"], "2+2");
    assert_eq!(message.get("reasoning"), None);
    let chunk = |delta: Value| {
        json!({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [{"index": 0, "delta": delta}]}).to_string()
    };
    let frames = [
        chunk(json!({"role": "assistant", "reasoning": "2"})),
        chunk(json!({"reasoning": "+2"})),
        json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "4"}, "finish_reason": "stop"}]}).to_string(),
    ];
    let reply = gateway
        .master()
        .chat(&streamed("m", json!({"simulate": {"frames": frames}})))
        .with_status(200);
    let told: Vec<Value> = reply
        .frames()
        .iter()
        .filter_map(|frame| serde_json::from_str::<Value>(frame).ok())
        .map(|frame| frame["choices"][0]["delta"]["reasoning_content"].clone())
        .collect();
    assert_eq!(told[..2], [json!("2"), json!("+2")]);
    assert!(told[2..].iter().all(Value::is_null), "{told:?}");
}
