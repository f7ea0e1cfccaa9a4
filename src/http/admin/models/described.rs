//! A deployment as `/model/info` shows it. Secrets are left out, not masked: nobody can tell their length or their end.

use serde_json::{Map, Value, json};

use crate::config::{LitellmParams, may_be_shown, shown_address};
use crate::router::Deployment;

/// `{model_name, litellm_params, model_info}`.
pub fn described(deployment: &Deployment) -> Value {
    json!({
        "model_name": deployment.group,
        "litellm_params": params(deployment),
        "model_info": model_info(deployment),
    })
}

/// An address without what may be secret in it.
pub fn address(base: &str) -> Option<&str> {
    Some(shown_address(base)).filter(|shown| !shown.is_empty())
}

fn params(deployment: &Deployment) -> Map<String, Value> {
    let LitellmParams {
        model,
        custom_llm_provider,
        api_base,
        // A secret, as are the values of headers.
        api_key: _,
        extra_headers: _,
        headers: _,
        api_version,
        organization,
        timeout,
        stream_timeout,
        rpm,
        tpm,
        weight,
        max_parallel_requests,
        num_retries,
        base_model,
        prices,
        other,
        ..
    } = &deployment.entry.litellm_params;
    let seconds = |time: &Option<std::time::Duration>| time.map(|time| time.as_secs_f64());
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            shown.insert(name.to_owned(), value);
        }
    };
    for (name, value) in other {
        if may_be_shown(name, value) {
            put(name, value.clone());
        }
    }
    put("model", model.as_str().into());
    put("custom_llm_provider", custom_llm_provider.as_deref().into());
    put("api_base", api_base.as_deref().and_then(address).into());
    put("api_version", api_version.as_deref().into());
    put("organization", organization.as_deref().into());
    put("timeout", seconds(timeout).into());
    put("stream_timeout", seconds(stream_timeout).into());
    put("rpm", (*rpm).into());
    put("tpm", (*tpm).into());
    put("weight", (*weight).into());
    put("max_parallel_requests", (*max_parallel_requests).into());
    put("num_retries", (*num_retries).into());
    put("base_model", base_model.as_deref().into());
    for price in prices {
        put(&price.name, number(&price.decimal));
    }
    shown
}

/// The catalogue's row, then what the entry says itself: the entry wins.
pub fn model_info(deployment: &Deployment) -> Map<String, Value> {
    let row = deployment.listed();
    let info = &deployment.entry.model_info;
    let mut shown = Map::new();
    if let Some(row) = &row {
        if let Some(Value::Object(more)) =
            row.extra().and_then(|text| serde_json::from_str(text).ok())
        {
            shown.extend(more);
        }
        shown.extend(row.flags().map(|(name, value)| (name, value.into())));
        shown.insert("key".to_owned(), row.key.into());
        shown.insert("deprecation_date".to_owned(), row.deprecation_date.into());
    }
    let listed =
        |field: fn(&crate::catalog::ModelEntry) -> Option<u64>| row.as_ref().and_then(field);
    let output = info
        .max_output_tokens
        .or(listed(|row| row.max_output_tokens));
    let figures = [
        (
            "max_tokens",
            info.max_tokens.or(listed(|row| row.max_tokens)).or(output),
        ),
        (
            "max_input_tokens",
            info.max_input_tokens.or(listed(|row| row.max_input_tokens)),
        ),
        ("max_output_tokens", output),
    ];
    for (name, figure) in figures {
        shown.insert(name.to_owned(), figure.into());
    }
    let mode = info
        .mode
        .as_deref()
        .or(row.as_ref().and_then(|row| row.mode));
    shown.insert("mode".to_owned(), mode.into());
    shown.insert(
        "litellm_provider".to_owned(),
        deployment.provider.as_ref().into(),
    );
    // Unpriced is null, never 0.
    for name in ["input_cost_per_token", "output_cost_per_token"] {
        shown.insert(name.to_owned(), Value::Null);
    }
    for (key, price) in deployment.tariff.prices().iter() {
        shown.insert(key.field().to_string(), price.to_f64().into());
    }
    for (name, value) in &info.other {
        if may_be_shown(name, value) {
            shown.insert(name.clone(), value.clone());
        }
    }
    shown.insert("id".to_owned(), deployment.id.as_ref().into());
    let is_stored = deployment.entry.is_stored;
    shown.insert("db_model".to_owned(), is_stored.into());
    shown.insert("blocked".to_owned(), info.blocked.into());
    shown.insert(
        "base_model".to_owned(),
        deployment.entry.base_model().into(),
    );
    shown.insert(
        "access_groups".to_owned(),
        info.access_groups.clone().into(),
    );
    shown
}

fn number(decimal: &str) -> Value {
    decimal.parse::<f64>().ok().into()
}
