//! `GET /key/info` and `POST /v2/key/info`.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::find::{hash_of, may_see, not_found};
use super::shown::{shown, shown_with_token};
use crate::http::admin::json_body::{self, missing, refused};
use crate::http::error::ApiError;
use crate::http::route::{Call, now_ms};
use crate::store::{ask, messages};

const NOT_FOUND: &str = "Key not found in database";
/// Keys that one request may ask for.
const MOST_KEYS: usize = 500;

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
        Some(key) => (
            key.clone(),
            hash_of(key).ok_or_else(|| not_found(NOT_FOUND))?,
        ),
        None => (principal.key_hash.to_string(), principal.key_hash),
    };
    let read = messages::ReadKey { key_hash: hash };
    let found = ask(&call.worker.shared.store.admin, read)
        .await?
        .ok_or_else(|| not_found(NOT_FOUND))?;
    if !may_see(&caller, hash, &found) {
        return Err(ApiError::forbidden(
            "You are not allowed to access this key's info.",
        ));
    }
    Ok(HttpResponse::Ok().json(json!({"key": asked, "info": shown(&found, now_ms())})))
}

/// What `/v2/key/info` reads.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the document's schema; the body is read field by field"
)]
pub struct KeysRequest {
    /// Texts or hashes of keys, at most 500.
    keys: Vec<String>,
}

/// Those of the keys that the caller may see; keys that there are not are left out.
pub async fn info_of_several(call: Call) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    let body = json_body::read(&call.request, call.payload, &call.worker).await?;
    let keys: Vec<String> = json_body::optional(&body, "keys")?.ok_or_else(|| missing("keys"))?;
    if keys.len() > MOST_KEYS {
        return Err(refused("keys", "at most 500 keys can be asked for at once"));
    }
    let mut infos: Vec<Value> = Vec::with_capacity(keys.len());
    for hash in keys.iter().filter_map(|key| hash_of(key)) {
        let read = messages::ReadKey { key_hash: hash };
        if let Some(found) = ask(&call.worker.shared.store.admin, read).await?
            && may_see(&caller, hash, &found)
        {
            infos.push(shown_with_token(&found, now_ms()));
        }
    }
    Ok(HttpResponse::Ok().json(json!({"key": keys, "info": infos})))
}
