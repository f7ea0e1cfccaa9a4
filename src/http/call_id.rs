//! The id by which clients and logs know a call.

use std::sync::Arc;

use actix_web::http::header::HeaderMap;

/// Longest call id taken from a client, in characters.
const MOST_CALL_ID: usize = 256;

/// The client's `x-litellm-call-id` when it is short and printable, else a new UUID.
pub fn call_id(headers: &HeaderMap) -> Arc<str> {
    let given = headers
        .get("x-litellm-call-id")
        .and_then(|value| value.to_str().ok());
    match given {
        Some(id)
            if !id.is_empty()
                && id.len() <= MOST_CALL_ID
                && id.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            id.into()
        }
        _ => {
            let mut text = uuid::Uuid::encode_buffer();
            Arc::from(
                &*uuid::Builder::from_random_bytes(fastrand::u128(..).to_le_bytes())
                    .into_uuid()
                    .hyphenated()
                    .encode_lower(&mut text),
            )
        }
    }
}
