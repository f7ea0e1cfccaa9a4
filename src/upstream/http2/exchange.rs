//! One request and its answer.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version, header};

use super::connection::Slot;
use crate::types::Pieces;

/// What is handed over at once; more waits for the peer's window.
const AT_ONCE: usize = 64 * 1024;

/// What all requests of an endpoint have in common.
#[derive(Clone)]
pub struct Head {
    pub method: Method,
    pub uri: Uri,
    /// Without those that belong to HTTP/1.1.
    pub headers: HeaderMap,
}

/// There is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The peer has not looked at the request, and says so, or has not got it.
    #[error("the request was not looked at")]
    Untouched,
    /// The peer wants HTTP/1.1 for this.
    #[error("HTTP/1.1 is wanted")]
    WantsHttp1,
    /// The connection ended.
    #[error("the connection ended: {0}")]
    Died(h2::Error),
    /// The peer ended this exchange alone.
    #[error("the exchange was ended: {0}")]
    Reset(h2::Error),
}

/// The body of an answer, with what is left to send of its request.
pub struct Http2Body {
    received: RecvStream,
    sending: Option<Sending>,
    /// After the streams: they are closed when the place is given back.
    _slot: Slot,
}

/// Sends a request and waits for the head of its answer.
pub async fn exchange(
    slot: Slot,
    head: &Head,
    more: &[(HeaderName, HeaderValue)],
    body: Pieces,
) -> Result<(StatusCode, HeaderMap, Http2Body), SendError> {
    let mut sender = match slot.connection.sender.clone().ready().await {
        Ok(sender) => sender,
        Err(_) => {
            slot.connection.retire();
            return Err(SendError::Untouched);
        }
    };
    let mut request = Request::new(());
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = head.uri.clone();
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = head.headers.clone();
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len() as u64));
    for (name, value) in more {
        headers.insert(name.clone(), value.clone());
    }
    let is_empty = body.is_empty();
    let sent = sender.send_request(request, is_empty);
    let (mut answer, stream) = sent.map_err(|error| {
        slot.connection.retire();
        SendError::of(error)
    })?;
    let mut sending = (!is_empty).then(|| Sending {
        stream,
        left: body,
        next: None,
    });
    let answered = poll_fn(|context| {
        // A failure to send is told by the answer as well, which may also be one that explains it.
        send_more(&mut sending, context);
        Pin::new(&mut answer).poll(context)
    })
    .await;
    match answered {
        Ok(answer) => {
            let (parts, received) = answer.into_parts();
            let body = Http2Body {
                received,
                sending,
                _slot: slot,
            };
            Ok((parts.status, parts.headers, body))
        }
        Err(error) => {
            let error = SendError::of(error);
            if !matches!(error, SendError::Reset(_)) {
                slot.connection.retire();
            }
            Err(error)
        }
    }
}

impl Http2Body {
    /// The next piece; `None` at the end.
    pub fn poll_data(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, h2::Error>>> {
        send_more(&mut self.sending, context);
        self.received.poll_data(context).map(|read| {
            let read = read?;
            if let Ok(bytes) = &read {
                // What was read may be sent anew. An error would be the connection's, which the next read tells.
                let _ = self.received.flow_control().release_capacity(bytes.len());
            }
            match read {
                // Answered without wanting the rest of the request (RFC 9113, 8.1).
                Err(error) if error.is_reset() && error.reason() == Some(Reason::NO_ERROR) => None,
                read => Some(read),
            }
        })
    }
}

impl SendError {
    fn of(error: h2::Error) -> Self {
        let reason = error.reason();
        let theirs = error.is_remote();
        if theirs && error.is_reset() {
            return match reason {
                Some(Reason::REFUSED_STREAM) => Self::Untouched,
                Some(Reason::HTTP_1_1_REQUIRED) => Self::WantsHttp1,
                _ => Self::Reset(error),
            };
        }
        // An orderly end: those told so are the ones beyond the last one that was looked at.
        if theirs && error.is_go_away() && reason == Some(Reason::NO_ERROR) {
            return Self::Untouched;
        }
        Self::Died(error)
    }
}

/// A request's body on its way.
struct Sending {
    stream: SendStream<Bytes>,
    left: Pieces,
    next: Option<Bytes>,
}

/// Sends what there is room for. What cannot be sent any more is dropped.
fn send_more(sending: &mut Option<Sending>, context: &mut Context<'_>) {
    let is_over = match sending {
        Some(sending) => sending.poll(context).is_ready(),
        None => return,
    };
    if is_over {
        *sending = None;
    }
}

impl Sending {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(next) = self.next.take().or_else(|| self.left.take(AT_ONCE)) else {
                // The end was sent with the last piece.
                return Poll::Ready(());
            };
            self.stream.reserve_capacity(next.len());
            while self.stream.capacity() == 0 {
                match self.stream.poll_capacity(context) {
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => {
                        self.next = Some(next);
                        return Poll::Pending;
                    }
                }
            }
            let mut rest = next;
            let now = rest.split_to(self.stream.capacity().min(rest.len()));
            if !rest.is_empty() {
                self.next = Some(rest);
            }
            let is_end = self.next.is_none() && self.left.is_empty();
            if self.stream.send_data(now, is_end).is_err() || is_end {
                return Poll::Ready(());
            }
        }
    }
}
