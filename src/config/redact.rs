//! What a message may show of a value.

use super::fields::is_price_field;
use super::yaml::{Node, Value};

/// Longer text is not shown: it helps nobody to find its place, which is given anyway.
const MAX_SHOWN: usize = 40;

/// Whether the last segment or any map around it holds secrets: keys, tokens, passwords, header values, the environment.
pub fn is_secret_path(path: &str) -> bool {
    path.split('.').any(|segment| {
        let name = segment
            .split('[')
            .next()
            .unwrap_or(segment)
            .to_ascii_lowercase();
        if is_price_field(&name) {
            return false;
        }
        const PARTS: [&str; 6] = [
            "secret",
            "password",
            "credential",
            "authorization",
            "headers",
            "connection_string",
        ];
        const ENDS: [&str; 4] = ["key", "token", "database_url", "redis_url"];
        PARTS.iter().any(|part| name.contains(part))
            || ENDS.iter().any(|end| name.ends_with(end))
            || name == "environment_variables"
    })
}

/// Text that is a secret wherever it stands: a key put in the wrong place, a URL with a password.
fn looks_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["sk-", "bearer ", "basic ", "-----begin"]
        .iter()
        .any(|start| lower.contains(start))
        || lower
            .split_once("://")
            .is_some_and(|(_, rest)| rest.contains('@'))
}

/// Whether a field may be shown to people who may not see secrets.
pub fn may_be_shown(name: &str, value: &serde_json::Value) -> bool {
    use serde_json::Value as Json;
    !is_secret_path(name)
        && match value {
            Json::String(text) => !looks_secret(text),
            Json::Array(items) => items.iter().all(|item| may_be_shown("", item)),
            Json::Object(fields) => fields.iter().all(|(name, value)| may_be_shown(name, value)),
            Json::Null | Json::Bool(_) | Json::Number(_) => true,
        }
}

/// An upstream's address as rows, headers, metrics and answers tell it: without its query and fragment, which may hold a key, and
/// without a path that looks like one. Empty where nothing of it may be shown.
pub fn shown_address(base: &str) -> &str {
    let base = base.split(['?', '#']).next().unwrap_or_default();
    let host = base.find("://").map_or(0, |at| at + "://".len());
    let path = base[host..].find('/').map_or(base.len(), |at| host + at);
    let (origin, path) = match host {
        // No address at all.
        0 => ("", base),
        _ => base.split_at(path),
    };
    match (origin.contains('@'), looks_secret(path)) {
        (true, _) => "",
        (false, true) => origin,
        (false, false) => base,
    }
}

/// A value for the words after "found": `"ten"`, `-1`, `a list`; never a secret, never what a variable contains.
pub fn found(node: &Node, path: &str) -> String {
    if let Some(variable) = &node.variable {
        return format!("the value of the variable {variable} (not shown)");
    }
    let hidden = is_secret_path(path);
    match &node.value {
        Value::Null => "nothing".into(),
        Value::List(_) => "a list".into(),
        Value::Map(_) => "a map".into(),
        Value::Bool(_) | Value::Int { .. } | Value::Float { .. } | Value::Text(_) if hidden => {
            "a value that is not shown".into()
        }
        Value::Bool(value) => value.to_string(),
        Value::Int { written, .. } | Value::Float { written, .. } if written.len() <= MAX_SHOWN => {
            written.clone()
        }
        Value::Int { .. } | Value::Float { .. } => "a very long number".into(),
        Value::Text(text) if looks_secret(text) => "text that is not shown".into(),
        Value::Text(text) if text.chars().count() > MAX_SHOWN => "a longer text".into(),
        Value::Text(text) => format!("{text:?}"),
    }
}

/// A key of a map as part of a path; one that looks like a secret (a value that slipped to the left) is not shown.
pub fn key_in_path(key: &str) -> &str {
    if looks_secret(key) || key.chars().count() > 2 * MAX_SHOWN {
        "(not shown)"
    } else {
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml::Pos;

    fn text(value: &str) -> Node {
        Node::new(Pos::START, Value::Text(value.into()))
    }

    #[test]
    fn secrets_are_not_for_showing() {
        use serde_json::json;
        for (name, value, expected) in [
            ("temperature", json!(0.5), true),
            ("max_tokens", json!(5), true),
            ("aws_secret_access_key", json!("x"), false),
            ("azure_ad_token", json!("x"), false),
            ("extra_body", json!({"deep": [{"api_key": "x"}]}), false),
            ("note", json!("sk-0123456789"), false),
            ("proxy", json!("http://user:password@host"), false),
            ("input_cost_per_token", json!(1e-6), true),
        ] {
            assert_eq!(may_be_shown(name, &value), expected, "{name}");
        }
    }

    #[test]
    fn addresses_without_what_may_be_secret() {
        for (base, shown) in [
            ("https://host/v1", "https://host/v1"),
            ("https://host/v1?key=a#b", "https://host/v1"),
            ("https://host#b?a", "https://host"),
            (
                "https://help-desk-ai.example.com/v1",
                "https://help-desk-ai.example.com/v1",
            ),
            ("https://host:8443/sk-0123/v1", "https://host:8443"),
            ("https://user:password@host/v1", ""),
            ("https://host/a@b", "https://host/a@b"),
            ("sk-0123/v1", ""),
            ("", ""),
        ] {
            assert_eq!(shown_address(base), shown, "{base}");
        }
    }

    #[test]
    fn secrets_stay_out() {
        for (path, value, expected) in [
            ("model_list[0].litellm_params.rpm", "ten", "\"ten\""),
            (
                "model_list[0].litellm_params.rpm",
                "sk-abc",
                "text that is not shown",
            ),
            ("a.api_base", "http://u:p@h", "text that is not shown"),
            (
                "model_list[0].litellm_params.api_key",
                "x",
                "a value that is not shown",
            ),
            (
                "general_settings.master_key",
                "x",
                "a value that is not shown",
            ),
            (
                "general_settings.database_url",
                "mysql://h",
                "a value that is not shown",
            ),
            ("p.aws_session_token", "x", "a value that is not shown"),
            ("p.client_secret", "x", "a value that is not shown"),
            ("p.extra_headers.x-y", "x", "a value that is not shown"),
            ("environment_variables.A", "x", "a value that is not shown"),
            ("p.input_cost_per_token", "x", "\"x\""),
            ("p.max_tokens", "x", "\"x\""),
        ] {
            assert_eq!(found(&text(value), path), expected, "{path}");
        }
        let mut from_variable = text("x");
        from_variable.variable = Some("RPM".into());
        assert_eq!(
            found(&from_variable, "rpm"),
            "the value of the variable RPM (not shown)"
        );
        assert_eq!(key_in_path("sk-abc"), "(not shown)");
    }
}
