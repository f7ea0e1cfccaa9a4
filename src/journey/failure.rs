//! Everything that can end a request without an answer.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderMap;

use super::continuity::ReferenceError;
use super::reply::Incoming;
use super::shortlisting::Unfit;
use super::stored::ErrandError;
use crate::limits::Refusal;
use crate::policy::access::DeniedBy;
use crate::policy::selection::Passed;
use crate::policy::upstream_error;
use crate::protocol::openai::request::RequestError;
use crate::router::Nobody;
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
    /// A name that a wildcard could have stood for, and none fits.
    NoDeploymentOfName(String),
    /// Several teams have a model of this name, and the caller is of none.
    OfSeveralTeams(String),
    /// Where a request that is not made would go depends on what this group answers.
    Unforeseen { model: String, group: Arc<str> },
    /// An auto router, and nobody serves any of the groups that it leads to.
    LedNowhere(String),
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
    /// No deployment of the group takes the call.
    NoDeployment(Box<NoDeployment>),
    /// None of the group's deployments may take this request.
    Unfit(Box<Unfit>),
    /// Nobody took the call while it waited for its turn.
    WaitedTooLong,
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

/// Why no deployment takes a call.
#[derive(Debug)]
pub struct NoDeployment {
    pub group: Arc<str>,
    pub why: Nobody,
    /// Deployments, the first of many, with what keeps each from the call.
    pub passed: Vec<(DeploymentId, Passed)>,
    /// Errors may say all of it.
    pub tells: bool,
    /// The deployment that `why` names.
    pub deployment: Option<DeploymentId>,
    /// Prompts are checked against windows before a call.
    pub checks_windows: bool,
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

impl Refused {
    /// Of which nothing more is known.
    pub fn of(incoming: &Incoming<'_>, failure: Failure) -> Self {
        Self {
            failure,
            call_id: incoming.call_id.clone(),
            key_spend: None,
            timeout: None,
        }
    }
}
