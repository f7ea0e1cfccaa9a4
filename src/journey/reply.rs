//! What comes in and what goes out.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix_web::http::header::HeaderMap;
use bytes::Bytes;

use super::body_room::Share as BodyShare;
use super::failure::Refused;
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

/// The same for a call that goes on by itself, or beside others.
pub struct OwnedIncoming {
    pub operation: Operation,
    pub model: Option<String>,
    pub headers: Rc<HeaderMap>,
    pub body: Bytes,
    pub arrived: Instant,
    pub started_at: i64,
    pub call_id: Arc<str>,
    pub client_ip: Option<Arc<str>>,
    pub share: Option<BodyShare>,
    pub is_copy: bool,
}

impl OwnedIncoming {
    /// To be served once: the share of its body goes with it.
    pub fn incoming(&mut self) -> Incoming<'_> {
        Incoming {
            share: self.share.take().into(),
            operation: self.operation,
            model: self.model.clone(),
            headers: &self.headers,
            body: self.body.clone(),
            arrived: self.arrived,
            started_at: self.started_at,
            call_id: self.call_id.clone(),
            client_ip: self.client_ip.clone(),
            is_copy: self.is_copy,
        }
    }
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
    /// What several calls answered.
    Several {
        headers: HeaderMap,
        answers: Answers,
    },
}

/// The answers of several calls, in the order of what was asked for.
pub struct Answers {
    /// Each a whole body, or why there is none.
    pub all: Vec<Result<Bytes, Box<Refused>>>,
    /// So many of them make a list of their own.
    pub row: Option<NonZeroUsize>,
}
