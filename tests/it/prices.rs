//! Where a price comes from: the deployment in all its forms, a file of one's own, the catalogue.

use crate::harness::{Config, Deployment, Gateway, Setup, Value, chat_with, json, streamed};
use crate::simulator::Simulator;

fn usage(prompt: u64, completion: u64) -> Value {
    json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion})
}

/// What the header says that a call with this usage costs.
fn cost(gateway: &Gateway, model: &str, usage: Value) -> Option<String> {
    let body = chat_with(model, json!({"simulate": {"usage": usage}}));
    let reply = gateway.master().chat(&body).with_status(200);
    reply.header("x-litellm-response-cost").map(str::to_owned)
}

#[test]
fn every_form_of_a_deployments_price() {
    let simulator = Simulator::start();
    let priced = |name: &str, field: &str, prices: Value| {
        let deployment = Deployment::of(&simulator, name).priced(0.000_001, 0.000_002);
        deployment.param(field, prices)
    };
    let always = json!([{"hours_utc": "00:00-00:00"}]);
    let tiers = json!([
        {"range": [0, 1000], "input_cost_per_token": 0.000001},
        {"range": [1000, 2000], "input_cost_per_token": 0.000003},
    ]);
    let searches = json!({"search_context_size_medium": 0.01});
    let gateway = Gateway::of(&Config::of([
        priced("tiered", "tiered_pricing", tiers.clone()),
        Deployment::of(&simulator, "tiered-info")
            .priced(0.000_001, 0.000_002)
            .info("tiered_pricing", tiers),
        priced(
            "night",
            "off_peak_pricing",
            json!({"windows": always, "input_cost_per_token": 0.0000005}),
        ),
        priced("searching", "search_context_cost_per_query", searches),
        priced("by-request", "input_cost_per_request", json!(0.5)),
        Deployment::of(&simulator, "by-second").param("input_cost_per_second", 1),
        Deployment::of(&simulator, "in-words").param("input_cost_per_token", "1e-06"),
    ]));
    let mut searched = usage(1000, 100);
    searched["server_tool_use"] = json!({"web_search_requests": 2});
    for (model, usage, told) in [
        ("tiered", usage(1000, 100), "0.0012"),
        ("tiered", usage(1001, 100), "0.003203"),
        ("tiered-info", usage(1001, 100), "0.003203"),
        ("night", usage(1000, 100), "0.0007"),
        ("searching", searched, "0.0212"),
        ("by-request", usage(1000, 100), "0.5012"),
        ("in-words", usage(1000, 100), "0.001"),
    ] {
        assert_eq!(
            cost(&gateway, model, usage).as_deref(),
            Some(told),
            "{model}"
        );
    }
    let body = chat_with("by-second", json!({"simulate": {"delay_ms": 200}}));
    let reply = gateway.master().chat(&body).with_status(200);
    let seconds: f64 = reply.must("x-litellm-response-cost").parse().unwrap();
    assert!(
        (0.2..5.0).contains(&seconds),
        "{seconds} dollars for as many seconds"
    );
    // None of it goes to the provider.
    for request in simulator.requests() {
        let body = request.json().to_string();
        for field in ["pricing", "_cost_per_"] {
            assert!(!body.contains(field), "{body}");
        }
    }
}

#[test]
fn a_file_of_ones_own_is_laid_over_the_catalogue() {
    let simulator = Simulator::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prices.json");
    let prices = json!({
        "sample_spec": {"max_tokens": "a text for people"},
        "gpt-4o": {"input_cost_per_token": 0.001},
        "openai/my-model": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6},
    });
    std::fs::write(&file, prices.to_string()).unwrap();
    let config = Config::of([
        Deployment::of(&simulator, "gpt-4o"),
        Deployment::of(&simulator, "my-model"),
        Deployment::of(&simulator, "gpt-4o")
            .group("own")
            .id("own")
            .param("input_cost_per_token", 0.002),
    ]);
    let by_setting = config
        .clone()
        .litellm("model_cost_map_url", file.to_str().unwrap());
    for setup in [
        Setup::new(&by_setting),
        Setup::new(&config).env(
            "LITELLM_MODEL_COST_MAP_URL",
            &format!("file://{}", file.display()),
        ),
    ] {
        let gateway = setup.start();
        // The file's input price beside the catalogue's output price.
        assert_eq!(
            cost(&gateway, "gpt-4o", usage(100, 10)).as_deref(),
            Some("0.1001")
        );
        assert_eq!(
            cost(&gateway, "my-model", usage(100, 10)).as_deref(),
            Some("0.00012")
        );
        assert_eq!(
            cost(&gateway, "own", usage(100, 10)).as_deref(),
            Some("0.2001")
        );
    }
}

#[test]
fn a_wrong_price_file_is_told_with_its_place() {
    let simulator = Simulator::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prices.json");
    std::fs::write(
        &file,
        "{\n  \"my-model\": {\"input_cost_per_token\": \"cheap\"}\n}\n",
    )
    .unwrap();
    let config = Config::single(&simulator, "m");
    let path = file.to_str().unwrap();
    let (status, said) = Setup::new(&config.clone().litellm("model_cost_map_url", path)).refuse();
    assert!(!status.success());
    let told =
        format!("{path}:2:40: error: my-model.input_cost_per_token: expected dollars a unit");
    assert!(said.contains(&told), "{said}");
    let missing = config
        .clone()
        .litellm("model_cost_map_url", "no-such-file.json");
    let (status, said) = Setup::new(&missing).refuse();
    assert!(!status.success());
    assert!(
        said.contains("no-such-file.json:1:1: error: the price file: "),
        "{said}"
    );
    let remote = config.litellm("model_cost_map_url", "https://prices.test/map.json");
    let gateway = Gateway::of(&remote);
    assert!(
        gateway.log().contains("prices are not downloaded"),
        "{}",
        gateway.log()
    );
}

/// Completions and embeddings have their prices in the catalogue, too: 1.50 and 2 dollars, 2 cents a million.
#[test]
fn operations_other_than_chat() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::of([
        Deployment::of(&simulator, "gpt-3.5-turbo-instruct"),
        Deployment::of(&simulator, "text-embedding-3-small"),
    ]));
    let ask = |path: &str, body: Value| {
        let reply = gateway.master().post(path, &body).with_status(200);
        reply.must("x-litellm-response-cost").to_owned()
    };
    let completion = json!({"model": "gpt-3.5-turbo-instruct", "prompt": "a", "simulate": {"usage": usage(1000, 100)}});
    assert_eq!(ask("/v1/completions", completion), "0.0017");
    for input in [json!("a"), json!([1, 2, 3])] {
        let usage = json!({"prompt_tokens": 1000, "total_tokens": 1000});
        let body = json!({"model": "text-embedding-3-small", "input": input, "simulate": {"usage": usage}});
        assert_eq!(ask("/v1/embeddings", body), "0.00002");
    }
    // What nobody told is counted from the tokens that were sent.
    let body = json!({"model": "text-embedding-3-small", "input": [1, 2, 3], "simulate": {"no_usage": true}});
    assert_eq!(ask("/v1/embeddings", body), "0.00000006");
}

/// A provider may serve another model than it was asked for, and say so: that one is billed.
#[test]
fn the_model_that_an_answer_names_is_billed() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::of([
        Deployment::of(&simulator, "gpt-4o-mini"),
        Deployment::of(&simulator, "my-router"),
        Deployment::of(&simulator, "own").priced(0.001, 0.001),
        Deployment::of(&simulator, "based").info("base_model", "gpt-4o-mini"),
    ]));
    let answer = |named: &str| {
        json!({
            "id": "chatcmpl-1", "object": "chat.completion", "model": named,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}],
            "usage": usage(1000, 100),
        })
    };
    for (asked, named, told) in [
        ("gpt-4o-mini", "gpt-4o-mini-2024-07-18", Some("0.00021")),
        ("gpt-4o-mini", "gpt-4o-2024-11-20", Some("0.0035")),
        // What the catalogue does not know does not take the deployment's price away.
        ("gpt-4o-mini", "gpt-of-tomorrow", Some("0.00021")),
        ("my-router", "gpt-4o", Some("0.0035")),
        ("my-router", "claude-opus-4-6", None),
        ("own", "gpt-4o", Some("1.1")),
        ("based", "gpt-4o", Some("0.00021")),
    ] {
        let body = chat_with(asked, json!({"simulate": {"body": answer(named)}}));
        let reply = gateway.master().chat(&body).with_status(200);
        assert_eq!(
            reply.header("x-litellm-response-cost"),
            told,
            "{asked} {named}"
        );
        assert_eq!(reply.header("x-pointsman-price").is_some(), told.is_none());
        assert_eq!(reply.json()["model"], asked);
    }
    let frames = json!([
        json!({"id": "c", "object": "chat.completion.chunk", "model": "gpt-4o", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "a"}}]}).to_string(),
        json!({"id": "c", "object": "chat.completion.chunk", "model": "gpt-4o", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).to_string(),
        json!({"id": "c", "object": "chat.completion.chunk", "model": "gpt-4o", "choices": [], "usage": usage(1000, 100)}).to_string(),
    ]);
    let body = streamed("my-router", json!({"simulate": {"frames": frames}}));
    let reply = gateway.master().chat(&body).with_status(200);
    assert_eq!(
        reply.header("x-pointsman-price"),
        Some("unknown"),
        "not known when it began"
    );
    let rows = gateway.rows_when(8);
    let row = rows.iter().max_by_key(|row| row.started_at).expect("rows");
    assert_eq!(row.spend.to_string(), "0.0035");
}

#[test]
fn models_without_a_price_can_be_refused() {
    let simulator = Simulator::start();
    let config = Config::of([
        Deployment::of(&simulator, "nobody-knows-it"),
        Deployment::of(&simulator, "free").priced(0.0, 0.0),
    ])
    .litellm("block_requests_for_models_without_pricing", true);
    let gateway = Gateway::of(&config);
    let ask = |model: &str| gateway.master().chat(&chat_with(model, json!({})));
    let refused = ask("nobody-knows-it").with_status(403);
    assert_eq!(refused.error()["type"], "model_cost_map_missing");
    assert_eq!(refused.error()["param"], "model");
    ask("free").with_status(200);
    assert_eq!(simulator.requests().len(), 1);
}

/// A key pays what the headers say, whatever the price is made of, and the books agree to the nano-dollar.
#[test]
fn keys_pay_what_is_told() {
    let simulator = Simulator::start();
    let deployment = Deployment::of(&simulator, "m")
        .priced(0.000_000_333, 0.000_000_777)
        .param("input_cost_per_token_priority", 0.000_000_999)
        .param("output_cost_per_token_flex", 0.000_000_111);
    let config = Config::of([deployment])
        .litellm("cost_discount_config", json!({"openai": 0.03}))
        .litellm("cost_margin_config", json!({"global": 0.07}));
    let gateway = Gateway::of(&config);
    let key = gateway.key(json!({"max_budget": 1}));
    let mut told = pointsman::types::NanoUsd::ZERO;
    for (tier, tokens) in [
        ("default", 7),
        ("priority", 13),
        ("flex", 1001),
        ("auto", 3),
    ] {
        let body = chat_with(
            "m",
            json!({"service_tier": tier, "simulate": {"usage": usage(tokens, tokens * 3)}}),
        );
        let reply = gateway.client(&key.secret).chat(&body).with_status(200);
        let cost = reply.must("x-litellm-response-cost").parse().unwrap();
        told = told.saturating_add(cost);
    }
    let body = streamed("m", json!({"simulate": {"usage": usage(5, 5)}}));
    let reply = gateway.client(&key.secret).chat(&body).with_status(200);
    assert_eq!(
        reply.header("x-litellm-response-cost"),
        None,
        "not known when a stream begins"
    );
    let rows = gateway.rows_when(5);
    let streamed = rows
        .iter()
        .find(|row| row.usage.input == 5)
        .expect("its row");
    assert!(streamed.spend.0 > 0);
    let whole: pointsman::types::NanoUsd = rows.iter().map(|row| row.spend).sum();
    assert_eq!(whole, told.saturating_add(streamed.spend));
    assert_eq!(gateway.books_agree().logged, whole);
}
