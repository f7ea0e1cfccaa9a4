//! `POST /key/delete`.

use actix_web::HttpResponse;
use serde_json::json;
use utoipa::ToSchema;

use super::find::{check_owner, hash_of, not_found};
use super::within_own::own_id;
use crate::auth::Change;
use crate::http::admin::json_body::{self, missing, optional, refused};
use crate::http::error::ApiError;
use crate::http::route::{Call, now_ms};
use crate::limits::{Forget, ScopeKind};
use crate::store::queries::Deletion;
use crate::store::{ask, messages};
use crate::types::KeyHash;

/// Keys that one request may delete.
const MOST_KEYS: usize = 500;

/// What `/key/delete` reads: one of the lists.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the document's schema; the body is read field by field"
)]
pub struct DeleteKeysRequest {
    /// Texts or hashes of keys, at most 500.
    keys: Option<Vec<String>>,
    key_aliases: Option<Vec<String>>,
}

/// Keys of others refuse the whole request; keys that there are not are left out of the answer.
pub async fn delete(call: Call) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    let body = json_body::read(&call.request, call.payload, &call.worker).await?;
    let keys: Option<Vec<String>> = optional(&body, "keys")?;
    let aliases: Option<Vec<String>> = optional(&body, "key_aliases")?;
    let count = keys.iter().chain(&aliases).map(Vec::len).sum::<usize>();
    if count > MOST_KEYS {
        return Err(refused("keys", "at most 500 keys can be deleted at once"));
    }
    let store = &call.worker.shared.store.admin;
    // As passed, and what it means.
    let named: Vec<(String, KeyHash)> = match (keys, aliases) {
        (None, None) => return Err(missing("keys")),
        (keys, aliases) => {
            let by_key = keys.unwrap_or_default().into_iter();
            let mut named: Vec<_> = by_key
                .filter_map(|key| Some((key.clone(), hash_of(&key)?)))
                .collect();
            let aliases = aliases.unwrap_or_default();
            if !aliases.is_empty() {
                named.extend(ask(store, messages::FindAliases { aliases }).await?);
            }
            named
        }
    };
    let mut hashes: Vec<KeyHash> = named.iter().map(|(_, hash)| *hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    for hash in &hashes {
        if let Some(info) = ask(store, messages::ReadKey { key_hash: *hash }).await? {
            check_owner(&caller, &info)?;
        }
    }
    let deletion = Deletion {
        by: own_id(&caller),
        by_key: Some(caller.principal().key_hash.to_string()),
        now_ms: now_ms(),
    };
    let gone = ask(
        store,
        messages::DeleteKeys {
            keys: hashes,
            deletion,
        },
    )
    .await?;
    if gone.is_empty() {
        return Err(not_found("No keys found"));
    }
    let is_gone = |hash: &KeyHash| {
        let hash = hash.to_string();
        gone.iter().any(|info| info.row.token_hash == hash)
    };
    let deleted: Vec<_> = named.iter().filter(|(_, hash)| is_gone(hash)).collect();
    let shared = &call.worker.shared;
    for (_, hash) in &deleted {
        shared.changes.tell(Change::Key(*hash));
        shared.control.gatekeeper().do_send(Forget {
            kind: ScopeKind::Key,
            id: hash.to_string().into(),
        });
    }
    let deleted: Vec<&String> = deleted.into_iter().map(|(passed, _)| passed).collect();
    Ok(HttpResponse::Ok().json(json!({ "deleted_keys": deleted })))
}
