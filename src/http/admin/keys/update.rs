//! `POST /key/update` and `POST /key/{key}/reset_spend`.

use actix_web::HttpResponse;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::apply::{apply, set_spend};
use super::changes::changes;
use super::fields::{KeyFields, text};
use super::find::{check_admin, check_owner, find, not_found};
use super::shown::shown_with_token;
use super::within_own::{check_change, is_admin, own_id};
use crate::http::admin::json_body::{self, missing, refused};
use crate::http::error::ApiError;
use crate::http::route::{Call, now_ms};
use crate::journey::Shared;
use crate::store::{KeyInfo, ask, messages};
use crate::types::{KeyHash, NanoUsd};

/// What `/key/update` reads: an absent field keeps what is stored, null empties it.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the document's schema; the body is read field by field"
)]
pub struct UpdateKeyRequest {
    /// The key's text or its hash; without it `key_alias` names the key.
    key: Option<String>,
    #[serde(flatten)]
    fields: KeyFields,
}

pub async fn update(call: Call) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    let body = json_body::read(&call.request, call.payload, &call.worker).await?;
    let mut fields = KeyFields::read(&body)?;
    let (asked, hash, info) = named(&call.worker.shared, &body, &mut fields).await?;
    check_owner(&caller, &info)?;
    if !is_admin(&caller) && info.row.created_by != own_id(&caller) {
        return Err(ApiError::forbidden(
            "a user may only change keys that it has made itself",
        ));
    }
    check_change(&call.worker, &caller, &fields)?;
    let now = now_ms();
    let mut update = changes(&caller, &info, &fields, now)?;
    update.changes.updated_by = Some(own_id(&caller));
    let mut changed = apply(&call.worker.shared, hash, &info, update).await?;
    if let Some(spend) = fields.spend {
        changed = set_spend(&call.worker.shared, hash, spend.unwrap_or_default()).await?;
    }
    let mut shown = shown_with_token(&changed, now);
    shown["key"] = asked.into();
    Ok(HttpResponse::Ok().json(shown))
}

/// The key that a body names: by `key`, else by `key_alias`, which then changes nothing.
async fn named(
    shared: &Shared,
    body: &Map<String, Value>,
    fields: &mut KeyFields,
) -> Result<(String, KeyHash, KeyInfo), ApiError> {
    if let Some(key) = text(body, "key")? {
        let (hash, info) = find(shared, &key).await?;
        return Ok((key, hash, info));
    }
    let alias = fields.key_alias.take().flatten();
    let alias = alias.ok_or_else(|| missing("key"))?;
    let aliases = vec![alias.clone()];
    let found = ask(&shared.store.admin, messages::FindAliases { aliases }).await?;
    let Some((_, hash)) = found.into_iter().next() else {
        return Err(not_found("Key not found."));
    };
    let (hash, info) = find(shared, &hash.to_string()).await?;
    Ok((alias, hash, info))
}

/// What `/key/{key}/reset_spend` reads.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the document's schema; the body is read field by field"
)]
pub struct ResetSpendRequest {
    /// US dollars, at most what is spent now.
    #[schema(minimum = 0)]
    reset_to: f64,
}

pub async fn reset_spend(call: Call) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    let key = call
        .request
        .match_info()
        .get("key")
        .unwrap_or_default()
        .to_owned();
    let body = json_body::read(&call.request, call.payload, &call.worker).await?;
    let amount: serde_json::Number =
        json_body::optional(&body, "reset_to")?.ok_or_else(|| missing("reset_to"))?;
    let reset_to = super::checked::money("reset_to", &amount)?;
    check_admin(&caller, "reset the spend of a key")?;
    let (hash, info) = find(&call.worker.shared, &key).await?;
    let before = info.row.spend.max(NanoUsd(0));
    if reset_to > before {
        let text = format!("reset_to must be at most the current spend, {before}");
        return Err(refused("reset_to", text));
    }
    let changed = set_spend(&call.worker.shared, hash, reset_to).await?;
    let shown = shown_with_token(&changed, now_ms());
    Ok(HttpResponse::Ok().json(json!({
        "key_hash": hash.to_string(),
        "spend": reset_to.to_f64(),
        "previous_spend": before.to_f64(),
        "max_budget": shown["max_budget"],
        "budget_reset_at": shown["budget_reset_at"],
    })))
}
