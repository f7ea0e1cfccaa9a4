//! Opening a WebSocket, as far as it takes to know that it can be opened.

use std::time::Duration;

use awc::error::WsClientError;
use awc::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use awc::ws::Message;
use futures_util::SinkExt as _;

use super::client::{CallError, Client, EndpointError};
use crate::config::TlsChoice;
use crate::types::Secret;

/// No WebSocket was opened.
#[derive(Debug)]
pub enum HandshakeError {
    Endpoint(EndpointError),
    Call(CallError),
    /// With this status, and not 101.
    Refused(u16),
    /// The answer is none of the protocol's (RFC 6455, 4.1).
    NoSocket,
}

impl Client {
    /// Asks `url`, of `http:` or `https:`, for a WebSocket and closes it: the headers that it was opened with. Always by
    /// HTTP/1.1, within `limit`. `more` wins over `headers`, as with [`Self::endpoint_for`].
    pub async fn handshake(
        &self,
        url: &str,
        headers: &[(String, Secret)],
        tls: Option<&TlsChoice>,
        more: Option<(HeaderName, HeaderValue)>,
        limit: Duration,
    ) -> Result<HeaderMap, HandshakeError> {
        let address = self.address(url, headers, tls);
        let mut address = address.map_err(HandshakeError::Endpoint)?;
        // There is no body.
        address.headers.remove(header::CONTENT_TYPE);
        if let Some((name, value)) = more {
            address.headers.insert(name, value);
        }
        let mut request = address.http1().ws(address.line.clone());
        for (name, value) in address.whole_headers() {
            request = request.header(name, value);
        }
        let opened = tokio::time::timeout(limit, request.connect());
        let opened = opened.await.unwrap_or_else(|_| {
            Err(WsClientError::SendRequest(
                awc::error::SendRequestError::Timeout,
            ))
        });
        let (answer, mut socket) = opened.map_err(|error| {
            log::debug!("upstream: no WebSocket: {error}");
            match error {
                WsClientError::SendRequest(error) => HandshakeError::Call(CallError::of(&error)),
                WsClientError::InvalidResponseStatus(status) => {
                    HandshakeError::Refused(status.as_u16())
                }
                _ => HandshakeError::NoSocket,
            }
        })?;
        // A courtesy: who does not read it sees the connection end.
        let _ = tokio::time::timeout(limit, socket.send(Message::Close(None))).await;
        Ok(answer.headers().clone())
    }
}
