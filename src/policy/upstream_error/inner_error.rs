//! What Azure's content filter found, which clients read to tell their users why: `error.innererror`.

use serde_json::{Map, Value};

use super::masking::short;

/// A level for each of `innererror`, `content_filter_result`, a category and its findings.
const DEEPEST: usize = 4;
/// Fields of an object and items of a list beyond this many are left out; Azure has about ten categories.
const MOST: usize = 32;

/// The object for `error.provider_specific_fields.innererror`, of a bounded size and with credentials in it masked.
/// `error` is the upstream's error object; Azure spells the field in two ways.
pub(super) fn inner_error(error: &Value) -> Option<Value> {
    let found = error
        .get("innererror")
        .or_else(|| error.get("inner_error"))?;
    found.is_object().then(|| pruned(found, DEEPEST))
}

fn pruned(value: &Value, levels: usize) -> Value {
    match value {
        Value::String(text) => Value::String(short(text)),
        Value::Object(_) | Value::Array(_) if levels == 0 => Value::Null,
        Value::Object(fields) => {
            let kept = fields.iter().take(MOST);
            let kept = kept.map(|(name, inner)| (short(name), pruned(inner, levels - 1)));
            Value::Object(kept.collect::<Map<_, _>>())
        }
        Value::Array(items) => {
            let kept = items.iter().take(MOST);
            Value::Array(kept.map(|inner| pruned(inner, levels - 1)).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_kept() {
        let found = json!({"code": "ResponsibleAIPolicyViolation", "content_filter_result": {
            "violence": {"filtered": true, "severity": "medium"}, "jailbreak": {"detected": false, "filtered": false}}});
        for name in ["innererror", "inner_error"] {
            assert_eq!(inner_error(&json!({name: found})), Some(found.clone()));
        }
        for nothing in [
            json!({}),
            json!({"innererror": null}),
            json!({"innererror": "x"}),
            json!("x"),
        ] {
            assert_eq!(inner_error(&nothing), None, "{nothing}");
        }
    }

    #[test]
    fn what_is_not() {
        let key = "sk-abcdefgh1234567890";
        let huge: Map<String, Value> = (0..1000)
            .map(|at| {
                (
                    format!("{at} {key}"),
                    json!([key.repeat(1000), {"a": {"b": {"c": {"d": 1}}}}]),
                )
            })
            .collect();
        let kept = inner_error(&json!({"innererror": huge}))
            .unwrap()
            .to_string();
        assert!(kept.len() < 20_000, "{}", kept.len());
        assert!(!kept.contains(key), "{kept}");
        assert!(!kept.contains("\"c\""), "{kept}");
    }
}
