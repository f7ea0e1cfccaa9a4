//! `POST /key/generate`.

use actix_web::HttpResponse;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::fields::{Field, KeyFields, text};
use super::shown::shown_with_secret;
use super::{checked, within_own};
use crate::auth::{Caller, Change};
use crate::http::admin::json_body;
use crate::http::error::ApiError;
use crate::http::route::{Call, now_ms};
use crate::policy::duration::Span;
use crate::store::{KeyInfo, KeyRow, NewKey, ask, messages};
use crate::types::KeyHash;

/// What `/key/generate` reads.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the document's schema; the body is read field by field"
)]
pub struct GenerateKeyRequest {
    /// The key itself, `sk-` and 16 to 512 characters in all; made when it is left out.
    #[schema(min_length = 16, max_length = 512)]
    key: Option<String>,
    #[serde(flatten)]
    fields: KeyFields,
}

pub async fn generate(call: Call) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    let body = json_body::read(&call.request, call.payload, &call.worker).await?;
    let mut fields = KeyFields::read(&body)?;
    let secret = match text(&body, "key")? {
        Some(key) => {
            checked::custom_key("key", &key)?;
            key
        }
        None => new_secret()?,
    };
    within_own::complete(&call.worker, &caller, &mut fields)?;
    let key = NewKey {
        row: row(&caller, &fields, &secret)?,
        models: fields.models.flatten().unwrap_or_default(),
    };
    let shared = &call.worker.shared;
    ask(
        &shared.store.admin,
        messages::InsertKey { key: key.clone() },
    )
    .await?;
    // Who tried this key before it existed must not be told for seconds that it does not.
    shared.changes.tell(Change::Key(KeyHash::of(&secret)));
    let info = KeyInfo {
        row: key.row,
        models: key.models,
    };
    Ok(HttpResponse::Ok().json(shown_with_secret(&info, &secret, now_ms())))
}

/// `sk-` and 22 characters, 128 random bits.
pub fn new_secret() -> Result<String, ApiError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|_| ApiError::unavailable("the system has no random numbers at the moment"))?;
    Ok(format!("sk-{}", URL_SAFE_NO_PAD.encode(random)))
}

fn row(caller: &Caller, fields: &KeyFields, secret: &str) -> Result<KeyRow, ApiError> {
    let now = now_ms();
    let own_id = within_own::own_id(caller);
    let asked = match fields.duration.as_ref().and_then(Option::as_deref) {
        Some(duration) => checked::expiry(duration, now)?,
        None => None,
    };
    let budget_duration = fields.budget_duration.clone().flatten();
    Ok(KeyRow {
        key_name: Some(crate::auth::abbreviated(secret)),
        key_alias: fields.key_alias.clone().flatten(),
        user_id: fields.user_id.clone().flatten(),
        team_id: fields.team_id.clone().flatten(),
        blocked: fields.blocked.flatten().unwrap_or(false),
        expires_at: within_own::bounded_expiry(caller, asked),
        spend: within_own::imported(fields),
        max_budget: fields.max_budget.flatten(),
        soft_budget: fields.soft_budget.flatten(),
        budget_reset_at: next_reset(budget_duration.as_deref(), now),
        budget_duration,
        tpm_limit: fields.tpm_limit.flatten(),
        rpm_limit: fields.rpm_limit.flatten(),
        max_parallel_requests: fields.max_parallel_requests.flatten(),
        metadata: object(&fields.metadata),
        permissions: object(&fields.permissions),
        aliases: object(&fields.aliases),
        router_settings: object(&fields.router_settings),
        key_type: fields.key_type.clone().flatten(),
        allowed_routes: list(&fields.allowed_routes),
        created_by: own_id.clone(),
        updated_by: own_id,
        ..KeyRow::new(KeyHash::of(secret), now)
    })
}

/// When a budget of this rhythm next begins anew; the text has been checked.
pub fn next_reset(budget_duration: Option<&str>, now_ms: i64) -> Option<i64> {
    let span: Span = budget_duration?.parse().ok()?;
    span.next_reset(now_ms)
}

/// A map as it is stored.
pub fn object(map: &Field<Map<String, Value>>) -> String {
    Value::Object(map.clone().flatten().unwrap_or_default()).to_string()
}

/// A list as it is stored.
pub fn list(texts: &Field<Vec<String>>) -> String {
    Value::from(texts.clone().flatten().unwrap_or_default()).to_string()
}
