//! `POST /key/generate`.

use actix_web::HttpResponse;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::auth::Caller;
use crate::http::body;
use crate::http::error::ApiError;
use crate::http::route::{Call, now_ms};
use crate::policy::duration::parse_key_duration;
use crate::store::{KeyRow, NewKey, ask, messages};
use crate::types::{AmountError, KeyHash, NanoUsd, Role};

/// Largest body of a management route.
const MOST_BYTES: usize = 1024 * 1024;
/// Longest alias or id.
const MOST_TEXT: usize = 512;
/// Shortest custom key.
const SHORTEST_KEY: usize = 16;

/// Limits that this version would store but not enforce: refused, because a key that ignores its limit is worse than none.
const NOT_YET: &[&str] = &[
    "allowed_routes",
    "budget_duration",
    "budget_id",
    "budget_limits",
    "enforced_params",
    "guardrails",
    "key_type",
    "model_max_budget",
    "model_rpm_limit",
    "model_tpm_limit",
    "object_permission",
    "organization_id",
    "project_id",
    "router_settings",
    "rpm_limit_type",
    "soft_budget",
    "temp_budget_increase",
    "tpm_limit_type",
];

/// The fields of LiteLLM's `GenerateKeyRequest` that this version keeps. Others are ignored, as there.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct GenerateKeyRequest {
    key: Option<String>,
    key_alias: Option<String>,
    user_id: Option<String>,
    team_id: Option<String>,
    models: Option<Vec<String>>,
    /// US dollars.
    #[schema(value_type = Option<f64>)]
    max_budget: Option<serde_json::Number>,
    tpm_limit: Option<i64>,
    rpm_limit: Option<i64>,
    max_parallel_requests: Option<i64>,
    duration: Option<String>,
    /// US dollars spent before; administrators only.
    #[schema(value_type = Option<f64>)]
    spend: Option<serde_json::Number>,
    blocked: Option<bool>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    #[schema(value_type = Option<Object>)]
    aliases: Option<Map<String, Value>>,
    #[schema(value_type = Option<Object>)]
    config: Option<Map<String, Value>>,
    #[schema(value_type = Option<Object>)]
    permissions: Option<Map<String, Value>>,
}

pub async fn generate(call: Call) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    let bytes = body::read(
        &call.request,
        call.payload,
        MOST_BYTES,
        &call.worker.buffers,
    )
    .await?;
    let wanted = wanted(&bytes)?;
    let text = key_text(wanted.key.as_deref())?;
    let row = row(&caller, &wanted, &text)?;
    let models = wanted.models.unwrap_or_default();
    for model in &models {
        check_text("models", model)?;
    }
    let shared = &call.worker.shared;
    ask(
        &shared.store.admin,
        messages::InsertKey {
            key: NewKey {
                row: row.clone(),
                models: models.clone(),
            },
        },
    )
    .await?;
    // Who tried this key before it existed must not be told for seconds that it does not.
    shared.epoch.raise();
    let mut shown = super::key_info::shown(&row, &models);
    shown["key"] = text.into();
    shown["token"] = row.token_hash.as_str().into();
    shown["token_id"] = row.token_hash.into();
    Ok(HttpResponse::Ok().json(shown))
}

fn wanted(bytes: &[u8]) -> Result<GenerateKeyRequest, ApiError> {
    let bytes = if bytes.trim_ascii().is_empty() {
        b"{}"
    } else {
        bytes
    };
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        let detail = json!([{
            "type": "json_invalid",
            "loc": ["body", error.column()],
            "msg": format!("JSON decode error: {error}"),
        }]);
        ApiError::detail(422, detail)
    })?;
    let Value::Object(fields) = &value else {
        return Err(ApiError::detail(
            422,
            json!([{"type": "model_attributes_type", "loc": ["body"], "msg": "Input should be a valid dictionary"}]),
        ));
    };
    for name in NOT_YET {
        let empty = |value: &Value| match value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            Value::String(text) => *name == "key_type" && text == "default",
            _ => false,
        };
        if fields.get(*name).is_some_and(|value| !empty(value)) {
            let text = format!(
                "{name} is not supported yet: the key was not made, because the limit would not be kept"
            );
            return Err(ApiError::new(
                400,
                "bad_request_error",
                text,
                Some((*name).to_owned()),
            ));
        }
    }
    // One field at a time, so that an error names its field.
    let mut wanted = GenerateKeyRequest::default();
    macro_rules! take {
        ($($field:ident),*) => {$(
            if let Some(value) = fields.get(stringify!($field)) {
                wanted.$field = serde_json::from_value(value.clone())
                    .map_err(|error| ApiError::invalid(stringify!($field), error.to_string()))?;
            }
        )*};
    }
    take!(
        key,
        key_alias,
        user_id,
        team_id,
        models,
        max_budget,
        tpm_limit,
        rpm_limit,
        max_parallel_requests,
        duration,
        spend,
        blocked,
        metadata,
        aliases,
        config,
        permissions
    );
    Ok(wanted)
}

/// A custom key, checked, or a new one: `sk-` and 22 characters, 128 random bits.
fn key_text(custom: Option<&str>) -> Result<String, ApiError> {
    let Some(custom) = custom else {
        let mut random = [0; 16];
        getrandom::fill(&mut random)
            .map_err(|_| ApiError::unavailable("the system has no random numbers at the moment"))?;
        return Ok(format!("sk-{}", URL_SAFE_NO_PAD.encode(random)));
    };
    let wrong = |text: &str| {
        Err(ApiError::new(
            400,
            "bad_request_error",
            text,
            Some("key".to_owned()),
        ))
    };
    if !custom.starts_with("sk-") {
        return wrong("Invalid key format. LiteLLM Virtual Key must start with 'sk-'.");
    }
    if custom.len() < SHORTEST_KEY || custom.len() > MOST_TEXT {
        return wrong("a custom key has at least 16 and at most 512 characters");
    }
    if !custom.bytes().all(|byte| byte.is_ascii_graphic()) {
        return wrong("a custom key has printable ASCII characters only, and no spaces");
    }
    Ok(custom.to_owned())
}

fn row(caller: &Caller, wanted: &GenerateKeyRequest, text: &str) -> Result<KeyRow, ApiError> {
    let now = now_ms();
    let principal = caller.principal();
    let own_id = principal.user.as_ref().map(|user| user.id.to_string());
    let is_admin = caller.role() == Role::ProxyAdmin;
    let user_id = match (&wanted.user_id, is_admin) {
        (id, true) => id.clone(),
        (None, false) => own_id.clone(),
        (Some(id), false) if Some(id) == own_id.as_ref() => own_id.clone(),
        (Some(_), false) => {
            return Err(ApiError::forbidden(
                "a user may only make keys for itself (user_id)",
            ));
        }
    };
    let inherited;
    let wanted = if is_admin {
        wanted
    } else {
        inherited = within_own(caller, wanted)?;
        &inherited
    };
    for (field, text) in [
        ("key_alias", &wanted.key_alias),
        ("user_id", &wanted.user_id),
        ("team_id", &wanted.team_id),
    ] {
        if let Some(text) = text {
            check_text(field, text)?;
        }
    }
    let expires_at = match &wanted.duration {
        None => None,
        Some(duration) => {
            let wrong = |text: String| {
                ApiError::new(400, "bad_request_error", text, Some("duration".to_owned()))
            };
            match parse_key_duration(duration).map_err(|error| wrong(error.to_string()))? {
                None => None,
                Some(span) => {
                    let ends = span.expires_at(now);
                    Some(
                        ends.ok_or_else(|| wrong("duration ends beyond the year 9999".to_owned()))?,
                    )
                }
            }
        }
    };
    // A key does not outlive its maker's, unless an admin made it.
    let expires_at = match (expires_at, principal.expires_at, is_admin) {
        (asked, _, true) | (asked, None, _) => asked,
        (Some(asked), Some(own), false) => Some(asked.min(own)),
        (None, Some(own), false) => Some(own),
    };
    let object = |map: &Option<Map<String, Value>>| {
        Value::Object(map.clone().unwrap_or_default()).to_string()
    };
    let spend = match (&wanted.spend, is_admin) {
        (Some(spend), true) => money("spend", spend)?,
        _ => NanoUsd(0),
    };
    Ok(KeyRow {
        key_name: Some(crate::auth::abbreviated(text)),
        key_alias: wanted.key_alias.clone(),
        user_id,
        team_id: wanted.team_id.clone(),
        blocked: wanted.blocked.unwrap_or(false),
        expires_at,
        spend,
        max_budget: wanted
            .max_budget
            .as_ref()
            .map(|budget| money("max_budget", budget))
            .transpose()?,
        tpm_limit: limit("tpm_limit", wanted.tpm_limit)?,
        rpm_limit: limit("rpm_limit", wanted.rpm_limit)?,
        max_parallel_requests: limit("max_parallel_requests", wanted.max_parallel_requests)?,
        metadata: object(&wanted.metadata),
        permissions: object(&wanted.permissions),
        aliases: object(&wanted.aliases),
        config: object(&wanted.config),
        created_by: own_id.clone(),
        updated_by: own_id,
        ..KeyRow::new(KeyHash::of(text), now)
    })
}

/// What a key asks for, held within what the calling key has: nobody gives more than it has. Limits that are not named are
/// the calling key's own, and so is its team.
fn within_own(
    caller: &Caller,
    wanted: &GenerateKeyRequest,
) -> Result<GenerateKeyRequest, ApiError> {
    let principal = caller.principal();
    if wanted
        .permissions
        .as_ref()
        .is_some_and(|map| !map.is_empty())
    {
        return Err(ApiError::forbidden(
            "only a proxy admin may give permissions to a key",
        ));
    }
    if wanted.team_id.is_some()
        && wanted.team_id.as_deref() != principal.team.as_ref().map(|team| &*team.id)
    {
        return Err(ApiError::forbidden(
            "a user may only make keys of the team that its own key belongs to (team_id)",
        ));
    }
    for model in wanted.models.iter().flatten() {
        if crate::policy::access::check(principal, model).is_err() {
            return Err(ApiError::forbidden(format!(
                "a user may not give a key the model '{model}' that it may not call itself"
            )));
        }
    }
    let all_models = wanted.models.as_ref().is_none_or(Vec::is_empty);
    if all_models && !principal.models.0.is_empty() {
        return Err(ApiError::forbidden(
            "name the models of the new key: the calling key is limited to some",
        ));
    }
    let own = &principal.key.limits;
    let mut wanted = wanted.clone();
    wanted.team_id = principal.team.as_ref().map(|team| team.id.to_string());
    wanted.tpm_limit = capped("tpm_limit", wanted.tpm_limit, own.tpm)?;
    wanted.rpm_limit = capped("rpm_limit", wanted.rpm_limit, own.rpm)?;
    wanted.max_parallel_requests = capped(
        "max_parallel_requests",
        wanted.max_parallel_requests,
        own.max_parallel_requests,
    )?;
    if let Some(budget) = own.max_budget {
        match &wanted.max_budget {
            None => wanted.max_budget = serde_json::from_str(&budget.to_string()).ok(),
            Some(asked) if money("max_budget", asked)? > budget => return Err(above("max_budget")),
            Some(_) => {}
        }
    }
    Ok(wanted)
}

fn capped(field: &str, asked: Option<i64>, own: Option<u64>) -> Result<Option<i64>, ApiError> {
    let Some(own) = own.and_then(|own| i64::try_from(own).ok()) else {
        return Ok(asked);
    };
    match asked {
        Some(asked) if asked > own => Err(above(field)),
        asked => Ok(Some(asked.unwrap_or(own))),
    }
}

fn above(field: &str) -> ApiError {
    ApiError::forbidden(format!("{field} is above the calling key's own"))
}

fn check_text(field: &str, text: &str) -> Result<(), ApiError> {
    let wrong = |why: &str| {
        Err(ApiError::new(
            400,
            "bad_request_error",
            format!("{field} {why}"),
            Some(field.to_owned()),
        ))
    };
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

fn money(field: &str, amount: &serde_json::Number) -> Result<NanoUsd, ApiError> {
    NanoUsd::parse(&amount.to_string()).map_err(|error| {
        let text = match error {
            AmountError::TooLarge(_) => format!("{field}: {error}"),
            _ => format!("{field} must be a non-negative finite number. Received: {amount}"),
        };
        ApiError::new(400, "bad_request_error", text, Some(field.to_owned()))
    })
}

fn limit(field: &str, limit: Option<i64>) -> Result<Option<i64>, ApiError> {
    match limit {
        Some(limit) if limit < 0 => {
            let text = format!("{field} must be a non-negative finite number. Received: {limit}");
            Err(ApiError::new(
                400,
                "bad_request_error",
                text,
                Some(field.to_owned()),
            ))
        }
        limit => Ok(limit),
    }
}
