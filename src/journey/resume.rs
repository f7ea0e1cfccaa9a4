//! Going on with a stream that broke after its first content, where its request or the router says so.
//!
//! Beside the open stream a [`Resume`] keeps the request and what was delivered. When the stream breaks, the calls that follow
//! are those of any failure (retries, then fallbacks), each of them with the conversation as far as it has come ([`Resumed`]).

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::admission::Prospect;
use super::attempt::{Came, Failed};
use super::charge::{Charge, Told};
use super::continuity::keeps_responses;
use super::failover::{Served, serve};
use super::question::Way;
use super::stream::Serving;
use crate::policy::mid_stream::MidStreamFailure;
use crate::protocol::crossing::{self, Back};
use crate::protocol::neutral::Dialect;
use crate::protocol::openai::request::Request;
use crate::protocol::openai_responses;
use crate::protocol::resumption::{
    Delivered, Manner, Obstacle, Passed, has_format, may_be_prefilled, question,
};
use crate::router::Deployment;
use crate::types::{Operation, Usage};

/// What a call goes on with.
pub struct Resumed {
    pub passed: Passed,
    /// All text that was delivered.
    text: String,
    /// What the calls before it used.
    pub before: Usage,
}

/// See the module.
pub struct Resume {
    request: Request<'static>,
    prospect: Prospect,
    delivered: Delivered,
}

impl Resumed {
    /// The request for the rest, as the client would have asked; `None`: the request itself asks for it.
    pub fn question(&self, request: &Request<'_>, deployment: &Deployment) -> Option<Bytes> {
        let operation = request.operation();
        let goes_on_by_itself = deployment.supports_prefill
            && deployment.called_by(operation) == operation
            && may_be_prefilled(request, &self.text);
        let manner = match goes_on_by_itself {
            true => Manner::Prefilled,
            false => Manner::Asked,
        };
        question(request, &self.text, manner)
    }

    /// What turns the answer's events round for the client.
    pub fn back(&self, way: Way, request: &Request<'_>) -> Back {
        if let Some(back) = way.back {
            return back;
        }
        // Upstream and client speak the same: what passed is gone on with by events all the same.
        let dialect = crossing::dialect(request.operation()).unwrap_or(Dialect::Chat);
        let mut back = Back::plain(dialect, dialect);
        if dialect == Dialect::Responses {
            let body = request.bytes();
            let read = openai_responses::decode_request(&Bytes::copy_from_slice(body));
            back.asked = read.ok().map(|(_, asked)| Arc::new(asked));
        }
        back
    }
}

impl Resume {
    /// Prepares an answer that has begun for being gone on with, if that is wanted and possible at all; else its request is over.
    pub fn prepare((charge, came): &mut Served, request: Request<'static>, prospect: Prospect) {
        let Came::Stream(begun) = came else {
            return;
        };
        let dialect = crossing::dialect(charge.operation);
        if let Some(dialect) = dialect
            && wish(charge) == MidStreamFailure::Resume
            && !is_kept_upstream(charge)
            && !charge.is_background()
            && request.choices == 1
            && !has_format(&request)
        {
            begun.resume = Some(Box::new(Self {
                request,
                prospect,
                delivered: Delivered::new(dialect),
            }));
        } else {
            charge.is_sent();
        }
    }

    /// The client is sent these bytes.
    pub fn feed(&mut self, sent: &[u8]) {
        self.delivered.feed(sent);
    }

    /// Why nobody can go on here, if so. `signs`: the upstream signs its thoughts.
    pub fn obstacle(&self, signs: bool) -> Option<Obstacle> {
        self.delivered.passed(signs).err()
    }

    /// The calls for the rest of the answer, which `failed` cut short. `told` is what the upstream had told of it.
    pub fn go_on(
        self: Box<Self>,
        mut charge: Box<Charge>,
        failed: Box<Failed>,
        told: &Told,
    ) -> Serving {
        let Self {
            request,
            mut prospect,
            delivered,
        } = *self;
        let before = charge.carry(told);
        let text = delivered.text().to_owned();
        // What was said is read again.
        let more = text.len() as u64 / 4;
        charge.input_tokens = charge.input_tokens.saturating_add(more);
        charge.estimate.input_tokens = charge.estimate.input_tokens.saturating_add(more);
        charge.resumed = Some(Rc::new(Resumed {
            // Looked at before: there is no obstacle, signed thoughts apart.
            passed: delivered.passed(false).cloned().unwrap_or_default(),
            text,
            before,
        }));
        Box::pin(async move {
            let mut served = serve(charge, &request, &mut prospect, Some(failed)).await?;
            if let Came::Stream(begun) = &mut served.1 {
                begun.resume = Some(Box::new(Self {
                    request,
                    prospect,
                    delivered,
                }));
            }
            Ok(served)
        })
    }
}

fn wish(charge: &Charge) -> MidStreamFailure {
    let own = charge.asked.failover.as_deref();
    own.and_then(|wishes| wishes.mid_stream_failure)
        .unwrap_or(charge.routes.table().failover.mid_stream_failure)
}

/// The provider keeps the response under the id that the client has been told, and another one's rest would not be in it.
fn is_kept_upstream(charge: &Charge) -> bool {
    charge.operation == Operation::Responses
        && charge
            .asked
            .continuity
            .as_ref()
            .is_some_and(|continuity| continuity.stores)
        && keeps_responses(charge.deployment())
}
