//! `GET /key/info`.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::auth::iso;
use crate::http::error::ApiError;
use crate::http::route::{Call, now_ms};
use crate::store::{KeyRow, ask, messages};
use crate::types::{KeyHash, NanoUsd, Role};

#[derive(Deserialize, IntoParams)]
pub struct KeyInfoQuery {
    /// A key's text or its hash; the caller's own when it is left out.
    key: Option<String>,
}

pub async fn info(call: Call) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    let query = web::Query::<KeyInfoQuery>::from_query(call.request.query_string())
        .map_err(|error| ApiError::invalid_query("key", error.to_string()))?;
    let principal = caller.principal();
    let (asked, hash) = match &query.key {
        Some(key) => (key.clone(), hash_of(key).ok_or_else(not_found)?),
        None => (principal.key_hash.to_string(), principal.key_hash),
    };
    let found = ask(
        &call.worker.shared.store.admin,
        messages::ReadKey { key_hash: hash },
    )
    .await?
    .ok_or_else(not_found)?;
    let own_user = principal.user.as_ref().map(|user| &*user.id);
    let may_see = matches!(caller.role(), Role::ProxyAdmin | Role::ProxyAdminViewer)
        || hash == principal.key_hash
        || (own_user.is_some() && found.row.user_id.as_deref() == own_user);
    if !may_see {
        return Err(ApiError::forbidden(
            "You are not allowed to access this key's info.",
        ));
    }
    Ok(HttpResponse::Ok().json(json!({"key": asked, "info": shown(&found.row, &found.models)})))
}

/// A key's text or its hash; anything else is no key.
pub(super) fn hash_of(key: &str) -> Option<KeyHash> {
    if key.starts_with("sk-") {
        Some(KeyHash::of(key))
    } else {
        key.parse().ok()
    }
}

fn not_found() -> ApiError {
    ApiError::new(
        404,
        "not_found_error",
        "Key not found in database",
        Some("key".to_owned()),
    )
}

/// A key's row as the API shows it: never its text or its hash.
pub(super) fn shown(row: &KeyRow, models: &[String]) -> Value {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|_| json!({}));
    let time = |at: Option<i64>| at.map(iso);
    let expired = row.expires_at.is_some_and(|at| at <= now_ms());
    json!({
        "key_name": row.key_name,
        "key_alias": row.key_alias,
        "spend": row.spend.to_f64(),
        "total_spend": row.total_spend.to_f64(),
        "expires": time(row.expires_at),
        "models": models,
        "aliases": parsed(&row.aliases),
        "config": parsed(&row.config),
        "user_id": row.user_id,
        "team_id": row.team_id,
        "organization_id": null,
        "project_id": null,
        "agent_id": null,
        "budget_id": null,
        "permissions": parsed(&row.permissions),
        "max_parallel_requests": row.max_parallel_requests,
        "metadata": parsed(&row.metadata),
        "blocked": row.blocked,
        "tpm_limit": row.tpm_limit,
        "rpm_limit": row.rpm_limit,
        "max_budget": row.max_budget.map(NanoUsd::to_f64),
        "soft_budget": null,
        "budget_duration": row.budget_duration,
        "budget_reset_at": time(row.budget_reset_at),
        "allowed_cache_controls": [],
        "allowed_routes": [],
        "model_spend": {},
        "model_max_budget": {},
        "litellm_budget_table": null,
        "object_permission": null,
        "status": if expired { "expired" } else { "active" },
        "created_at": iso(row.created_at),
        "created_by": row.created_by,
        "updated_at": iso(row.updated_at),
        "updated_by": row.updated_by,
        "last_active": time(row.last_active_at),
    })
}
