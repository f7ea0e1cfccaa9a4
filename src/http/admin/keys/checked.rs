//! What a value of a key must be like.

use serde_json::{Map, Number, Value};

use super::fields::Field;
use crate::http::admin::json_body::{refused, wrong_type};
use crate::http::error::ApiError;
use crate::policy::caller_settings::CallerSettings;
use crate::policy::duration::parse_key_duration;
use crate::types::{AmountError, NanoUsd};

/// Longest alias, id, name of a model, route or key.
const MOST_TEXT: usize = 512;
/// Largest `router_settings`, in bytes of JSON.
const MOST_SETTINGS: usize = 64 * 1024;
/// Shortest custom key.
const SHORTEST_KEY: usize = 16;

/// An id, an alias, a name: 1 to 512 characters that can be seen.
pub fn text(field: &str, text: &str) -> Result<(), ApiError> {
    let wrong = |why: &str| Err(refused(field, format!("{field} {why}")));
    if text.is_empty() {
        return wrong("must not be empty");
    }
    if text.chars().count() > MOST_TEXT {
        return wrong("has at most 512 characters");
    }
    if text.chars().any(char::is_control) {
        return wrong("must not hold control characters");
    }
    Ok(())
}

/// A text of a client for an error: its first 64 characters name it well enough.
pub fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

/// A key that is brought along.
pub fn custom_key(field: &str, key: &str) -> Result<(), ApiError> {
    if !key.starts_with("sk-") {
        let text = "Invalid key format. LiteLLM Virtual Key must start with 'sk-'.";
        return Err(refused(field, text));
    }
    if key.len() < SHORTEST_KEY || key.len() > MOST_TEXT {
        let text = "a custom key has at least 16 and at most 512 characters";
        return Err(refused(field, text));
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let text = "a custom key has printable ASCII characters only, and no spaces";
        return Err(refused(field, text));
    }
    Ok(())
}

/// An amount of dollars.
pub fn money(field: &str, amount: &Number) -> Result<NanoUsd, ApiError> {
    NanoUsd::parse(&amount.to_string()).map_err(|error| {
        let text = match error {
            AmountError::TooLarge(_) => format!("{field}: {error}"),
            _ => format!("{field} must be a non-negative finite number. Received: {amount}"),
        };
        refused(field, text)
    })
}

/// Names to names.
pub fn aliases(aliases: &Field<Map<String, Value>>) -> Result<(), ApiError> {
    for (name, model) in aliases.iter().flatten().flatten() {
        text("aliases", name)?;
        match model.as_str() {
            Some(model) => text("aliases", model)?,
            None => {
                let expected = "a dictionary of model names";
                return Err(wrong_type("aliases", "dict_type", expected));
            }
        }
    }
    Ok(())
}

/// Settings of the routing; see [`CallerSettings`].
pub fn router_settings(settings: &Field<Map<String, Value>>) -> Result<(), ApiError> {
    for settings in settings.iter().flatten() {
        if Value::Object(settings.clone()).to_string().len() > MOST_SETTINGS {
            return Err(refused(
                "router_settings",
                "router_settings has at most 64 KiB",
            ));
        }
        CallerSettings::read(settings)
            .map_err(|error| refused("router_settings", error.to_string()))?;
    }
    Ok(())
}

/// The routes that a `key_type` stands for (LiteLLM 1.106.2).
pub fn preset(key_type: &str) -> Result<Vec<String>, ApiError> {
    let group = match key_type {
        "default" => return Ok(Vec::new()),
        "llm_api" => "llm_api_routes",
        "management" => "management_routes",
        "read_only" => "info_routes",
        _ => {
            let expected = "'llm_api', 'management', 'read_only' or 'default'";
            return Err(wrong_type("key_type", "enum", expected));
        }
    };
    Ok(vec![group.to_owned()])
}

/// When a key expires that lives for `duration` from now; `None`: never.
pub fn expiry(duration: &str, now_ms: i64) -> Result<Option<i64>, ApiError> {
    let span =
        parse_key_duration(duration).map_err(|error| refused("duration", error.to_string()))?;
    let Some(span) = span else { return Ok(None) };
    match span.expires_at(now_ms) {
        Some(at) => Ok(Some(at)),
        None => Err(refused("duration", "duration ends beyond the year 9999")),
    }
}
