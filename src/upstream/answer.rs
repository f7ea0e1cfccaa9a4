//! An answer whose head has arrived: status, headers, and the body chunk by chunk.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use awc::ClientResponse;
use awc::http::StatusCode;
use awc::http::header::{self, HeaderMap};
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::future::poll_fn;

use super::decode::Decoder;
use super::http2::Http2Body;

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
    source: Source,
    /// Polling again after the end would touch a connection that has gone back to the pool.
    ended: bool,
}

/// Where a body comes from.
enum Source {
    Network {
        response: ClientResponse,
        /// The body comes compressed although we asked for it plain.
        decoder: Option<Box<Decoder>>,
    },
    Http2 {
        body: Box<Http2Body>,
        decoder: Option<Box<Decoder>>,
    },
    /// Made in this process: nobody was called.
    Made(std::vec::IntoIter<Bytes>),
}

impl Answer {
    pub(super) fn new(response: ClientResponse) -> Self {
        let mut headers = HeaderMap::new();
        let response = response.map_body(|head, body| {
            headers = std::mem::take(&mut head.headers);
            body
        });
        let decoder = encoding(&headers).and_then(Decoder::of).map(Box::new);
        Self {
            status: response.status(),
            headers,
            source: Source::Network { response, decoder },
            ended: false,
        }
    }

    pub(super) fn of_http2(
        (status, headers, body): (StatusCode, http::HeaderMap, Http2Body),
    ) -> Self {
        let headers = HeaderMap::from(headers);
        let decoder = encoding(&headers).and_then(Decoder::of).map(Box::new);
        Self {
            status,
            headers,
            source: Source::Http2 {
                body: Box::new(body),
                decoder,
            },
            ended: false,
        }
    }

    /// An answer that nobody has sent: it arrives in these pieces, at once.
    pub fn made(status: u16, content_type: &'static str, pieces: Vec<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static(content_type),
        );
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers,
            source: Source::Made(pieces.into_iter()),
            ended: false,
        }
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Headers that another server has sent: none for an answer of our own.
    pub fn foreign_headers(&self) -> Option<&HeaderMap> {
        (!matches!(self.source, Source::Made(_))).then_some(&self.headers)
    }

    /// Frees what the head took, some 10 KB: streams are open for long, and many at a time.
    pub fn forget_headers(&mut self) {
        self.headers = HeaderMap::new();
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    /// Why the body cannot be read, if it cannot.
    pub fn unreadable(&self) -> Option<String> {
        let (Source::Network { decoder, .. } | Source::Http2 { decoder, .. }) = &self.source else {
            return None;
        };
        let encoding = encoding(&self.headers).filter(|_| decoder.is_none())?;
        Some(format!(
            "it is compressed with '{encoding}' though identity was asked for, and only gzip and deflate are decoded"
        ))
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
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, ReadError>> {
        if self.ended {
            return Poll::Ready(Ok(None));
        }
        let read = match &mut self.source {
            Source::Made(pieces) => Ok(pieces.next()),
            Source::Network {
                response,
                decoder: None,
            } => ready!(poll_raw(response, context)),
            Source::Network {
                response,
                decoder: Some(decoder),
            } => ready!(poll_decoded(decoder, || poll_raw(response, context))),
            Source::Http2 {
                body,
                decoder: None,
            } => ready!(poll_http2(body, context)),
            Source::Http2 {
                body,
                decoder: Some(decoder),
            } => ready!(poll_decoded(decoder, || poll_http2(body, context))),
        };
        self.ended = !matches!(read, Ok(Some(_)));
        Poll::Ready(read)
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

/// The `content-encoding`, unless it says that there is none.
fn encoding(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_ENCODING)?;
    // What is no text is an encoding nobody knows.
    let value = value.to_str().unwrap_or("unreadable");
    (!value.is_empty() && !value.eq_ignore_ascii_case("identity")).then_some(value)
}

fn poll_raw(
    response: &mut ClientResponse,
    context: &mut Context<'_>,
) -> Poll<Result<Option<Bytes>, ReadError>> {
    Pin::new(response).poll_next(context).map(|item| {
        item.transpose().map_err(|error| {
            log::debug!("upstream: body: {error}");
            ReadError::Cut
        })
    })
}

fn poll_http2(
    body: &mut Http2Body,
    context: &mut Context<'_>,
) -> Poll<Result<Option<Bytes>, ReadError>> {
    body.poll_data(context).map(|item| {
        item.transpose().map_err(|error| {
            log::debug!("upstream: body: {error}");
            ReadError::Cut
        })
    })
}

fn poll_decoded(
    decoder: &mut Decoder,
    mut poll_raw: impl FnMut() -> Poll<Result<Option<Bytes>, ReadError>>,
) -> Poll<Result<Option<Bytes>, ReadError>> {
    loop {
        if let Some(piece) = decoder.piece()? {
            return Poll::Ready(Ok(Some(piece)));
        }
        if decoder.has_ended() {
            return Poll::Ready(Ok(None));
        }
        match ready!(poll_raw())? {
            Some(bytes) => decoder.feed(bytes),
            None => decoder.end(),
        }
    }
}
