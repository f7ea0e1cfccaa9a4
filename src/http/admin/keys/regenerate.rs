//! `POST /key/regenerate` and `POST /key/{key}/regenerate`.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::apply::set_spend;
use super::changes::changes;
use super::checked;
use super::fields::{KeyFields, text};
use super::find::{check_owner, find, not_found};
use super::generate::new_secret;
use super::shown::shown_with_secret;
use super::within_own::{check_change, own_id};
use crate::auth::{Change, abbreviated};
use crate::http::admin::json_body::{self, missing, refused};
use crate::http::error::ApiError;
use crate::http::route::{Call, now_ms};
use crate::limits::{Rename, ScopeKind};
use crate::policy::duration::Span;
use crate::spend::BookRenewals;
use crate::store::{Rotation, ask, messages};
use crate::types::KeyHash;

/// LiteLLM's variable for how long the former secret stays good when a request does not say.
const GRACE_VARIABLE: &str = "LITELLM_KEY_ROTATION_GRACE_PERIOD";

#[derive(Deserialize, IntoParams)]
pub struct RegenerateKeyQuery {
    /// The key's text or its hash, when neither path nor body name it.
    key: Option<String>,
}

/// What is read: any field of `/key/update` beside these.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the document's schema; the body is read field by field"
)]
pub struct RegenerateKeyRequest {
    /// The key's text or its hash, when the path does not name it.
    key: Option<String>,
    /// The new secret; made when it is left out.
    #[schema(min_length = 16, max_length = 512)]
    new_key: Option<String>,
    /// How long the former secret stays good: `24h`; not at all when it is left out.
    #[schema(example = "24h")]
    grace_period: Option<String>,
    #[serde(flatten)]
    fields: KeyFields,
}

pub async fn regenerate(call: Call) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    let in_path = call.request.match_info().get("key").map(str::to_owned);
    let query = web::Query::<RegenerateKeyQuery>::from_query(call.request.query_string())
        .map_err(|error| ApiError::invalid_query("key", error.to_string()))?
        .into_inner();
    let body = json_body::read(&call.request, call.payload, &call.worker).await?;
    let fields = KeyFields::read(&body)?;
    if text(&body, "new_master_key")?.is_some() {
        let why = "the master key is not changed by this route: run `pointsman master-key rotate`";
        return Err(refused("new_master_key", why));
    }
    let key = match in_path.or(text(&body, "key")?).or(query.key) {
        Some(key) => key,
        None => return Err(missing("key")),
    };
    let secret = match text(&body, "new_key")? {
        Some(secret) => {
            checked::custom_key("new_key", &secret)?;
            secret
        }
        None => new_secret()?,
    };
    let now = now_ms();
    let grace = text(&body, "grace_period")?.or_else(|| std::env::var(GRACE_VARIABLE).ok());
    let revoke_at = match grace.filter(|text| !text.is_empty()) {
        Some(grace) => end_of(&grace, now)?,
        None => now,
    };

    let (old, info) = find(&call.worker.shared, &key).await?;
    check_owner(&caller, &info)?;
    check_change(&call.worker, &caller, &fields)?;
    let mut update = changes(&caller, &info, &fields, now)?;
    update.changes.updated_by = Some(own_id(&caller));
    let shared = &call.worker.shared;
    if update.changes.budget_reset_at.is_some() {
        let _ = shared.renewals.send(BookRenewals).await;
    }
    let new = KeyHash::of(&secret);
    let rotation = Rotation {
        key_name: Some(abbreviated(&secret)),
        revoke_at,
    };
    let rotate = messages::RotateKey {
        old,
        new,
        rotation,
        update,
    };
    let rotated = ask(&shared.store.admin, rotate).await?;
    let mut rotated = rotated.ok_or_else(|| not_found("Key not found."))?;
    // What the key has used goes on under its new hash; told before anybody can call with it.
    let rename = Rename {
        kind: ScopeKind::Key,
        from: old.to_string().into(),
        to: new.to_string().into(),
    };
    if shared.control.gatekeeper().send(rename).await.is_err() {
        log::error!("limits: a regenerated key begins with what is booked");
    }
    shared.changes.tell(Change::Key(old));
    shared.changes.tell(Change::Key(new));
    if let Some(spend) = fields.spend {
        rotated = set_spend(&call.worker.shared, new, spend.unwrap_or_default()).await?;
    }
    Ok(HttpResponse::Ok().json(shown_with_secret(&rotated, &secret, now)))
}

fn end_of(grace: &str, now_ms: i64) -> Result<i64, ApiError> {
    let span: Option<Span> = grace.parse().ok();
    span.and_then(|span| span.expires_at(now_ms))
        .ok_or_else(|| {
            let text = format!(
                "Invalid grace_period '{}'. Use a format like '30s', '24h' or '7d'.",
                checked::shortened(grace)
            );
            refused("grace_period", text)
        })
}
