use super::*;
use crate::catalog::{Kind, PriceKey};

fn key(provider: &str, model: &str) -> Option<&'static str> {
    find(provider, model).map(|entry| entry.key)
}

#[test]
fn names_lead_to_rows() {
    for (provider, model, expected) in [
        ("openai", "gpt-4o", Some("gpt-4o")),
        ("openai", "openai/gpt-4o", Some("gpt-4o")),
        ("openai", "GPT-4o", Some("gpt-4o")),
        ("openai", "gpt-4o-2099-11-20", Some("gpt-4o")),
        ("openai", "gpt-4o-20991120", Some("gpt-4o")),
        (
            "openai",
            "ft:gpt-4o-2024-08-06:acme::abc",
            Some("ft:gpt-4o-2024-08-06"),
        ),
        ("azure", "gpt-4o", Some("azure/gpt-4o")),
        (
            "anthropic",
            "claude-sonnet-4-5-20990101",
            Some("claude-sonnet-4-5"),
        ),
        ("vertex_ai", "gemini-2.5-pro", Some("gemini-2.5-pro")),
        ("gemini", "gemini-2.5-pro", Some("gemini/gemini-2.5-pro")),
        (
            "bedrock",
            "ca.ai21.jamba-1-5-mini-v1:0",
            Some("ai21.jamba-1-5-mini-v1:0"),
        ),
        (
            "bedrock",
            "eu-west-9/ai21.jamba-1-5-mini-v1:0",
            Some("ai21.jamba-1-5-mini-v1:0"),
        ),
        // The same name at somebody who does not offer it.
        ("anthropic", "gpt-4o", None),
        ("hosted_vllm", "gpt-4o", None),
        ("openai", "claude-sonnet-4-5", None),
        ("openai", "gpt-4o-mine", None),
        ("openai", "", None),
        ("", "gpt-4o", None),
    ] {
        assert_eq!(key(provider, model), expected, "{provider} {model}");
    }
}

#[test]
fn a_row_is_read_whole() {
    let entry = find_key("claude-sonnet-4-5").expect("in the catalogue");
    assert_eq!((entry.provider, entry.mode), ("anthropic", Some("chat")));
    assert_eq!(entry.max_input_tokens, Some(200_000));
    assert_eq!(entry.max_output_tokens, Some(64_000));
    assert_eq!(entry.deprecation_date, Some("2026-11-30"));
    assert_eq!(entry.flag("supports_vision"), Some(true));
    assert_eq!(entry.extra(), Some(r#"{"prompt_cache_min_tokens":1024}"#));
    let price = |code: &str| {
        PriceKey::of_code(code)
            .and_then(|key| entry.prices.get(key))
            .map(|price| price.to_string())
    };
    for (code, dollars) in [
        ("in", "0.000003"),
        ("out", "0.000015"),
        ("cr", "0.0000003"),
        ("cw", "0.00000375"),
        ("cw1h", "0.000006"),
        ("cw@batch", "0.000001875"),
        ("web/high", "0.01"),
    ] {
        assert_eq!(price(code).as_deref(), Some(dollars), "{code}");
    }
    assert_eq!(price("in>200k"), None);
}

#[test]
fn every_row_of_the_data_is_understood() {
    let mut unpriced = 0;
    for (line, entry) in table::lines().zip(super::super::all()) {
        let columns: Vec<&str> = line.split('\t').collect();
        assert!(columns.len() <= 13 && !entry.provider.is_empty(), "{line}");
        let codes = columns.get(6).copied().unwrap_or_default();
        let stated = codes.split(';').filter(|code| !code.is_empty()).count();
        assert_eq!(
            entry.prices.iter().count(),
            stated,
            "a price of `{}` is not understood",
            entry.key
        );
        for (place, read) in [
            (3, entry.max_input_tokens),
            (4, entry.max_output_tokens),
            (5, entry.max_tokens),
        ] {
            let text = columns.get(place).copied().unwrap_or_default();
            assert_eq!(
                read.is_some(),
                !text.is_empty(),
                "a window of `{}`",
                entry.key
            );
        }
        if let Some(extra) = entry.extra() {
            assert!(
                serde_json::from_str::<serde_json::Map<_, _>>(extra).is_ok(),
                "{}",
                entry.key
            );
        }
        for (key, price) in entry.prices.iter() {
            assert!(
                price.0 < 200_000_000_000_000_000,
                "{} {}",
                entry.key,
                key.code()
            );
        }
        unpriced += usize::from(!entry.prices.is_priced());
    }
    assert!(unpriced < 150, "{unpriced} models have no price");
    assert_eq!(
        super::super::all()
            .filter(|entry| entry.prices.base(Kind::Input).is_some())
            .count(),
        3472
    );
}
