//! What comes in and what goes out.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use actix_web::http::header::HeaderMap;
use bytes::Bytes;

use super::body_room::Share as BodyShare;
use super::stream::EventStream;
use crate::types::Operation;

/// A request as the door hands it over.
pub struct Incoming<'a> {
    pub operation: Operation,
    /// The model that the path names.
    pub model: Option<String>,
    pub headers: &'a HeaderMap,
    pub body: Bytes,
    /// When the request's head had arrived.
    pub arrived: Instant,
    /// Microseconds since the Unix epoch.
    pub started_at: i64,
    pub call_id: Arc<str>,
    pub client_ip: Option<Arc<str>>,
    /// What the body has taken of the room for bodies; taken by what needs it for longer than the request is served.
    pub share: Cell<Option<BodyShare>>,
    /// A copy of another request, for `silent_model`.
    pub is_copy: bool,
}

/// An answer: status 200, these headers, and a body.
pub enum Reply {
    Whole {
        headers: HeaderMap,
        body: Bytes,
    },
    Stream {
        headers: HeaderMap,
        body: Box<EventStream>,
    },
}
