//! Finding the key that a request names, and whether its caller may have it.

use super::within_own::{is_admin, own_id, sees_all};
use crate::auth::Caller;
use crate::http::error::ApiError;
use crate::journey::Shared;
use crate::store::{KeyInfo, ask, messages};
use crate::types::KeyHash;

/// A key's text or its hash; anything else is no key.
pub fn hash_of(key: &str) -> Option<KeyHash> {
    if key.starts_with("sk-") {
        Some(KeyHash::of(key))
    } else {
        key.parse().ok()
    }
}

/// The key that this text or hash names.
pub async fn find(shared: &Shared, key: &str) -> Result<(KeyHash, KeyInfo), ApiError> {
    let hash = hash_of(key).ok_or_else(|| not_found("Key not found."))?;
    let read = messages::ReadKey { key_hash: hash };
    let found = ask(&shared.store.admin, read).await?;
    Ok((hash, found.ok_or_else(|| not_found("Key not found."))?))
}

pub fn not_found(text: &str) -> ApiError {
    ApiError::new(404, "not_found_error", text, Some("key".to_owned()))
}

/// Administrators and viewers see all keys, others their own and the one they call with.
pub fn may_see(caller: &Caller, hash: KeyHash, info: &KeyInfo) -> bool {
    sees_all(caller) || hash == caller.principal().key_hash || owns(caller, info)
}

/// Whether the key is of the calling user.
pub fn owns(caller: &Caller, info: &KeyInfo) -> bool {
    let own = own_id(caller);
    own.is_some() && info.row.user_id == own
}

/// Administrators have all keys; users the keys that are theirs.
pub fn check_owner(caller: &Caller, info: &KeyInfo) -> Result<(), ApiError> {
    if is_admin(caller) || owns(caller, info) {
        Ok(())
    } else {
        Err(ApiError::forbidden(
            "You are not allowed to change this key: it belongs to somebody else.",
        ))
    }
}

/// What only administrators do (LiteLLM 1.106.2: also team and organisation administrators).
pub fn check_admin(caller: &Caller, what: &str) -> Result<(), ApiError> {
    if is_admin(caller) {
        Ok(())
    } else {
        Err(ApiError::forbidden(format!(
            "only a proxy admin may {what}"
        )))
    }
}
