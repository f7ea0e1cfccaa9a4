//! Where an auto router leads a request: asked once a request, before its admission.
//!
//! `lead` decides with the pure rules of `policy::auto_router`; `meaning` brings the vectors of semantic routers by calls of its
//! own; `memory` is the actor that remembers sessions and what users said of answers. Requests for other names cost one look-up.
//! Whatever goes wrong here leads to the router's default group: only a router that leads nowhere refuses a request.

mod lead;
mod meaning;
mod memory;
mod told;

use std::sync::Arc;

use bytes::Bytes;

pub use lead::lead;
pub use memory::{FlushLearnt, Learned, RouteMemory, Unanswered};

use crate::policy::auto_router::request_type::RequestType;
use crate::router::Destination;
use told::Header;

/// Where a request was led, and what is told of that.
#[derive(Debug)]
pub struct Led {
    pub destination: Destination,
    headers: Vec<Header>,
    /// The request's body, where the way there gives it fields of its own.
    pub body: Option<Box<Bytes>>,
    /// What an adaptive router has chosen, for what may be learnt of it.
    pub chosen: Option<Chosen>,
}

/// A group that an adaptive router has chosen.
#[derive(Clone, Debug)]
pub struct Chosen {
    pub router: Arc<str>,
    pub group: Arc<str>,
    pub kind: RequestType,
}

impl Led {
    /// To where somebody else has decided.
    fn to(destination: Destination) -> Self {
        Self {
            destination,
            headers: Vec::new(),
            body: None,
            chosen: None,
        }
    }

    /// Headers of the answer.
    pub fn headers(&self) -> impl Iterator<Item = &Header> {
        self.headers.iter()
    }
}
