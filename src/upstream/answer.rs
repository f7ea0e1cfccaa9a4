//! An answer whose head has arrived: status, headers, and the body chunk by chunk.

use std::pin::Pin;
use std::time::Duration;

use awc::ClientResponse;
use awc::http::StatusCode;
use awc::http::header::{self, HeaderMap};
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::future::poll_fn;

/// Why a body ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The connection ended, or its framing broke.
    Cut,
    /// Nothing came for the time allowed.
    Timeout,
    /// More than the bound.
    TooLarge,
}

/// See the module.
pub struct Answer {
    status: StatusCode,
    /// Kept apart from the response, so that a stream need not hold them to its end.
    headers: HeaderMap,
    response: ClientResponse,
    /// Polling again after the end would touch a connection that has gone back to the pool.
    ended: bool,
}

impl Answer {
    pub(super) fn new(response: ClientResponse) -> Self {
        let mut headers = HeaderMap::new();
        let response = response.map_body(|head, body| {
            headers = std::mem::take(&mut head.headers);
            body
        });
        Self {
            status: response.status(),
            headers,
            response,
            ended: false,
        }
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Frees what the head took, some 10 KB: streams are open for long, and many at a time.
    pub fn forget_headers(&mut self) {
        self.headers = HeaderMap::new();
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    /// The body came compressed although we asked for it plain.
    pub fn is_compressed(&self) -> bool {
        self.headers()
            .get(header::CONTENT_ENCODING)
            .is_some_and(|value| value != "identity")
    }

    pub fn is_event_stream(&self) -> bool {
        let kind = self
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        kind.is_some_and(|kind| {
            let kind = kind.split(';').next().unwrap_or_default();
            kind.trim().eq_ignore_ascii_case("text/event-stream")
        })
    }

    /// The next piece; `None` at the end. `gap` is the longest silence.
    pub async fn chunk(&mut self, gap: Duration) -> Result<Option<Bytes>, ReadError> {
        tokio::time::timeout(gap, poll_fn(|context| self.poll_chunk(context)))
            .await
            .unwrap_or(Err(ReadError::Timeout))
    }

    /// As [`Self::chunk`], without a bound on the silence.
    pub fn poll_chunk(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<Option<Bytes>, ReadError>> {
        if self.ended {
            return std::task::Poll::Ready(Ok(None));
        }
        Pin::new(&mut self.response)
            .poll_next(context)
            .map(|item| match item {
                Some(Ok(bytes)) => Ok(Some(bytes)),
                Some(Err(error)) => {
                    log::debug!("upstream: body: {error}");
                    self.ended = true;
                    Err(ReadError::Cut)
                }
                None => {
                    self.ended = true;
                    Ok(None)
                }
            })
    }

    /// The whole body, `most` bytes at most, all of it within `limit`.
    pub async fn body(&mut self, limit: Duration, most: usize) -> Result<Bytes, ReadError> {
        tokio::time::timeout(limit, self.collect(most))
            .await
            .unwrap_or(Err(ReadError::Timeout))
    }

    /// The beginning of an error's body: what came within `limit`, `most` bytes at most.
    pub async fn beginning(&mut self, limit: Duration, most: usize) -> Bytes {
        let mut kept = BytesMut::new();
        let reading = async {
            while let Ok(Some(piece)) = self.piece().await {
                let room = most - kept.len();
                kept.extend_from_slice(piece.get(..room).unwrap_or(&piece));
                if kept.len() == most {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(limit, reading).await;
        kept.freeze()
    }

    async fn collect(&mut self, most: usize) -> Result<Bytes, ReadError> {
        let Some(first) = self.piece().await? else {
            return Ok(Bytes::new());
        };
        if first.len() > most {
            return Err(ReadError::TooLarge);
        }
        let Some(second) = self.piece().await? else {
            return Ok(first);
        };
        let announced = self.header("content-length");
        let announced = announced
            .and_then(|length| length.parse().ok())
            .unwrap_or(0);
        let size = (first.len() + second.len()).max(announced).min(most);
        let mut whole = BytesMut::with_capacity(size);
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&second);
        while let Some(more) = self.piece().await? {
            if whole.len() + more.len() > most {
                return Err(ReadError::TooLarge);
            }
            whole.extend_from_slice(&more);
        }
        Ok(whole.freeze())
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, ReadError> {
        poll_fn(|context| self.poll_chunk(context)).await
    }
}
