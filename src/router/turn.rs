//! The messages between a worker and the control thread. Small: indexes and numbers, never texts.

use std::sync::Arc;

use actix::Message;

use super::table::Costs;
use super::trace::{Nobody, Trace};
use super::wish::Wish;
use crate::catalog::ServiceTier;
use crate::limits::{EntityIx, HoldId, Refusal, Settlement, Standing};
use crate::policy::cooldown::Fault;
use crate::policy::priority_queue::Place;
use crate::policy::selection::Booking;
use crate::policy::spends::BudgetHold;
use crate::types::NanoUsd;

/// What a request is expected to use: tells what it may cost in any group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Guessed or counted.
    pub input_tokens: u64,
    /// The request's own `max_tokens`.
    pub max_tokens: Option<u64>,
    /// `n`.
    pub choices: u64,
    /// The service tier asked for, when the request names one.
    pub tier: Option<ServiceTier>,
}

/// The deployment that a call refers to: what it goes on with was made there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    pub deployment: u32,
    /// No other one can take the call; else others are asked when this one takes none.
    pub is_strict: bool,
    /// The request asks for it by its id: then it is called while it cools down, too.
    pub is_named: bool,
}

impl Pin {
    /// Whether a call may go to this deployment.
    pub fn allows(pin: Option<Self>, deployment: u32) -> bool {
        pin.is_none_or(|pin| !pin.is_strict || pin.deployment == deployment)
    }
}

/// Asks for admission and a deployment.
#[derive(Clone, Debug)]
pub struct Begin {
    /// Key, user, team.
    pub scopes: [Option<EntityIx>; 3],
    /// Index of the model group in the routing table.
    pub group: u32,
    pub estimate: Estimate,
    pub user_budget_binds: bool,
    /// See [`Ask::is_copy`](crate::limits::Ask::is_copy).
    pub is_copy: bool,
    pub is_stream: bool,
    pub pin: Option<Pin>,
    /// What the call can cost, where a star stands for its model; else the group says it.
    pub costs: Option<Arc<Costs>>,
    pub wish: Option<Arc<Wish>>,
    /// It may wait where nobody takes calls.
    pub queue: Option<Queueing>,
}

/// How a request waits for a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queueing {
    /// Lower ones are next.
    Join { priority: i64 },
    /// It has a place, and asks again.
    Wait(Place),
}

/// Asks for another deployment under the same hold, after the failed attempt was reported by an [`End`] without a hold.
#[derive(Clone, Debug)]
pub struct Next {
    pub hold: HoldId,
    /// The group whose deployments may take the call.
    pub group: u32,
    /// The group of the attempt before. Where it is another one the request falls back: it counts as a request of the new
    /// group, and the hold grows to what that group may cost.
    pub from: u32,
    /// Money that other calls of the request have used, or may use at the same time: held beside what this one may cost.
    pub besides: NanoUsd,
    /// A second call beside the one under way: only as long as the group's allowance for them lasts.
    pub is_hedge: bool,
    pub estimate: Estimate,
    /// Deployments to leave out because they failed this request, of any group; unused places hold `u32::MAX`.
    pub tried: [u32; MAX_ATTEMPTS],
    /// Only deployments that come later in `order` than this level, which has failed.
    pub above: Option<i64>,
    pub is_stream: bool,
    pub pin: Option<Pin>,
    /// What the call can cost, where a star stands for its model; else the group says it.
    pub costs: Option<Arc<Costs>>,
    pub wish: Option<Arc<Wish>>,
}

/// Upstream calls for one request, the first included.
pub const MAX_ATTEMPTS: usize = 8;

/// A deployment's permission for one upstream call. The generation makes reports about a replaced deployment harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Index in the routing table.
    pub deployment: u32,
    pub generation: u32,
    /// What was booked for the call in the deployment's minute.
    pub booking: Booking,
    /// Of the trial after a cooldown that the call decides; 0: of none.
    pub trial: u32,
    /// What is held for the call in budgets of providers, deployments and tags; `None`: none binds it.
    pub budget_hold: Option<BudgetHold>,
}

/// How an upstream call ended, as far as the deployment's health is concerned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// `latency_ms` to the end of the answer; `first_token_ms` of streams.
    Success {
        latency_ms: f32,
        first_token_ms: Option<f32>,
    },
    /// The upstream failed.
    Failure(Fault),
    /// The client left, or the failure was ours: says nothing about the deployment.
    Neutral,
}

/// Closes an attempt, and with its hold the request: everything reserved is replaced by what was used.
#[derive(Clone, Copy, Debug, Default)]
pub struct End {
    /// `None` when only an attempt ended.
    pub hold: Option<HoldId>,
    /// The lease of the last attempt, if it is still open.
    pub lease: Option<(Lease, Outcome)>,
    /// The attempt was not made.
    pub unmade: Option<Unmade>,
    pub group: u32,
    pub settlement: Settlement,
    /// What the last attempt used, by itself.
    pub used: Used,
    /// Output tokens of a whole answer, of each of its choices, for the group's estimate.
    pub output_tokens: Option<u64>,
    /// Milliseconds until the first content of a stream, from the first of the calls that were made for it in this group.
    pub first_content_ms: Option<u32>,
}

/// What a second call has reserved beside the first, given back when it is not made after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unmade {
    /// The request's.
    pub hold: HoldId,
    /// What it falls back to.
    pub alone: NanoUsd,
    /// Of the group's allowance.
    pub input_tokens: u64,
}

/// Tokens of one call, and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    pub input: u64,
    pub output: u64,
    pub cost: NanoUsd,
}

/// An admission.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    pub hold: HoldId,
    pub lease: Lease,
    /// Money held for this call.
    pub held: NanoUsd,
    /// Requests and tokens of the group in this minute, with this request counted; of groups that have limits.
    pub group_used: Option<(u64, u64)>,
    /// Where key, user and team stand with this call counted.
    pub standings: [Option<Standing>; 3],
    /// Milliseconds after which a second call is asked for, if the stream has said nothing.
    pub hedge_after_ms: Option<u32>,
    /// Output tokens expected of the call, of all choices together.
    pub output_tokens: u64,
    /// Of a second call: what goes back with the ticket.
    pub unmade: Option<Unmade>,
}

/// Why there is no ticket.
#[derive(Clone, Debug, PartialEq)]
pub enum Denied {
    /// A limit or a budget.
    Refused(Refusal),
    /// All callers together have as many calls under way as `global_max_parallel_requests` allows.
    Crowded { limit: u64 },
    /// No deployment of the group takes the call.
    NoDeployment(Box<Trace>),
    /// Nobody takes the call yet; it has this place.
    Queued(Place),
    /// The group has had as many second calls as it may.
    NotHedged,
    /// The control thread failed at this step, or is gone.
    Failed,
}

impl Denied {
    /// Time may bring somebody who takes the call.
    pub fn may_pass(&self) -> bool {
        let nobody = self.nobody();
        nobody.is_some_and(|nobody| nobody != Nobody::Exhausted)
    }

    /// Why no deployment takes the call, if that is what it is about.
    pub fn nobody(&self) -> Option<Nobody> {
        match self {
            Self::NoDeployment(trace) => Some(trace.nobody()),
            _ => None,
        }
    }
}

/// The answer to a [`Begin`] or a [`Next`].
pub type Answer = Result<Ticket, Denied>;

/// Everything a worker has to say in one turn of its event loop.
#[derive(Clone, Debug, Default, Message)]
#[rtype(result = "TurnAnswer")]
pub struct Turn {
    /// Applied first, so that what was freed can be given again.
    pub ends: Vec<End>,
    pub nexts: Vec<Next>,
    pub begins: Vec<Begin>,
}

impl Turn {
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty() && self.nexts.is_empty() && self.begins.is_empty()
    }

    /// Empties it; what was allocated stays.
    pub fn clear(&mut self) {
        self.ends.clear();
        self.nexts.clear();
        self.begins.clear();
    }
}

/// The answers, each in the order of its questions.
#[derive(Debug, Default)]
pub struct TurnAnswer {
    pub nexts: Vec<Answer>,
    pub begins: Vec<Answer>,
}
