//! Everything that can end a request without an answer.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderMap;

use super::continuity::ReferenceError;
use super::stored::ErrandError;
use crate::limits::Refusal;
use crate::policy::access::DeniedBy;
use crate::policy::upstream_error;
use crate::protocol::openai::request::RequestError;
use crate::types::{DeploymentId, NanoUsd};

/// Why.
#[derive(Debug)]
pub enum Failure {
    /// The body is no request of its operation.
    Request(RequestError),
    /// What the request goes on from cannot be had.
    Reference(ReferenceError),
    /// An errand about a response cannot be done.
    Errand(ErrandError),
    /// No group, alias or deployment has this name; `None` when the body names no model.
    UnknownModel(Option<String>),
    /// The caller's lists do not allow this model.
    ModelDenied { by: DeniedBy, model: String },
    /// All deployments of the model are paused.
    Paused(String),
    /// Nobody knows the model's price, and the configuration wants to know it.
    Unpriced(String),
    /// A limit or a budget.
    Limited(Refusal),
    /// All callers together have too many calls under way.
    Crowded { limit: u64 },
    /// All slots of the group's deployments are in use.
    Busy {
        group: Arc<str>,
        deployment: Arc<str>,
        slots: u32,
    },
    /// The group's deployments are all cooling down; the first of them returns so soon.
    Cooling {
        group: Arc<str>,
        returns_in: Duration,
        /// Their ids.
        deployments: Vec<DeploymentId>,
    },
    /// The group has no deployment to call.
    NoDeployment { group: Arc<str> },
    /// Spend could not be journalled, so no call may begin.
    LedgerClosed,
    /// The control thread failed at this request.
    ControlFailed,
    /// The gateway ends, and this call took longer than it could wait.
    Ending,
    /// A step of this request panicked.
    Panicked,
    /// The upstream failed; its answer's headers come along.
    Upstream {
        failure: upstream_error::Failure,
        headers: HeaderMap,
    },
}

/// A failure with what the error's headers tell.
#[derive(Debug)]
pub struct Refused {
    pub failure: Failure,
    pub call_id: Arc<str>,
    /// What the caller's key has spent, when it is known here.
    pub key_spend: Option<NanoUsd>,
    /// The time limit of the upstream calls, if any was made.
    pub timeout: Option<Duration>,
}
