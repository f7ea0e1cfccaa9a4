//! What a request of the Responses API goes on from, and what may go on from its answer.
//!
//! `resume` reads the references of a request before it is admitted: to a response before it, which an upstream or this gateway
//! keeps, and to content that one deployment alone can read. Each deployment gets the request as it can read it
//! ([`Continuity::readable_by`]), and the answer goes out under an id of ours (`outgoing`). A request that refers to nothing
//! costs one scan.

mod error;
mod outgoing;
mod resume;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

pub use error::ReferenceError;
pub use outgoing::Outgoing;
pub use resume::{find_deployment, resume};

use crate::protocol::continuity::{self, Reader, Unreadable, field};
use crate::protocol::openai::request::Request;
use crate::providers;
use crate::responses::Owner;
use crate::router::{Deployment, Pin, RoutingTable};
use crate::types::{LedgerId, Operation};

/// See the module. Shared by a request and its charge.
pub struct Continuity {
    owner: Owner,
    /// The client's own `previous_response_id`.
    previous: Option<String>,
    /// The turn that it stands for, if it is kept here.
    previous_turn: Option<LedgerId>,
    pub pin: Option<Pin>,
    /// The client did not say `store: false`.
    pub stores: bool,
    /// The client wants to be answered before the response is made.
    pub is_background: bool,
    /// What the request itself brought, as JSON.
    own_input: Bytes,
    /// There is something in it that not everybody can read.
    is_for_some: bool,
}

impl Continuity {
    /// The request as this deployment can read it; `None`: as it is.
    pub fn readable_by(
        &self,
        table: &RoutingTable,
        request: &Request<'_>,
        deployment: &Deployment,
    ) -> Result<Option<Bytes>, Unreadable> {
        if !self.is_for_some && self.previous_turn.is_none() {
            return Ok(None);
        }
        let Some(input) = field(request.bytes(), "input") else {
            return Ok(None);
        };
        let is_native = is_native(deployment);
        let is_own = |origin: &str| {
            let made_there = || find_deployment(table, origin);
            let is_kin = |(_, other): (u32, &Arc<Deployment>)| deployment.is_same_account(other);
            is_native && (*deployment.id == *origin || made_there().is_some_and(is_kin))
        };
        let reader = Reader {
            is_own: &is_own,
            is_native,
            knows_ids: self.previous_turn.is_none(),
        };
        let readable = continuity::readable_by(reader, input)?;
        Ok(readable.map(|input| request.with_fields(&[("input".to_owned(), input)])))
    }
}

/// The deployment's upstream keeps the responses that it makes.
pub fn keeps_responses(deployment: &Deployment) -> bool {
    is_native(deployment) && providers::or_generic(&deployment.provider).keeps_responses
}

/// The deployment's upstream speaks the Responses API itself.
pub fn is_native(deployment: &Deployment) -> bool {
    deployment.mock.is_none() && deployment.urls[Operation::Responses.index()].is_some()
}

impl fmt::Debug for Continuity {
    /// Never the content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Continuity")
            .field("previous", &self.previous)
            .field("pin", &self.pin)
            .field("stores", &self.stores)
            .finish_non_exhaustive()
    }
}
