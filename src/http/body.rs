//! Request bodies, read with bounds of our own.

use std::time::{Duration, Instant};

use actix_web::http::header;
use actix_web::{HttpRequest, web};
use bytes::Bytes;
use futures_util::StreamExt;

use super::error::ApiError;
use crate::journey::{BodyShare, Worker};

/// What a client must send of a body in a second, on the average, once the time of one silence is over.
const LEAST_RATE: f64 = 512.0;
/// Bodies that arrive at once and are smaller are not counted: they lie in the buffer of their connection.
const UNCOUNTED: usize = 16 * 1024;
/// What is read and thrown away of a body nobody wants, so that the client gets to see its answer.
const MOST_DISCARDED: usize = 8 * 1024 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// A whole body, and its share of the room for bodies, which it keeps as long as it is there.
pub struct Body {
    pub bytes: Bytes,
    pub share: BodyShare,
}

/// The whole body, `most` bytes at most. A body that arrived in one piece is not copied.
pub async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    most: usize,
    worker: &Worker,
) -> Result<Body, ApiError> {
    let mut share = worker.shared.bodies.share();
    let announced = announced(request);
    if announced.is_some_and(|length| length > most as u64) {
        return Err(too_large(payload, most).await);
    }
    let mut pieces = Pieces {
        payload,
        silence: worker.routes().settings().body_timeout,
        began: Instant::now(),
        came: 0,
    };
    let body = |bytes, share| Body { bytes, share };
    let Some(first) = pieces.next().await? else {
        return Ok(body(Bytes::new(), share));
    };
    if first.len() > UNCOUNTED {
        grow(&mut share, first.len())?;
    }
    let mut whole = None;
    let mut first = Some(first);
    while let Some(more) = pieces.next().await? {
        grow(&mut share, more.len())?;
        let whole = whole.get_or_insert_with(|| {
            let first = first.take().unwrap_or_default();
            let expected = announced.unwrap_or(0) as usize;
            let size = expected.max(first.len() + more.len()).min(most);
            let mut buffer = worker.buffers.take(size);
            buffer.extend_from_slice(&first);
            buffer
        });
        if whole.len() + more.len() > most {
            return Err(too_large(pieces.payload, most).await);
        }
        whole.extend_from_slice(&more);
    }
    let bytes = match whole {
        Some(whole) => whole.freeze(),
        None => first.unwrap_or_default(),
    };
    Ok(body(bytes, share))
}

fn grow(share: &mut BodyShare, bytes: usize) -> Result<(), ApiError> {
    share.grow(bytes).map_err(|_| {
        ApiError::unavailable(
            "the gateway holds as many bytes of requests as it may (max_requests_in_memory_mb)",
        )
        .ending_connection()
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

/// A body as it comes.
struct Pieces {
    payload: web::Payload,
    /// The longest one within it.
    silence: Duration,
    began: Instant,
    came: usize,
}

impl Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        match tokio::time::timeout(self.silence, self.payload.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(bytes))) => {
                self.came += bytes.len();
                let due = Duration::from_secs_f64(self.came as f64 / LEAST_RATE);
                if self.began.elapsed() > self.silence + due {
                    return Err(ApiError::request_timeout().ending_connection());
                }
                Ok(Some(bytes))
            }
            Ok(Some(Err(error))) => Err(ApiError::bad_request(
                format!("the body could not be read: {error}"),
                None,
            )),
            Err(_) => Err(ApiError::request_timeout().ending_connection()),
        }
    }
}

/// The refusal of a body, of which a part is read and dropped, so that the client gets to see it; a longer one ends the
/// connection.
async fn too_large(payload: web::Payload, most: usize) -> ApiError {
    let error = ApiError::too_large(most);
    if discard(payload).await {
        error
    } else {
        error.ending_connection()
    }
}

/// Reads and drops what is left of a body, within bounds; whether that was all.
pub async fn discard(mut payload: web::Payload) -> bool {
    let reading = async {
        let mut dropped = 0;
        while let Some(Ok(bytes)) = payload.next().await {
            dropped += bytes.len();
            if dropped > MOST_DISCARDED {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(DISCARD_TIME, reading)
        .await
        .unwrap_or(false)
}
