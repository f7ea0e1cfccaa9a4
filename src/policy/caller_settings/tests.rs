use serde_json::json;

use super::*;
use crate::policy::fallback::Kind;
use crate::policy::upstream_error::ErrorClass;

fn read(settings: Value) -> Result<CallerSettings, CallerSettingsError> {
    CallerSettings::read(settings.as_object().unwrap())
}

#[test]
fn every_field_counts() {
    let all = json!({
        "fallbacks": [{"a": ["b", {"model": "c", "temperature": 0}]}],
        "context_window_fallbacks": ["d"],
        "content_policy_fallbacks": [],
        "num_retries": 3,
        "timeout": 1.5,
        "model_group_retry_policy": {"a": {"TimeoutErrorRetries": 0, "RateLimitErrorRetries": null}},
        "routing_strategy": "least-busy",
        "enable_tag_filtering": true,
        "weights": {"a": {"id-1": 2, "id-2": 0.5}},
        "allowed_fails": 3,
        "retry_after": null,
    });
    let settings = read(all.clone()).unwrap();
    let models: Vec<&str> = settings.fallback_models().collect();
    assert_eq!(models, ["b", "c", "d"]);
    assert!(settings.fallbacks.list(Kind::ContentPolicy).is_some());
    assert_eq!(settings.num_retries, Some(3));
    assert_eq!(settings.timeout, Some(Duration::from_millis(1_500)));
    let (group, policy) = &settings.retries_by_class[0];
    assert_eq!(
        (&**group, policy.named(ErrorClass::Timeout)),
        ("a", Some(0))
    );
    assert_eq!(settings.strategy, Some(StrategyName::LeastBusy));
    assert!(settings.tag_filtering);
    let weights = settings.weights.of("a").unwrap();
    assert_eq!(weights, [("id-1".into(), 2.0), ("id-2".into(), 0.5)]);
    assert_eq!(settings.weights.of("b"), None);
    assert_eq!(
        CallerSettings::stored(&all.to_string()).as_deref(),
        Some(&settings)
    );
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_field() {
    for (field, value) in [
        ("fallbacks", json!("a")),
        ("fallbacks", json!([{"a": 5}])),
        (
            "fallbacks",
            json!([{"model": "b", "api_base": "https://x"}]),
        ),
        ("context_window_fallbacks", json!(["https://x"])),
        ("num_retries", json!(-1)),
        ("num_retries", json!(1_001)),
        ("num_retries", json!("3")),
        ("timeout", json!(-0.5)),
        ("timeout", json!(1e300)),
        ("model_group_retry_policy", json!({"a": {"Nonsense": 1}})),
        ("model_group_retry_policy", json!({"a": 1})),
        ("routing_strategy", json!("fastest")),
        ("enable_tag_filtering", json!("yes")),
        ("weights", json!({"a": {"id": -1}})),
        ("weights", json!({"a": 1})),
        ("num_retrys", json!(1)),
    ] {
        let error = read(json!({field: value.clone()})).unwrap_err();
        assert_eq!(error.field, field, "{value}");
        assert!(!error.expected.is_empty());
        // What is stored already is left out, and the rest counts.
        let stored =
            json!({field: value, "timeout": null, "enable_tag_filtering": null}).to_string();
        assert_eq!(CallerSettings::stored(&stored), None);
    }
    for nothing in [
        "{}",
        "null",
        "",
        "[]",
        r#"{"num_retries": null}"#,
        r#"{"allowed_fails": 1}"#,
    ] {
        assert_eq!(CallerSettings::stored(nothing), None, "{nothing}");
    }
    let half = CallerSettings::stored(r#"{"num_retries": 1, "timeout": "soon"}"#).unwrap();
    assert_eq!(half.num_retries, Some(1));
}
