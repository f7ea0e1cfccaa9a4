//! A key as the API shows it: the fields of LiteLLM's `LiteLLM_VerificationToken`, all of them, never a secret.

use serde_json::{Value, json};

use crate::auth::iso;
use crate::policy::duration::Span;
use crate::store::{KeyInfo, KeyRow};
use crate::types::NanoUsd;

/// A key without its hash.
pub fn shown(info: &KeyInfo, now_ms: i64) -> Value {
    let KeyInfo { row, models } = info;
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|_| json!({}));
    let time = |at: Option<i64>| at.map(iso);
    let dollars = |amount: Option<NanoUsd>| amount.map(NanoUsd::to_f64);
    let (spend, budget_reset_at) = window(row, now_ms);
    let expired = row.expires_at.is_some_and(|at| at <= now_ms);
    let mut shown = json!({
        "key_name": row.key_name,
        "key_alias": row.key_alias,
        "soft_budget_cooldown": false,
        "spend": spend.to_f64(),
        "total_spend": row.total_spend.to_f64(),
        "expires": time(row.expires_at),
        "models": models,
        "aliases": parsed(&row.aliases),
        "config": parsed(&row.config),
        "user_id": row.user_id,
        "team_id": row.team_id,
        "permissions": parsed(&row.permissions),
        "router_settings": Some(parsed(&row.router_settings)).filter(|settings| *settings != json!({})),
        "max_parallel_requests": row.max_parallel_requests,
        "metadata": parsed(&row.metadata),
        "blocked": row.blocked,
        "tpm_limit": row.tpm_limit,
        "rpm_limit": row.rpm_limit,
        "max_budget": dollars(row.max_budget),
        "soft_budget": dollars(row.soft_budget),
        "budget_duration": row.budget_duration,
        "budget_reset_at": time(budget_reset_at),
        "key_type": row.key_type,
        "allowed_routes": serde_json::from_str::<Value>(&row.allowed_routes).unwrap_or_else(|_| json!([])),
        "litellm_budget_table": row.soft_budget.map(|soft| json!({"soft_budget": soft.to_f64()})),
        "rotation_count": row.rotation_count,
        "last_rotation_at": time(row.last_rotation_at),
        "status": if expired { "expired" } else { "active" },
        "created_at": iso(row.created_at),
        "created_by": row.created_by,
        "updated_at": iso(row.updated_at),
        "updated_by": row.updated_by,
        "settings_updated_at": iso(row.updated_at),
        "last_active": time(row.last_active_at),
    });
    if let Some(fields) = shown.as_object_mut() {
        fields.extend(not_kept());
    }
    shown
}

/// The fields of LiteLLM's that this gateway has no value for yet, empty as there: clients may read them.
fn not_kept() -> serde_json::Map<String, Value> {
    let empty = json!({
        "access_group_ids": [],
        "agent_id": null,
        "allowed_cache_controls": [],
        "auto_rotate": false,
        "budget_fallbacks": {},
        "budget_id": null,
        "budget_limits": null,
        "key_rotation_at": null,
        "model_max_budget": {},
        "model_spend": {},
        "object_permission": null,
        "object_permission_id": null,
        "org_id": null,
        "organization_id": null,
        "policies": [],
        "project_id": null,
        "rotation_interval": null,
        "tpd_limit": null,
    });
    match empty {
        Value::Object(fields) => fields,
        _ => serde_json::Map::new(),
    }
}

/// What was spent in the window that `now_ms` lies in, and when the next begins: also when nobody has booked yet that the
/// last one is over.
fn window(row: &KeyRow, now_ms: i64) -> (NanoUsd, Option<i64>) {
    // Calls that are not booked yet may have been taken off already.
    let spend = row.spend.max(NanoUsd(0));
    let over = row.budget_reset_at.filter(|at| *at <= now_ms);
    let next = || {
        let span: Span = row.budget_duration.as_deref()?.parse().ok()?;
        span.window_at(over?, now_ms)
    };
    match next() {
        Some((_, next)) => (NanoUsd(0), Some(next)),
        None => (spend, row.budget_reset_at),
    }
}

/// A key with its hash as `token`.
pub fn shown_with_token(info: &KeyInfo, now_ms: i64) -> Value {
    let mut shown = shown(info, now_ms);
    shown["token"] = info.row.token_hash.as_str().into();
    shown
}

/// A key with its secret: when it is made, and never again.
pub fn shown_with_secret(info: &KeyInfo, secret: &str, now_ms: i64) -> Value {
    let mut shown = shown_with_token(info, now_ms);
    shown["token_id"] = info.row.token_hash.as_str().into();
    shown["key"] = secret.into();
    shown
}
