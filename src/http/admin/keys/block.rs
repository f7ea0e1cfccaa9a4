//! `POST /key/block` and `POST /key/unblock`.

use actix_web::HttpResponse;
use utoipa::ToSchema;

use super::apply::apply;
use super::fields::text;
use super::find::{check_admin, find};
use super::shown::shown_with_token;
use super::within_own::own_id;
use crate::http::admin::json_body::{self, missing};
use crate::http::error::ApiError;
use crate::http::route::{Call, now_ms};
use crate::store::{KeyChanges, KeyUpdate};

/// What both routes read.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the document's schema; the body is read field by field"
)]
pub struct BlockKeyRequest {
    /// The key's text or its hash.
    key: String,
}

pub async fn block(call: Call) -> Result<HttpResponse, ApiError> {
    set(call, true).await
}

pub async fn unblock(call: Call) -> Result<HttpResponse, ApiError> {
    set(call, false).await
}

async fn set(call: Call, blocked: bool) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    let body = json_body::read(&call.request, call.payload, &call.worker).await?;
    let key = text(&body, "key")?.ok_or_else(|| missing("key"))?;
    check_admin(&caller, "block and unblock keys")?;
    let (hash, info) = find(&call.worker.shared, &key).await?;
    let now_ms = now_ms();
    let update = KeyUpdate {
        changes: KeyChanges {
            blocked: Some(blocked),
            updated_by: Some(own_id(&caller)),
            ..KeyChanges::default()
        },
        now_ms,
        ..KeyUpdate::default()
    };
    let changed = apply(&call.worker.shared, hash, &info, update).await?;
    Ok(HttpResponse::Ok().json(shown_with_token(&changed, now_ms)))
}
