//! Request bodies, read with bounds of our own.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, web};
use bytes::Bytes;
use futures_util::StreamExt;

use super::error::ApiError;
use crate::journey::Buffers;

/// A client that sends nothing of its body for so long is answered.
const GAP: Duration = Duration::from_secs(60);
/// What is read and thrown away of a body nobody wants, so that the client gets to see its answer.
const MOST_DISCARDED: usize = 8 * 1024 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// The whole body, `most` bytes at most. A body that arrived in one piece is not copied.
pub async fn read(
    request: &HttpRequest,
    mut payload: web::Payload,
    most: usize,
    buffers: &Buffers,
) -> Result<Bytes, ApiError> {
    let announced = announced(request);
    if announced.is_some_and(|length| length > most as u64) {
        discard(payload).await;
        return Err(ApiError::too_large(most));
    }
    let Some(first) = piece(&mut payload).await? else {
        return Ok(Bytes::new());
    };
    let mut whole = None;
    let mut first = Some(first);
    while let Some(more) = piece(&mut payload).await? {
        let whole = whole.get_or_insert_with(|| {
            let first = first.take().unwrap_or_default();
            let expected = announced.unwrap_or(0) as usize;
            let mut buffer = buffers.take(expected.max(first.len() + more.len()).min(most));
            buffer.extend_from_slice(&first);
            buffer
        });
        if whole.len() + more.len() > most {
            discard(payload).await;
            return Err(ApiError::too_large(most));
        }
        whole.extend_from_slice(&more);
    }
    Ok(match whole {
        Some(whole) => whole.freeze(),
        None => first.unwrap_or_default(),
    })
}

fn announced(request: &HttpRequest) -> Option<u64> {
    request
        .headers()
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

async fn piece(payload: &mut web::Payload) -> Result<Option<Bytes>, ApiError> {
    match tokio::time::timeout(GAP, payload.next()).await {
        Ok(None) => Ok(None),
        Ok(Some(Ok(bytes))) => Ok(Some(bytes)),
        Ok(Some(Err(error))) => Err(ApiError::bad_request(
            format!("the body could not be read: {error}"),
            None,
        )),
        Err(_) => Err(ApiError::request_timeout()),
    }
}

/// Reads and drops what is left of a body, within bounds.
pub async fn discard(mut payload: web::Payload) {
    let reading = async {
        let mut dropped = 0;
        while let Some(Ok(bytes)) = payload.next().await {
            dropped += bytes.len();
            if dropped > MOST_DISCARDED {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(DISCARD_TIME, reading).await;
}
