//! Where an auto router leads a request: asked once a request, before its admission.
//!
//! `lead` decides with the pure rules of `policy::auto_router`, `difficulty` and `experience` what needs more than the text;
//! `meaning` brings vectors and `asking` a model's opinion, both by calls of their own (`own_call`); `memory` is the actor that remembers `sessions` and what
//! users said of answers. Requests for other names cost one look-up.
//! Whatever goes wrong here leads to the router's default group: only a router that leads nowhere refuses a request.

mod asking;
mod difficulty;
mod experience;
mod lead;
mod meaning;
mod memory;
mod own_call;
mod sessions;
mod told;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use lead::{foresee, lead};
pub use memory::{FlushLearnt, Learned, RouteMemory, Unanswered};

use crate::policy::auto_router::request_type::RequestType;
use crate::policy::fallback::Target;
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
    /// In each group its session stays with one deployment for so long since it was last used.
    pub session_stays: Option<Duration>,
}

/// A group that an adaptive router has chosen.
#[derive(Clone, Debug)]
pub struct Chosen {
    pub router: Arc<str>,
    pub group: Arc<str>,
    pub kind: RequestType,
}

/// What a router has decided.
struct Decided {
    target: Target,
    headers: Vec<Header>,
    /// The kind of request that an adaptive router has seen in it.
    chosen: Option<RequestType>,
}

impl Decided {
    fn plainly(group: Arc<str>) -> Self {
        Self {
            target: Target::plain(group),
            headers: Vec::new(),
            chosen: None,
        }
    }
}

impl Led {
    /// To where somebody else has decided.
    fn to(destination: Destination) -> Self {
        Self {
            destination,
            headers: Vec::new(),
            body: None,
            chosen: None,
            session_stays: None,
        }
    }

    /// Headers of the answer.
    pub fn headers(&self) -> impl Iterator<Item = &Header> {
        self.headers.iter()
    }
}
