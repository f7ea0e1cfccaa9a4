//! What is told without a call: prices of calls to come and of answers, and token counts.

use crate::harness::{Config, Deployment, Gateway, Reply, Value, json};
use crate::simulator::Simulator;

fn gateway(simulator: &Simulator) -> Gateway {
    let deployments = [
        Deployment::of(simulator, "gpt-4o")
            .group("own-price")
            .priced(0.001, 0.002),
        Deployment::of(simulator, "gpt-4o")
            .group("listed")
            .id("listed"),
        Deployment::of(simulator, "nobody-knows-it"),
        Deployment::of(simulator, "my-name")
            .group("based")
            .info("base_model", "gpt-4o"),
    ];
    let config = Config::of(deployments)
        .router("model_group_alias", json!({"nick": "own-price"}))
        .litellm("cost_margin_config", json!({"openai": 0.5}));
    Gateway::of(&config)
}

fn post(gateway: &Gateway, path: &str, body: Value) -> Reply {
    gateway.master().post(path, &body)
}

#[test]
fn prices_of_answers_and_of_messages() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let answer = |model: &str, extra: Value| {
        let mut answer = json!({"id": "x", "model": model, "usage": {"prompt_tokens": 100, "completion_tokens": 10}});
        for (name, value) in extra.as_object().unwrap() {
            answer[name] = value.clone();
        }
        json!({"completion_response": answer})
    };
    let hello = json!([{"role": "user", "content": "Hello world"}]);
    for (body, cost) in [
        (answer("own-price", json!({})), 0.18),
        (answer("nick", json!({})), 0.18),
        // 2.50 and 10 dollars a million, and half as much again.
        (answer("listed", json!({})), 0.000525),
        (answer("gpt-4o", json!({})), 0.000525),
        (answer("openai/gpt-4o-2024-08-06", json!({})), 0.000525),
        // The first deployment of that model.
        (answer("openai/gpt-4o", json!({})), 0.18),
        (
            answer("gpt-4o", json!({"service_tier": "priority"})),
            0.0008925,
        ),
        (json!({"model": "own-price", "messages": hello}), 0.0135),
        (json!({"model": "gpt-4o", "messages": hello}), 0.00003375),
    ] {
        let reply = post(&gateway, "/spend/calculate", body.clone()).with_status(200);
        assert_eq!(reply.json(), json!({"cost": cost}), "{body}");
    }
    for (body, status, told) in [
        (
            json!({}),
            400,
            "Either 'model' or 'completion_response' must be provided",
        ),
        (
            json!({"messages": hello}),
            400,
            "Either 'model' or 'completion_response'",
        ),
        (json!({"model": "gpt-4o"}), 422, "messages"),
        (
            json!({"model": "who", "messages": hello}),
            400,
            "No price is known for the model 'who'",
        ),
        (
            json!({"model": "nobody-knows-it", "messages": hello}),
            400,
            "No price is known",
        ),
        (
            json!({"completion_response": {"model": "gpt-4o"}}),
            400,
            "'usage'",
        ),
        (
            json!({"completion_response": 7}),
            422,
            "completion_response",
        ),
        (json!({"model": 7}), 422, "model"),
        (json!([]), 422, "dictionary"),
    ] {
        let reply = post(&gateway, "/spend/calculate", body.clone()).with_status(status);
        assert!(reply.text().contains(told), "{body}: {}", reply.text());
    }
    assert_eq!(simulator.requests().len(), 0, "nobody was called");
}

#[test]
fn estimates_by_size() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let body = json!({
        "model": "gpt-4o", "input_tokens": 1000, "output_tokens": 100, "cache_read_input_tokens": 400,
        "num_requests_per_day": 10,
    });
    let told = post(&gateway, "/cost/estimate", body)
        .with_status(200)
        .json();
    for (field, value) in [
        ("provider", json!("openai")),
        ("input_cost_per_request", json!(0.002)),
        ("cache_read_cost_per_request", json!(0.0005)),
        ("output_cost_per_request", json!(0.001)),
        ("margin_cost_per_request", json!(0.0015)),
        ("cost_per_request", json!(0.0045)),
        ("daily_cost", json!(0.045)),
        ("monthly_cost", json!(null)),
        ("input_cost_per_token", json!(0.0000025)),
    ] {
        assert_eq!(told[field], value, "{field} of {told}");
    }
    for (body, told) in [
        (
            json!({"model": "gpt-4o", "input_tokens": 1}),
            "output_tokens",
        ),
        (
            json!({"model": "gpt-4o", "input_tokens": -1, "output_tokens": 1}),
            "input_tokens",
        ),
    ] {
        let reply = post(&gateway, "/cost/estimate", body).with_status(422);
        assert!(reply.text().contains(told), "{}", reply.text());
    }
}

#[test]
fn token_counts() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let count = |body: &Value| post(&gateway, "/utils/token_counter", body.clone());
    let hello = json!([{"role": "user", "content": "Hello world"}]);
    for (body, tokens, used) in [
        (json!({"model": "listed", "messages": hello}), 9, "gpt-4o"),
        (
            json!({"model": "based", "prompt": "Hello world"}),
            2,
            "my-name",
        ),
        (
            json!({"model": "gpt-4o", "messages": hello, "system": "You are helpful."}),
            17,
            "gpt-4o",
        ),
        (
            json!({"model": "listed", "contents": [{"parts": [{"text": "Hello world"}]}]}),
            9,
            "gpt-4o",
        ),
    ] {
        let told = count(&body).with_status(200).json();
        assert_eq!(told["total_tokens"], tokens, "{body}");
        assert_eq!(told["model_used"], used);
        assert_eq!(told["request_model"], body["model"]);
        assert_eq!(told["tokenizer_type"], "openai_tokenizer");
        assert_eq!(told["count_source"], "local_estimate");
        assert_eq!(told["error"], false);
    }
    for (body, status, told) in [
        (
            json!({"model": "m"}),
            400,
            "prompt or messages or contents must be provided",
        ),
        (json!({"prompt": "x"}), 422, "model"),
        (
            json!({"model": "m", "prompt": "x", "messages": []}),
            400,
            "only one of",
        ),
        (json!({"model": "m", "messages": [7]}), 400, "'messages'"),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "hologram"}]}]}),
            400,
            "hologram",
        ),
    ] {
        let reply = count(&body).with_status(status);
        assert!(reply.json()["detail"].to_string().contains(told), "{body}");
    }
    gateway
        .anonymous()
        .post(
            "/utils/token_counter",
            &json!({"model": "m", "prompt": "x"}),
        )
        .with_status(401);
}

#[test]
fn parameters_that_a_model_takes() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let ask = |query: &str| {
        gateway
            .master()
            .get(&format!("/utils/supported_openai_params{query}"))
    };
    let of = |model: &str| -> Vec<String> {
        let told = ask(&format!("?model={model}")).with_status(200).json();
        serde_json::from_value(told["supported_openai_params"].clone()).unwrap()
    };
    for model in ["listed", "nick", "openai/gpt-4o-mini"] {
        let told = of(model);
        for name in ["stream", "tools", "temperature", "max_tokens"] {
            assert!(
                told.iter().any(|own| own == name),
                "{model}: {name} of {told:?}"
            );
        }
        assert!(
            !told.iter().any(|own| own == "reasoning_effort"),
            "{model} does not reason"
        );
    }
    let reasoning = of("o3-mini");
    assert!(reasoning.iter().any(|own| own == "reasoning_effort"));
    assert!(
        !reasoning.iter().any(|own| own == "logprobs"),
        "{reasoning:?}"
    );
    assert!(
        ask("?model=who-knows")
            .with_status(400)
            .text()
            .contains("who-knows")
    );
    ask("").with_status(422);
    let key = gateway.key(json!({}));
    let path = "/utils/supported_openai_params?model=listed";
    gateway.client(&key.secret).get(path).with_status(401);
}
