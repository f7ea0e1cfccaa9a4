//! What a request has reserved, and its one settlement.

mod beside;
mod body;
mod carried;
mod pricing;
mod settlement;

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::admission::Admitted;
use super::asked::{Asked, Rehearsal};
use super::body_room::Share as BodyShare;
use super::call_line::CallSize;
use super::course::Traveller;
use super::reply::Incoming;
use super::resume::Resumed;
use super::routes::{Prepared, Routes};
use super::together::Race;
use super::worker::Worker;
use crate::auth::Known;
use crate::limits::{HoldId, Standing};
use crate::metrics::DeploymentMetrics;
use crate::policy::cooldown::Fault;
use crate::policy::upstream_error::Failure;
use crate::router::{
    Costs, Denied, Deployment, Destination, End, Estimate, Lease, MAX_ATTEMPTS, Next, Outcome, Pin,
    Ticket, Used, Wish, clock,
};
use crate::spend::journal::{Appended, Opened};
use crate::steps;
use crate::types::{DeploymentId, FailedCall, LedgerId, MOST_FAILED_CALLS, NanoUsd, Operation};

use carried::Carried;
pub use pricing::{Asked as PricedAs, Bill, Told, priced};
pub use settlement::{bounded, call_type};

/// A lease of a deployment that reloads have brought and taken away again goes back; another is asked for, so often at most.
const LEASES: usize = 8;

/// One request's reservations. Settled once: by [`Self::succeed`], [`Self::fail`], or on drop, when the client has left or the
/// request's task died.
pub struct Charge {
    pub worker: Rc<Worker>,
    known: Rc<Known>,
    pub operation: Operation,
    pub ledger_id: LedgerId,
    pub call_id: Arc<str>,
    client_ip: Option<Arc<str>>,
    /// What the request asks of the gateway.
    pub asked: Asked,
    /// The configuration that it began under: names and numbers of groups.
    pub routes: Rc<Routes>,
    pub arrived: Instant,
    /// Microseconds since the Unix epoch.
    pub started_at: i64,
    /// Where its call goes.
    pub destination: Destination,
    hold: HoldId,
    held: NanoUsd,
    pub standings: [Option<Standing>; 3],
    /// Requests and tokens of the group in this minute, if it has limits.
    pub group_used: Option<(u64, u64)>,
    /// What a call is billed by when its provider tells no usage.
    pub input_tokens: u64,
    /// What admission was asked for with.
    pub estimate: Estimate,
    /// What the request wants of decisions about the present group.
    pub wish: Option<Arc<Wish>>,
    /// The level of `order` in the present group that has failed for good, with all before it.
    pub above: Option<i64>,
    is_stream: bool,
    /// Output tokens expected of the present call.
    expected_output: u64,
    /// What the request's body has taken of the room for bodies, as long as something of it is needed here.
    room: Option<BodyShare>,
    /// After so much silence a second call is made beside the present one.
    hedge_after: Option<Duration>,
    /// When the first of two calls began of which the other has answered.
    hedged_since: Option<Instant>,
    deployment: Arc<Deployment>,
    deployment_index: u32,
    prepared: Rc<Prepared>,
    lease: Option<Lease>,
    opened: Option<Appended>,
    /// The deployment has failed this request before.
    pub is_repeat: bool,
    /// Calls that failed and were followed by another, the last few.
    failed_calls: Vec<FailedCall>,
    /// Upstream calls made.
    calls: u16,
    /// Calls of the present group beyond its first.
    pub retries: u16,
    /// What `x-litellm-max-retries` tells: how many there may be for the failure that made the last one.
    pub max_retries: u32,
    /// Groups asked after the first.
    pub fallbacks: u32,
    /// Nothing more is tried for the request after this.
    deadline: Instant,
    /// When the present deployment's turn began.
    attempt_began: Instant,
    /// Time spent waiting for the deployments before it.
    waited_before: Duration,
    first_token: Option<Duration>,
    /// The same of the present deployment.
    own_first_token: Option<Duration>,
    /// What calls before the present one have used.
    carried: Carried,
    /// Of that what the present deployment has used, until it is reported.
    broken_off: Used,
    /// What its calls have spent in budgets of providers, deployments and tags, by the budgets' keys.
    budgets: Vec<(Arc<str>, NanoUsd)>,
    /// What the present call goes on with: an answer that broke in the middle.
    pub resumed: Option<Rc<Resumed>>,
    /// Time spent waiting for upstreams.
    pub upstream_time: Duration,
    settled: bool,
    /// Other calls may answer the same request before it.
    pub race: Option<Race>,
    /// For its line of the log, where there is one.
    pub size: Option<CallSize>,
    /// A step of it panicked.
    pub is_broken: bool,
}

impl Charge {
    pub fn new(
        worker: &Rc<Worker>,
        known: &Rc<Known>,
        incoming: &Incoming<'_>,
        asked: Asked,
        admitted: Admitted,
    ) -> Box<Self> {
        let Admitted {
            routes,
            destination,
            prepared,
            ticket,
            estimate,
            input_tokens,
            wish,
            is_stream,
        } = admitted;
        let deployment = as_asked(&prepared.deployment, &asked);
        let failover = &routes.table().failover;
        let total = failover.total_timeout(asked.limit(&deployment, false));
        Box::new(Self {
            routes,
            deployment,
            worker: worker.clone(),
            known: known.clone(),
            operation: incoming.operation,
            ledger_id: LedgerId::now(),
            call_id: incoming.call_id.clone(),
            client_ip: incoming.client_ip.clone(),
            asked,
            arrived: incoming.arrived,
            started_at: incoming.started_at,
            destination,
            hold: ticket.hold,
            held: ticket.held,
            standings: ticket.standings,
            group_used: ticket.group_used,
            input_tokens,
            estimate,
            wish,
            above: None,
            is_stream,
            expected_output: ticket.output_tokens,
            room: None,
            hedge_after: milliseconds(ticket.hedge_after_ms),
            hedged_since: None,
            deployment_index: ticket.lease.deployment,
            prepared,
            lease: Some(ticket.lease),
            opened: None,
            is_repeat: false,
            failed_calls: Vec::new(),
            calls: 0,
            retries: 0,
            max_retries: 0,
            fallbacks: 0,
            deadline: incoming.arrived + total,
            attempt_began: incoming.arrived,
            waited_before: Duration::ZERO,
            first_token: None,
            own_first_token: None,
            carried: Carried::default(),
            broken_off: Used::default(),
            budgets: Vec::new(),
            resumed: None,
            upstream_time: Duration::ZERO,
            settled: false,
            race: None,
            size: None,
            is_broken: false,
        })
    }

    pub fn hold(&self) -> HoldId {
        self.hold
    }

    /// The number of the group whose deployments may take the call.
    pub fn group(&self) -> u32 {
        self.destination.group
    }

    /// What a call can cost where it goes, if the group cannot say it.
    pub fn costs(&self) -> Option<Arc<Costs>> {
        self.routes.costs(&self.destination)
    }

    /// The deployment that the call is held to.
    pub fn pin(&self) -> Option<Pin> {
        self.destination.pin(self.asked.pin())
    }

    pub fn deployment(&self) -> &Arc<Deployment> {
        &self.deployment
    }

    /// Whether a deployment of the present group may take the request, as far as that does not change.
    pub fn may_go_to(&self, deployment: u32) -> bool {
        let wish = self.wish.as_deref();
        let shortlist = wish.and_then(|wish| wish.shortlist.as_ref());
        shortlist.is_none_or(|list| list.allows(deployment))
    }

    /// Nobody of these takes calls: all of them cool down. LiteLLM 1.106.2 raises the error at once then.
    pub fn is_futile(&self, deployments: &[u32]) -> bool {
        let table = self.routes.table();
        let is_named = self.pin().is_some_and(|pin| pin.is_named);
        if table.failover.tries_cooling || is_named {
            return false;
        }
        let now = clock::now();
        deployments.iter().all(|number| {
            let deployment = table.deployment(*number);
            deployment.is_none_or(|deployment| deployment.gauges.cooling_for(now).is_some())
        })
    }

    pub fn deployment_index(&self) -> u32 {
        self.deployment_index
    }

    /// The deployment as this thread calls it, with its own access.
    pub fn prepared(&self) -> &Rc<Prepared> {
        &self.prepared
    }

    /// The group that the request is served by.
    pub fn group_name(&self) -> Arc<str> {
        if let Some(name) = &self.deployment.concrete {
            return name.clone();
        }
        let group = self.routes.group(self.group());
        group.map_or_else(|| self.deployment.group.clone(), |group| group.name.clone())
    }

    pub fn is_settled(&self) -> bool {
        self.settled
    }

    fn metrics(&self) -> Option<&DeploymentMetrics> {
        self.prepared
            .metrics(&self.worker.shared.metrics, self.operation)
    }

    /// Whose request this is, and what it says.
    pub fn traveller(&self) -> Traveller<'_> {
        Traveller {
            routes: &self.routes,
            principal: &self.known.principal,
            asked: &self.asked,
        }
    }

    /// The failure that the request wants to rehearse, as long as nothing was called for it.
    pub fn rehearsal(&self) -> Option<Rehearsal> {
        let wishes = self.asked.failover.as_deref().filter(|_| self.calls == 0);
        wishes.and_then(|wishes| wishes.rehearsal)
    }

    /// Upstream calls that may still be made for the request.
    pub fn calls_left(&self) -> u32 {
        let most = self.routes.table().failover.max_attempts;
        most.saturating_sub(u32::from(self.calls))
    }

    /// Nothing is tried after this moment, nor later than it is anyway.
    pub fn end_by(&mut self, moment: Instant) {
        self.deadline = self.deadline.min(moment);
    }

    /// Time until nothing more is tried for the request.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The time limit of a call: of the whole answer, or of a stream's head and each of its gaps until its content.
    pub fn limit_at(&self, deployment: &Deployment, stream: bool) -> Duration {
        let own = self.asked.limit(deployment, stream);
        own.min(self.time_left())
    }

    /// The question for a deployment of this destination that is none of `tried`, for this request. `is_same` says that the
    /// group and what a call may cost there are those of the call before.
    pub fn next(
        &self,
        destination: &Destination,
        is_same: bool,
        tried: [u32; MAX_ATTEMPTS],
    ) -> Next {
        let group = destination.group;
        Next {
            hold: self.hold,
            group,
            from: if is_same { group } else { u32::MAX },
            besides: self.carried.spend(),
            is_hedge: false,
            estimate: self.estimate,
            tried,
            above: self.above,
            is_stream: self.is_stream,
            pin: destination.pin(self.asked.pin()),
            costs: self.routes.costs(destination),
            wish: self.wish.clone(),
        }
    }

    /// Asks for another deployment of the same group for the same request.
    pub async fn go_on(&mut self, failure: &Failure, next: Next) -> Result<(), Denied> {
        let destination = self.destination.clone();
        self.take(failure, next, &destination).await?;
        self.retries += 1;
        Ok(())
    }

    /// Asks for another deployment of the same group, with all retries before it again.
    pub async fn go_on_anew(&mut self, failure: &Failure, next: Next) -> Result<(), Denied> {
        let above = next.above;
        let destination = self.destination.clone();
        self.take(failure, next, &destination).await?;
        self.above = above;
        self.retries = 0;
        Ok(())
    }

    /// Asks for a deployment of another group, or of the same one with other fields.
    pub async fn fall_back(
        &mut self,
        failure: &Failure,
        next: Next,
        destination: Destination,
    ) -> Result<(), Denied> {
        let wish = next.wish.clone();
        let ticket = self.take(failure, next, &destination).await?;
        (self.destination, self.wish) = (destination, wish);
        self.above = None;
        self.group_used = ticket.group_used;
        self.held = self.held.max(ticket.held);
        self.retries = 0;
        self.fallbacks += 1;
        Ok(())
    }

    async fn take(
        &mut self,
        failure: &Failure,
        next: Next,
        destination: &Destination,
    ) -> Result<Ticket, Denied> {
        for _ in 0..LEASES {
            let ticket = self.worker.port.next(next.clone()).await?;
            let lease = ticket.lease;
            if let Some(prepared) = self.worker.leased(&self.routes, lease, destination) {
                self.remember(failure);
                self.deployment = as_asked(&prepared.deployment, &self.asked);
                self.prepared = prepared;
                self.deployment_index = lease.deployment;
                self.lease = Some(lease);
                self.attempt_began = Instant::now();
                self.waited_before = self.upstream_time;
                self.own_first_token = None;
                self.expected_output = ticket.output_tokens;
                self.hedge_after = milliseconds(ticket.hedge_after_ms);
                self.hedged_since = None;
                return Ok(ticket);
            }
            self.worker.port.return_lease(ticket, next.group);
        }
        Err(Denied::Failed)
    }

    /// Remembers a failed call for the spend log, the last ones of many.
    fn remember(&mut self, failure: &Failure) {
        let id = self.deployment.id.clone();
        self.remember_call(id, failure.class.as_str(), failure.status);
    }

    fn remember_call(&mut self, id: DeploymentId, class: &str, status: u16) {
        if self.failed_calls.len() >= MOST_FAILED_CALLS {
            self.failed_calls.remove(0);
        }
        self.failed_calls.push(FailedCall {
            model_group: self.group_name(),
            model_id: id,
            exception_type: class.into(),
            status,
        });
    }

    /// A call goes upstream. That is journalled once a request, before the first.
    pub fn goes_upstream(&mut self) {
        self.calls = self.calls.saturating_add(1);
        if self.opened.is_some() {
            return;
        }
        let principal = &self.known.principal;
        let opened = Opened {
            ledger_id: self.ledger_id,
            key_hash: principal.key_hash,
            user_id: principal.user.as_ref().map(|user| user.id.clone()),
            team_id: principal.team.as_ref().map(|team| team.id.clone()),
            started_at: self.started_at,
            model: self.deployment.model.clone(),
            model_group: self.group_name(),
            model_id: self.deployment.id.clone(),
            provider: self.deployment.provider.clone(),
            api_base: self.deployment.shown_base.clone(),
            call_id: self.call_id.clone(),
            call_type: call_type(self.operation),
            hold: self.held,
        };
        self.opened = Some(self.worker.desk.opened(&opened));
    }

    /// Reports a failed attempt: the deployment's slot is free again, the hold stays.
    pub fn attempt_failed(&mut self, failure: &Failure) {
        let Some(lease) = self.lease.take() else {
            return;
        };
        let used = std::mem::take(&mut self.broken_off);
        self.spends(&lease, used.cost);
        let end = End {
            hold: None,
            lease: Some((lease, self.outcome(failure))),
            group: self.group(),
            used,
            ..End::default()
        };
        self.worker.port.end(end);
    }

    /// Takes note of what a call costs in the budgets that it was held in: the ledger sums up the same.
    fn spends(&mut self, lease: &Lease, cost: NanoUsd) {
        if lease.budget_hold.is_none() || cost <= NanoUsd::ZERO {
            return;
        }
        let routes = self.worker.routes();
        let budgets = &routes.table().budgets;
        let tags = self.wish.as_ref().map_or(&[][..], |wish| &wish.tag_budgets);
        let names = budgets.of(lease.deployment).iter().chain(tags);
        for key in names.filter_map(|name| budgets.key(*name)) {
            match self.budgets.iter_mut().find(|(known, _)| known == key) {
                Some((_, spent)) => spent.0 = spent.0.saturating_add(cost.0),
                None => self.budgets.push((key.clone(), cost)),
            }
        }
    }

    /// What was never sent, or with a caller's own access, says nothing about the deployment.
    fn outcome(&self, failure: &Failure) -> Outcome {
        self.outcome_at(&self.deployment, self.is_repeat, failure)
    }

    /// Of a deployment that has failed this request before, if it `is_repeat`.
    fn outcome_at(&self, deployment: &Deployment, is_repeat: bool, failure: &Failure) -> Outcome {
        if failure.is_local || self.asked.access.is_some() {
            return Outcome::Neutral;
        }
        Outcome::Failure(Fault {
            is_callers_limit: failure.by_our_clock && self.asked.is_hurried(deployment),
            is_repeat,
            ..Fault::of(failure)
        })
    }

    /// How long after the request the first content of its stream came.
    pub fn first_token_after(&self) -> Option<Duration> {
        self.first_token
    }

    /// The first content of a stream has arrived.
    pub fn first_token(&mut self) {
        let first = self.arrived.elapsed();
        self.own_first_token = Some(first);
        self.first_token.get_or_insert(first);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        steps::insisted("journey.abandon", || self.abandon(&Told::default()));
    }
}

fn milliseconds(count: Option<u32>) -> Option<Duration> {
    count.map(|count| Duration::from_millis(count.into()))
}

/// The deployment with the caller's own access, if it sends one.
fn as_asked(deployment: &Arc<Deployment>, asked: &Asked) -> Arc<Deployment> {
    match &asked.access {
        Some(access) => Arc::new(deployment.with_access(access)),
        None => deployment.clone(),
    }
}
