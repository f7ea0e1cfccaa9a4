//! The fields that a key is made and changed with.

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::checked;
use crate::config::nearest;
use crate::http::admin::json_body::{field, optional, refused};
use crate::http::error::ApiError;
use crate::types::NanoUsd;

/// Fields of LiteLLM's key requests whose effect is not kept: refused when they ask for something, because a key that
/// ignores its limit is worse than none.
const NOT_YET: &[&str] = &[
    "access_group_ids",
    "agent_id",
    "allowed_cache_controls",
    "allowed_passthrough_routes",
    "allowed_vector_store_indexes",
    "auto_rotate",
    "budget_fallbacks",
    "budget_id",
    "budget_limits",
    "config",
    "default_estimated_output_tokens",
    "default_estimated_output_tokens_per_model",
    "denied_passthrough_routes",
    "disable_global_guardrails",
    "enable_prompt_caching",
    "end_user_budget_id",
    "enforced_params",
    "guardrails",
    "mcp_rpm_limit",
    "model_itpm_limit",
    "model_max_budget",
    "model_otpm_limit",
    "model_rpm_limit",
    "model_tpm_limit",
    "object_permission",
    "organization_id",
    "policies",
    "project_id",
    "prompts",
    "rotation_interval",
    "rpm_limit_type",
    "send_invite_email",
    "tag_rpm_limit",
    "tags",
    "temp_budget_expiry",
    "temp_budget_increase",
    "throttle_on_budget_exceeded",
    "tpd_limit",
    "tpm_limit_type",
];

/// Fields that are obeyed.
const KEPT: &[&str] = &[
    "aliases",
    "allowed_routes",
    "blocked",
    "budget_duration",
    "duration",
    "grace_period",
    "key",
    "key_alias",
    "key_type",
    "max_budget",
    "max_parallel_requests",
    "metadata",
    "models",
    "new_key",
    "new_master_key",
    "permissions",
    "router_settings",
    "rpm_limit",
    "soft_budget",
    "spend",
    "team_id",
    "tpm_limit",
    "user_id",
];

/// What a field says: nothing (`None`), null (`Some(None)`), or a value.
pub type Field<T> = Option<Option<T>>;

/// The fields of a key that this gateway keeps. In changes an absent field keeps what is stored, and null empties it.
#[derive(Clone, Debug, Default, ToSchema)]
pub struct KeyFields {
    /// Unique among all keys.
    #[schema(value_type = Option<String>, max_length = 512)]
    pub key_alias: Field<String>,
    #[schema(value_type = Option<String>, max_length = 512)]
    pub user_id: Field<String>,
    #[schema(value_type = Option<String>, max_length = 512)]
    pub team_id: Field<String>,
    /// Names, patterns (`openai/*`), `all-team-models`, `all-proxy-models`; empty: every model.
    #[schema(value_type = Option<Vec<String>>)]
    pub models: Field<Vec<String>>,
    /// US dollars, in all or in each `budget_duration`.
    #[schema(value_type = Option<f64>, minimum = 0)]
    pub max_budget: Field<NanoUsd>,
    /// US dollars from which on a warning is logged.
    #[schema(value_type = Option<f64>, minimum = 0)]
    pub soft_budget: Field<NanoUsd>,
    /// How often the budget begins anew: `1h`, `7d`, `30d`, `1mo`.
    #[schema(value_type = Option<String>, example = "30d")]
    pub budget_duration: Field<String>,
    /// Tokens a minute.
    #[schema(value_type = Option<i64>, minimum = 0)]
    pub tpm_limit: Field<i64>,
    /// Requests a minute.
    #[schema(value_type = Option<i64>, minimum = 0)]
    pub rpm_limit: Field<i64>,
    /// Requests at the same time.
    #[schema(value_type = Option<i64>, minimum = 0)]
    pub max_parallel_requests: Field<i64>,
    /// From now until the key expires: `30s`, `30d`, `1mo`; `-1` or null: never.
    #[schema(value_type = Option<String>, example = "30d")]
    pub duration: Field<String>,
    /// US dollars spent so far; administrators only.
    #[schema(value_type = Option<f64>, minimum = 0)]
    pub spend: Field<NanoUsd>,
    #[schema(value_type = Option<bool>)]
    pub blocked: Field<bool>,
    #[schema(value_type = Option<Object>)]
    pub metadata: Field<Map<String, Value>>,
    /// The key's own names for models: name to model.
    #[schema(value_type = Option<Object>)]
    pub aliases: Field<Map<String, Value>>,
    /// What the routing of its calls is to be like: `fallbacks`, `context_window_fallbacks`, `content_policy_fallbacks`,
    /// `num_retries`, `timeout`, `model_group_retry_policy`, `routing_strategy`, `enable_tag_filtering`, `weights`.
    #[schema(value_type = Option<Object>)]
    pub router_settings: Field<Map<String, Value>>,
    #[schema(value_type = Option<Object>)]
    pub permissions: Field<Map<String, Value>>,
    /// Paths, `/prefix/*`, or groups such as `llm_api_routes` and `info_routes`; empty: all that the role may.
    #[schema(value_type = Option<Vec<String>>)]
    pub allowed_routes: Field<Vec<String>>,
    /// `default`, `llm_api`, `management` or `read_only`: presets of `allowed_routes`.
    #[schema(value_type = Option<String>, example = "llm_api")]
    pub key_type: Field<String>,
}

impl KeyFields {
    /// Reads and checks the fields, one at a time so that an error names its field.
    ///
    /// 422 for a wrong type and for a field that looks like a slip of a known one, 400 for a value that cannot be used or a
    /// field whose effect is not kept. Other unknown fields are ignored, as LiteLLM does.
    pub fn read(body: &Map<String, Value>) -> Result<Self, ApiError> {
        for (name, value) in body {
            check_name(name, value)?;
        }
        let mut fields = Self {
            key_alias: field(body, "key_alias")?,
            user_id: field(body, "user_id")?,
            team_id: field(body, "team_id")?,
            models: field(body, "models")?,
            max_budget: money(body, "max_budget")?,
            soft_budget: money(body, "soft_budget")?,
            budget_duration: field(body, "budget_duration")?,
            tpm_limit: limit(body, "tpm_limit")?,
            rpm_limit: limit(body, "rpm_limit")?,
            max_parallel_requests: limit(body, "max_parallel_requests")?,
            duration: field(body, "duration")?,
            spend: money(body, "spend")?,
            blocked: field(body, "blocked")?,
            metadata: field(body, "metadata")?,
            aliases: field(body, "aliases")?,
            router_settings: field(body, "router_settings")?,
            permissions: field(body, "permissions")?,
            allowed_routes: field(body, "allowed_routes")?,
            key_type: field(body, "key_type")?,
        };
        for (name, text) in [
            ("key_alias", &fields.key_alias),
            ("user_id", &fields.user_id),
            ("team_id", &fields.team_id),
        ] {
            if let Some(Some(text)) = text {
                checked::text(name, text)?;
            }
        }
        for (name, list) in [
            ("models", &fields.models),
            ("allowed_routes", &fields.allowed_routes),
        ] {
            for text in list.iter().flatten().flatten() {
                checked::text(name, text)?;
            }
        }
        checked::aliases(&fields.aliases)?;
        checked::router_settings(&fields.router_settings)?;
        if let Some(Some(every)) = &fields.budget_duration {
            crate::policy::duration::parse_budget_duration(every)
                .map_err(|error| refused("budget_duration", error.to_string()))?;
        }
        if let Some(Some(kind)) = &fields.key_type {
            let preset = checked::preset(kind)?;
            if fields
                .allowed_routes
                .as_ref()
                .is_none_or(|routes| routes.as_ref().is_none_or(Vec::is_empty))
            {
                fields.allowed_routes = Some(Some(preset));
            }
        }
        Ok(fields)
    }
}

fn check_name(name: &str, value: &Value) -> Result<(), ApiError> {
    if NOT_YET.contains(&name) {
        let asks_for_nothing = match value {
            Value::Null | Value::Bool(false) => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            _ => false,
        };
        if asks_for_nothing {
            return Ok(());
        }
        let text =
            format!("{name} is not supported yet: nothing was done, because it would not be kept");
        return Err(refused(name, text));
    }
    if KEPT.contains(&name) {
        return Ok(());
    }
    let known = KEPT.iter().chain(NOT_YET).copied();
    match nearest(name, known) {
        None => Ok(()),
        Some(meant) => {
            let message = format!(
                "Extra inputs are not permitted: did you mean '{meant}'? Nothing was done."
            );
            Err(ApiError::detail(
                422,
                json!([{"type": "extra_forbidden", "loc": ["body", checked::shortened(name)], "msg": message}]),
            ))
        }
    }
}

fn money(body: &Map<String, Value>, name: &str) -> Result<Field<NanoUsd>, ApiError> {
    match field::<serde_json::Number>(body, name)? {
        Some(Some(amount)) => Ok(Some(Some(checked::money(name, &amount)?))),
        Some(None) => Ok(Some(None)),
        None => Ok(None),
    }
}

fn limit(body: &Map<String, Value>, name: &str) -> Result<Field<i64>, ApiError> {
    let limit = field::<i64>(body, name)?;
    match limit {
        Some(Some(limit)) if limit < 0 => Err(refused(
            name,
            format!("{name} must be a non-negative finite number. Received: {limit}"),
        )),
        limit => Ok(limit),
    }
}

/// A text field that is not part of [`KeyFields`]; null counts as absent.
pub fn text(body: &Map<String, Value>, name: &str) -> Result<Option<String>, ApiError> {
    optional(body, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: Value) -> Result<KeyFields, String> {
        KeyFields::read(body.as_object().unwrap()).map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn absent_null_and_there_are_three_things() {
        let fields = read(json!({"max_budget": null, "rpm_limit": 5.0, "models": []})).unwrap();
        assert_eq!(fields.max_budget, Some(None));
        assert_eq!(fields.rpm_limit, Some(Some(5)));
        assert_eq!(fields.models, Some(Some(vec![])));
        assert_eq!(fields.tpm_limit, None);
    }

    #[test]
    fn what_is_not_kept_is_refused_only_when_it_asks_for_something() {
        for name in NOT_YET {
            for nothing in [json!(null), json!(false), json!([]), json!({})] {
                assert!(read(json!({ *name: nothing })).is_ok(), "{name}");
            }
            let error = read(json!({ *name: "x" })).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
        assert!(KEPT.iter().all(|name| !NOT_YET.contains(name)));
    }

    #[test]
    fn slips_are_named_and_strangers_ignored() {
        let error = read(json!({"max_budgett": 1})).unwrap_err();
        assert!(error.contains("did you mean 'max_budget'?"), "{error}");
        assert!(read(json!({"something_else": 1})).is_ok());
    }
}
