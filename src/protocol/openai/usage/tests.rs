use proptest::prelude::*;
use serde_json::json;

use super::*;

fn parse(json: serde_json::Value) -> ParsedUsage {
    parse_usage(json.to_string().as_bytes()).expect("a usage object")
}

#[test]
fn openai() {
    let parsed = parse(json!({
        "prompt_tokens": 2006, "completion_tokens": 300, "total_tokens": 2306,
        "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 6},
        "completion_tokens_details": {"reasoning_tokens": 200, "audio_tokens": 10, "accepted_prediction_tokens": 3}
    }));
    let expected = Usage {
        input: 80,
        cache_read: 1920,
        input_audio: 6,
        output: 90,
        reasoning: 200,
        output_audio: 10,
        ..Usage::default()
    };
    assert_eq!(
        parsed,
        ParsedUsage {
            usage: expected,
            ..ParsedUsage::default()
        }
    );
}

#[test]
fn cached_tokens_by_any_name() {
    let expected = Usage {
        input: 60,
        cache_read: 40,
        output: 5,
        ..Usage::default()
    };
    for mut usage in [
        json!({"prompt_tokens_details": {"cached_tokens": 40}}),
        json!({"prompt_tokens_details": {"cached_tokens": 40.0, "text_tokens": 60}, "cache_read_input_tokens": 0}),
        json!({"prompt_cache_hit_tokens": 40, "prompt_cache_miss_tokens": 60}),
        json!({"cached_tokens": 40, "prompt_tokens_details": null}),
        json!({"cache_read_input_tokens": 40, "prompt_tokens_details": {"cached_tokens": null}}),
    ] {
        usage["prompt_tokens"] = json!(100);
        usage["completion_tokens"] = json!(5);
        assert_eq!(parse(usage.clone()).usage, expected, "{usage}");
    }
}

#[test]
fn cache_writes_by_any_name_and_lifetime() {
    let five = Usage {
        input: 70,
        cache_write_5m: 30,
        ..Usage::default()
    };
    let both = Usage {
        input: 70,
        cache_write_5m: 20,
        cache_write_1h: 10,
        ..Usage::default()
    };
    let lifetimes = json!({"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10});
    for (mut usage, expected) in [
        (
            json!({"prompt_tokens_details": {"cache_write_tokens": 30}}),
            five,
        ),
        (
            json!({"prompt_tokens_details": {"cache_creation_tokens": 30}, "cache_creation_input_tokens": 30}),
            five,
        ),
        (json!({"cache_creation_input_tokens": 30}), five),
        (
            json!({"cache_creation_input_tokens": 30, "cache_creation": lifetimes}),
            both,
        ),
        (
            json!({"prompt_tokens_details": {"cache_creation_tokens": 30, "cache_creation_token_details": lifetimes}}),
            both,
        ),
        (
            json!({"prompt_tokens_details": {"cache_creation_token_details": lifetimes}}),
            both,
        ),
    ] {
        usage["prompt_tokens"] = json!(100);
        assert_eq!(parse(usage.clone()).usage, expected, "{usage}");
    }
}

#[test]
fn images_api() {
    let parsed = parse(json!({
        "input_tokens": 50, "output_tokens": 1000, "total_tokens": 1050,
        "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
        "output_tokens_details": {"image_tokens": 1000}
    }));
    assert_eq!(
        parsed.usage,
        Usage {
            input: 10,
            input_image: 40,
            output_image: 1000,
            ..Usage::default()
        }
    );
}

#[test]
fn xai_counts_reasoning_beside_the_completion() {
    let parsed = parse(json!({
        "prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 303,
        "completion_tokens_details": {"reasoning_tokens": 290}, "cost_in_usd_ticks": 37756000
    }));
    assert_eq!(
        parsed.usage,
        Usage {
            input: 12,
            output: 1,
            reasoning: 290,
            ..Usage::default()
        }
    );
    assert_eq!(parsed.stated_cost, Some(NanoUsd(3_775_600)));
}

#[test]
fn stated_costs_are_exact() {
    for (text, nanos) in [
        ("0.00014", Some(140_000)),
        ("1.4e-4", Some(140_000)),
        ("0", Some(0)),
        ("null", None),
        ("\"x\"", None),
        ("{}", None),
    ] {
        let usage = format!("{{\"prompt_tokens\": 1, \"cost\": {text}}}");
        let parsed = parse_usage(usage.as_bytes()).expect("a usage object");
        assert_eq!(parsed.stated_cost, nanos.map(NanoUsd), "{text}");
    }
}

#[test]
fn extras_that_have_a_price() {
    let parsed = parse(json!({
        "prompt_tokens": 1, "server_tool_use": {"web_search_requests": 2}, "inference_geo": "us", "speed": "fast"
    }));
    assert_eq!(
        (parsed.web_searches, parsed.inference_in_us, parsed.fast),
        (2, true, true)
    );
    assert_eq!(
        parse(json!({"total_tokens": 1, "num_search_queries": 3, "speed": "standard"}))
            .web_searches,
        3
    );
}

#[test]
fn details_beyond_the_total_are_cut() {
    let parsed = parse(json!({
        "prompt_tokens": 100, "completion_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 80, "audio_tokens": 50, "image_tokens": 7},
        "completion_tokens_details": {"reasoning_tokens": 12}
    }));
    assert_eq!(
        parsed.usage,
        Usage {
            cache_read: 80,
            input_audio: 20,
            reasoning: 10,
            ..Usage::default()
        }
    );
}

#[test]
fn odd_values_are_tolerated() {
    let usage = |input, output| Usage {
        input,
        output,
        ..Usage::default()
    };
    for (text, expected) in [
        (
            r#"{"prompt_tokens": 10.0, "completion_tokens": 2.6}"#,
            usage(10, 3),
        ),
        (
            r#"{"prompt_tokens": -5, "completion_tokens": 1e300}"#,
            usage(0, u64::MAX),
        ),
        (
            r#"{"prompt_tokens": "7", "completion_tokens": true}"#,
            usage(7, 0),
        ),
        (
            r#"{"prompt_tokens": [1,{"a":2}], "completion_tokens": {"b":[]}, "total_tokens": 0}"#,
            usage(0, 0),
        ),
        (
            r#"{"prompt_tokens": null, "total_tokens": 9, "completion_tokens": 4}"#,
            usage(5, 4),
        ),
        (r#"{"prompt_tokens": 3, "total_tokens": 9}"#, usage(3, 6)),
        (
            r#"{"prompt_tokens": 3, "prompt_tokens_details": 5, "completion_tokens_details": [1], "server_tool_use": "x"}"#,
            usage(3, 0),
        ),
        (
            r#"{"prompt_tokens": 3, "queue_time": 0.1, "x": {"y": [null]}}"#,
            usage(3, 0),
        ),
    ] {
        assert_eq!(
            parse_usage(text.as_bytes()).expect("tolerated").usage,
            expected,
            "{text}"
        );
    }
    for text in [
        "",
        "null",
        "7",
        "{",
        r#"{"prompt_tokens": }"#,
        "{\"prompt_tokens\": 1} x",
        "{}",
        r#"{"prompt_tokens": null, "service_tier": "standard", "cached_tokens": 4}"#,
        r#"{"completion_tokens": "many"}"#,
    ] {
        assert!(parse_usage(text.as_bytes()).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn buckets_add_up_to_the_totals(prompt: u64, completion: u64, n in proptest::array::uniform12(0..=u64::MAX), small: bool) {
        let part = |place: usize| if small { n[place] % 1000 } else { n[place] };
        let (prompt, completion) = if small { (prompt % 3000, completion % 3000) } else { (prompt, completion) };
        let usage = parse(json!({
            "prompt_tokens": prompt, "completion_tokens": completion,
            "prompt_tokens_details": {
                "cached_tokens": part(0), "audio_tokens": part(1), "image_tokens": part(2), "video_tokens": part(3),
                "cache_write_tokens": part(4),
                "cache_creation_token_details": {"ephemeral_5m_input_tokens": part(5), "ephemeral_1h_input_tokens": part(6)},
            },
            "completion_tokens_details": {
                "reasoning_tokens": part(7), "audio_tokens": part(8), "image_tokens": part(9), "video_tokens": part(10),
            },
            "cached_tokens": part(11),
        })).usage;
        let sum = |buckets: &[u64]| buckets.iter().map(|n| u128::from(*n)).sum::<u128>();
        let input = [usage.input, usage.cache_read, usage.cache_write_5m, usage.cache_write_1h, usage.input_audio, usage.input_image, usage.input_video];
        let output = [usage.output, usage.reasoning, usage.output_audio, usage.output_image, usage.output_video];
        prop_assert_eq!(sum(&input), u128::from(prompt));
        prop_assert_eq!(sum(&output), u128::from(completion));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), text in "\\{\"prompt_tokens\":[-0-9.eE]{0,20},\"cost\":[-0-9.eE\"\\[\\]{}]{0,20}\\}") {
        let _ = parse_usage(&bytes);
        let _ = parse_usage(text.as_bytes());
    }
}
