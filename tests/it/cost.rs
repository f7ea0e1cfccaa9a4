//! What a call costs, to the last digit: worked examples, whole and streamed.

use crate::harness::{Config, Deployment, Gateway, Value, chat_with, json, streamed};
use crate::simulator::Simulator;
use pointsman::types::NanoUsd;

struct Example {
    name: &'static str,
    prices: Value,
    usage: Value,
    /// Dollars, as the header and the row show them.
    cost: &'static str,
}

fn usage(prompt: u64, completion: u64) -> Value {
    json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion})
}

fn with(mut usage: Value, details: &str, value: Value) -> Value {
    usage[details] = value;
    usage
}

fn examples() -> Vec<Example> {
    let cached = with(
        usage(1000, 200),
        "prompt_tokens_details",
        json!({"cached_tokens": 400}),
    );
    let plain = json!({"input_cost_per_token": 0.000002, "cache_read_input_token_cost": 0.0000005, "output_cost_per_token": 0.000008});
    vec![
        Example {
            name: "cached",
            prices: plain.clone(),
            usage: cached.clone(),
            cost: "0.003",
        },
        Example {
            name: "cached-at-no-price-of-its-own",
            prices: json!({"input_cost_per_token": 0.000002, "output_cost_per_token": 0.000008}),
            usage: cached.clone(),
            cost: "0.0036",
        },
        Example {
            name: "cached-for-nothing",
            prices: json!({"input_cost_per_token": 0.000002, "cache_read_input_token_cost": 0, "output_cost_per_token": 0.000008}),
            usage: cached,
            cost: "0.0028",
        },
        Example {
            name: "long-prompt",
            prices: json!({
                "input_cost_per_token": 0.000003, "input_cost_per_token_above_200k_tokens": 0.000006,
                "output_cost_per_token": 0.000015, "output_cost_per_token_above_200k_tokens": 0.0000225,
            }),
            usage: usage(250_000, 1000),
            cost: "1.5225",
        },
        Example {
            name: "at-the-threshold",
            prices: json!({
                "input_cost_per_token": 0.000003, "input_cost_per_token_above_200k_tokens": 0.000006,
                "output_cost_per_token": 0.000015, "output_cost_per_token_above_200k_tokens": 0.0000225,
            }),
            usage: usage(200_000, 1000),
            cost: "0.615",
        },
        Example {
            name: "cache-writes",
            prices: json!({
                "input_cost_per_token": 0.000003, "output_cost_per_token": 0.000015,
                "cache_creation_input_token_cost": 0.00000375, "cache_creation_input_token_cost_above_1hr": 0.000006,
            }),
            usage: with(
                usage(500, 0),
                "prompt_tokens_details",
                json!({
                    "cache_creation_tokens": 500,
                    "cache_creation_token_details": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 200},
                }),
            ),
            cost: "0.002325",
        },
        Example {
            name: "reasoning",
            prices: json!({
                "input_cost_per_token": 0.000001, "output_cost_per_token": 0.000008, "output_cost_per_reasoning_token": 0.00001,
            }),
            usage: with(
                usage(100, 200),
                "completion_tokens_details",
                json!({"reasoning_tokens": 150}),
            ),
            cost: "0.002",
        },
        Example {
            name: "audio",
            prices: json!({
                "input_cost_per_token": 0.000001, "output_cost_per_token": 0.000002,
                "input_cost_per_audio_token": 0.0001, "output_cost_per_audio_token": 0.0002,
            }),
            usage: with(
                with(
                    usage(100, 50),
                    "prompt_tokens_details",
                    json!({"audio_tokens": 40}),
                ),
                "completion_tokens_details",
                json!({"audio_tokens": 20}),
            ),
            cost: "0.00812",
        },
        Example {
            name: "a-float-cannot-say-it",
            prices: json!({"input_cost_per_token": 0.0000001, "output_cost_per_token": 0.0000003}),
            usage: usage(3, 1),
            cost: "0.0000006",
        },
        Example {
            name: "rounded-once",
            // 3 × 0.4 nano-dollars are 1.2, not 3 × 0.
            prices: json!({"input_cost_per_token": 0.0000000004, "output_cost_per_token": 0}),
            usage: usage(3, 9),
            cost: "0.000000001",
        },
        Example {
            name: "free",
            prices: json!({"input_cost_per_token": 0, "output_cost_per_token": 0}),
            usage: usage(1000, 1000),
            cost: "0",
        },
    ]
}

#[test]
fn worked_examples() {
    let simulator = Simulator::start();
    let deployments = examples().into_iter().map(|example| {
        let prices = example.prices.as_object().unwrap().clone();
        let bare = Deployment::of(&simulator, example.name);
        prices.into_iter().fold(bare, |deployment, (name, price)| {
            deployment.param(&name, price)
        })
    });
    let gateway = Gateway::of(&Config::of(deployments).router("num_retries", 0));
    let mut expected = NanoUsd(0);
    for example in examples() {
        let simulate = json!({"simulate": {"usage": example.usage}});
        let whole = gateway
            .master()
            .chat(&chat_with(example.name, simulate.clone()))
            .with_status(200);
        assert_eq!(
            whole.must("x-litellm-response-cost"),
            example.cost,
            "{}",
            example.name
        );
        gateway
            .master()
            .chat(&streamed(example.name, simulate))
            .with_status(200);
        expected.0 += NanoUsd::parse(example.cost).unwrap().0 * 2;
    }
    let rows = gateway.rows_when(examples().len() * 2);
    for example in examples() {
        let of_example: Vec<_> = rows
            .iter()
            .filter(|row| &*row.model_group == example.name)
            .collect();
        assert_eq!(of_example.len(), 2);
        for row in of_example {
            assert_eq!(row.spend.to_string(), example.cost, "{row:#?}");
            assert_eq!(
                row.usage.prompt_tokens(),
                example.usage["prompt_tokens"].as_u64().unwrap()
            );
            assert_eq!(
                row.usage.completion_tokens(),
                example.usage["completion_tokens"].as_u64().unwrap()
            );
        }
    }
    assert_eq!(gateway.books_agree().logged, expected);
}

/// The tier that served a call has its price, whatever was asked for.
#[test]
fn the_served_tier_counts() {
    let simulator = Simulator::start();
    let deployment = Deployment::of(&simulator, "m")
        .priced(0.000_002, 0.000_008)
        .param("cache_read_input_token_cost", 0.000_000_5)
        .param("input_cost_per_token_priority", 0.000_004);
    let gateway = Gateway::of(&Config::of([deployment]));
    let answer = |tier: &Value| {
        json!({
            "id": "chatcmpl-1", "object": "chat.completion", "model": "m", "service_tier": tier,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200, "prompt_tokens_details": {"cached_tokens": 400}},
        })
    };
    for (asked, served, cost) in [
        ("auto", json!("priority"), "0.0042"),
        ("priority", json!("default"), "0.003"),
        // An answer that does not say how it was served was served as asked.
        ("priority", json!(null), "0.0042"),
        ("auto", json!(null), "0.003"),
    ] {
        let body = chat_with(
            "m",
            json!({"service_tier": asked, "simulate": {"body": answer(&served)}}),
        );
        let reply = gateway.master().chat(&body).with_status(200);
        assert_eq!(
            reply.must("x-litellm-response-cost"),
            cost,
            "asked {asked}, served {served}"
        );
    }
}

/// Without prices of its own a deployment has those of the catalogue: 2.50 and 10 dollars a million, half for cached input.
#[test]
fn prices_of_the_catalogue() {
    let simulator = Simulator::start();
    let priced = Deployment::of(&simulator, "gpt-4o");
    let partly = Deployment::of(&simulator, "gpt-4o")
        .group("partly")
        .id("partly")
        .param("output_cost_per_token", 0.000_1);
    let based = Deployment::of(&simulator, "my-own").info("base_model", "gpt-4o");
    let unknown = Deployment::of(&simulator, "nobody-knows-it");
    let gateway = Gateway::of(&Config::of([priced, partly, based, unknown]));
    let usage = with(
        usage(1000, 100),
        "prompt_tokens_details",
        json!({"cached_tokens": 200}),
    );
    let cost = |model: &str| {
        let reply = gateway
            .master()
            .chat(&chat_with(model, json!({"simulate": {"usage": usage}})))
            .with_status(200);
        reply.header("x-litellm-response-cost").map(str::to_owned)
    };
    assert_eq!(cost("gpt-4o").as_deref(), Some("0.00325"));
    assert_eq!(cost("my-own").as_deref(), Some("0.00325"));
    assert_eq!(cost("partly").as_deref(), Some("0.01225"));
    assert_eq!(
        cost("nobody-knows-it"),
        None,
        "a cost that nobody knows is not told as 0"
    );
    let rows = gateway.rows_when(4);
    assert_eq!(
        rows.iter()
            .find(|row| &*row.model_group == "nobody-knows-it")
            .unwrap()
            .spend,
        NanoUsd(0)
    );
}

/// A provider that tells no usage is charged for what it delivered, and the row says that it is a guess.
#[test]
fn usage_that_nobody_told_is_estimated() {
    let simulator = Simulator::start();
    let at_anthropic = Deployment::of(&simulator, "claude").param("model", "anthropic/claude");
    let gateway = Gateway::of(&Config::of([
        Deployment::of(&simulator, "m").priced(0.001, 0.001),
        at_anthropic.priced(0.001, 0.001),
    ]));
    let master = gateway.master();
    let mut asked = 0;
    for usage in [
        json!({"no_usage": true}),
        json!({"usage": {"service_tier": "standard"}}),
        json!({"usage": {"input_tokens": null, "completion_tokens": "many"}}),
    ] {
        let how = with(usage, "content_bytes", json!(400));
        for model in ["m", "claude"] {
            simulator.behave(model, serde_json::from_value(how.clone()).unwrap());
            for more in [json!({}), json!({"stream": true})] {
                let body = chat_with(model, more);
                master.chat(&body).with_status(200);
                let body = with(body, "max_tokens", json!(500));
                master.post("/v1/messages", &body).with_status(200);
                asked += 2;
            }
        }
    }
    for row in gateway.rows_when(asked) {
        assert!(row.usage_estimated, "{row:#?}");
        let output = row.usage.completion_tokens();
        assert!(
            (50..=300).contains(&output),
            "{output} tokens for 400 bytes of text: {row:#?}"
        );
        assert!(row.usage.prompt_tokens() > 0 && row.spend.0 > 0, "{row:#?}");
    }
}

/// What is taken off and put on: the provider's discount, then its margin, told in the headers and booked.
#[test]
fn discounts_and_margins() {
    let simulator = Simulator::start();
    let deployment = Deployment::of(&simulator, "m")
        .priced(0.000_002, 0.000_008)
        .param("cache_read_input_token_cost", 0.000_000_5);
    let config = Config::of([deployment])
        .litellm("cost_discount_config", json!({"openai": 0.05}))
        .litellm(
            "cost_margin_config",
            json!({"global": 0.5, "openai": {"percentage": 0.1, "fixed_amount": 0.0001}}),
        );
    let gateway = Gateway::of(&config);
    let usage = with(
        usage(1000, 200),
        "prompt_tokens_details",
        json!({"cached_tokens": 400}),
    );
    let reply = gateway
        .master()
        .chat(&chat_with("m", json!({"simulate": {"usage": usage}})))
        .with_status(200);
    for (name, told) in [
        ("", "0.003235"),
        ("-original", "0.003"),
        ("-discount-amount", "0.00015"),
        ("-margin-amount", "0.000385"),
        ("-margin-percent", "0.1"),
        ("-input", "0.0014"),
        ("-cache-read", "0.0002"),
        ("-output", "0.0016"),
        ("-tool-usage", "0.0"),
    ] {
        let name = format!("x-litellm-response-cost{name}");
        assert_eq!(reply.must(&name), told, "{name}");
    }
    for part in ["-cache-creation", "-reasoning"] {
        let name = format!("x-litellm-response-cost{part}");
        assert_eq!(reply.header(&name), None, "no such tokens were billed");
    }
    assert_eq!(gateway.rows_when(1)[0].spend.to_string(), "0.003235");
    let rows = gateway.master().get("/spend/logs").with_status(200).json();
    let breakdown = &rows[0]["metadata"]["cost_breakdown"];
    for (part, dollars) in [
        ("input_cost", 0.0014),
        ("cache_read_cost", 0.0002),
        ("output_cost", 0.0016),
        ("original_cost", 0.003),
        ("discount_amount", 0.00015),
        ("margin_total_amount", 0.000385),
        ("total_cost", 0.003235),
    ] {
        assert_eq!(breakdown[part], dollars, "{part} of {breakdown}");
    }
}

/// What nobody has a price for is said wherever a cost would stand: never a silent zero.
#[test]
fn unpriced_is_told() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::of([
        Deployment::of(&simulator, "nobody-knows-it"),
        Deployment::of(&simulator, "free").priced(0.0, 0.0),
    ]));
    let asked = [
        chat_with("nobody-knows-it", json!({})),
        streamed("nobody-knows-it", json!({})),
        chat_with("free", json!({})),
    ];
    let told: Vec<_> = asked
        .iter()
        .map(|body| {
            let reply = gateway.master().chat(body).with_status(200);
            let header = |name| reply.header(name).map(str::to_owned);
            (
                header("x-pointsman-price"),
                header("x-litellm-response-cost"),
            )
        })
        .collect();
    let unknown = Some("unknown".to_owned());
    assert_eq!(
        told,
        [
            (unknown.clone(), None),
            (unknown, None),
            (None, Some("0".to_owned()))
        ]
    );
    gateway.rows_when(3);
    let rows = gateway.master().get("/spend/logs").with_status(200).json();
    for row in rows.as_array().unwrap() {
        let unpriced = row["model_group"] == "nobody-knows-it";
        assert_eq!(row["metadata"]["unpriced"], unpriced, "{row}");
        assert_eq!(row["metadata"]["cost_breakdown"].is_null(), unpriced);
    }
    let metrics = gateway.master().get("/metrics").with_status(200);
    let counted = metrics
        .text()
        .lines()
        .find(|line| line.starts_with("pointsman_unpriced_requests_total{"))
        .expect("counted");
    assert!(
        counted.contains("nobody-knows-it") && counted.ends_with(" 2"),
        "{counted}"
    );
    let said = gateway
        .log()
        .matches("no price is known for openai/nobody-knows-it")
        .count();
    assert_eq!(said, 1, "once at the start");
}

/// A deployment may send its calls at a tier of its own; an answer that does not tell its tier is billed at that one.
#[test]
fn the_tier_of_a_deployment_counts() {
    let simulator = Simulator::start();
    let deployment = Deployment::of(&simulator, "m")
        .priced(0.000_002, 0.000_008)
        .param("output_cost_per_token_flex", 0.000_004)
        .param("service_tier", "flex");
    let gateway = Gateway::of(&Config::of([deployment]));
    let answer = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}],
        "usage": usage(1000, 100),
    });
    let body = chat_with("m", json!({"simulate": {"body": answer}}));
    let reply = gateway.master().chat(&body).with_status(200);
    assert_eq!(simulator.requests()[0].json()["service_tier"], "flex");
    assert_eq!(reply.must("x-litellm-response-cost"), "0.0024");
    let body = chat_with(
        "m",
        json!({"service_tier": "default", "simulate": {"body": answer}}),
    );
    let reply = gateway.master().chat(&body).with_status(200);
    assert_eq!(reply.must("x-litellm-response-cost"), "0.0028");
}
