//! What a request has reserved, and its one settlement.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::admission::Admitted;
use super::asked::{Asked, Rehearsal};
use super::course::Traveller;
use super::reply::Incoming;
use super::routes::{Prepared, Routes};
use super::worker::Worker;
use crate::auth::Known;
use crate::catalog::ServiceTier;
use crate::limits::{HoldId, Settlement, Standing};
use crate::metrics::DeploymentMetrics;
use crate::policy::cooldown::Fault;
use crate::policy::cost::{CallFacts, Cost, Units};
use crate::policy::upstream_error::Failure;
use crate::protocol::openai::usage::ParsedUsage;
use crate::protocol::pass::StreamFacts;
use crate::router::{Denied, Deployment, End, Estimate, Lease, Next, Outcome, Ticket};
use crate::spend::journal::{Appended, Opened};
use crate::steps;
use crate::types::{
    CallStatus, FailedCall, LedgerId, MOST_FAILED_CALLS, NanoUsd, Operation, RowCost, SpendRow,
    Usage,
};

/// A lease of a deployment that reloads have brought and taken away again goes back; another is asked for, so often at most.
const LEASES: usize = 8;

/// What an upstream told of its answer.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// The model it names, where that is not the one asked for.
    pub model: Option<String>,
    pub service_tier: Option<String>,
    pub usage: Option<ParsedUsage>,
    /// Bytes of content delivered, for an estimate when there is no usage.
    pub content_bytes: u64,
}

impl Told {
    /// What an answer told that was asked of `model`.
    pub fn of(facts: &StreamFacts, model: &str) -> Self {
        Self {
            id: facts.id.clone(),
            model: facts.model.clone().filter(|named| named != model),
            service_tier: facts.service_tier.clone(),
            usage: facts.usage,
            content_bytes: facts.content_bytes,
        }
    }
}

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
    pub group: u32,
    hold: HoldId,
    held: NanoUsd,
    pub standings: [Option<Standing>; 3],
    /// Requests and tokens of the group in this minute, if it has limits.
    pub group_used: Option<(u64, u64)>,
    /// What a call is billed by when its provider tells no usage.
    pub input_tokens: u64,
    /// What admission was asked for with.
    pub estimate: Estimate,
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
    /// Time spent waiting for upstreams.
    pub upstream_time: Duration,
    settled: bool,
    /// A step of it panicked.
    pub is_broken: bool,
}

/// A settled request.
#[derive(Clone, Copy, Debug)]
pub struct Bill {
    /// `None`: the model has no known price.
    pub cost: Option<Cost>,
}

impl Bill {
    /// What is booked.
    fn spend(&self) -> NanoUsd {
        self.cost.map_or(NanoUsd::ZERO, |cost| cost.total)
    }

    fn recorded(&self) -> RowCost {
        self.cost.map_or_else(
            || RowCost {
                unpriced: true,
                ..RowCost::default()
            },
            |cost| cost.recorded(),
        )
    }
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
            group,
            prepared,
            ticket,
            estimate,
            input_tokens,
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
            group,
            hold: ticket.hold,
            held: ticket.held,
            standings: ticket.standings,
            group_used: ticket.group_used,
            input_tokens,
            estimate,
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
            upstream_time: Duration::ZERO,
            settled: false,
            is_broken: false,
        })
    }

    pub fn hold(&self) -> HoldId {
        self.hold
    }

    pub fn deployment(&self) -> &Arc<Deployment> {
        &self.deployment
    }

    pub fn deployment_index(&self) -> u32 {
        self.deployment_index
    }

    /// The deployment as this thread calls it, with its own access.
    pub fn prepared(&self) -> &Rc<Prepared> {
        &self.prepared
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

    /// Time until nothing more is tried for the request.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The time limit of the present call: of the whole answer, or of a stream's head and each of its gaps until its content.
    pub fn limit(&self, stream: bool) -> Duration {
        let own = self.asked.limit(&self.deployment, stream);
        own.min(self.time_left())
    }

    /// Asks for another deployment of the same group for the same request.
    pub async fn go_on(&mut self, failure: &Failure, next: Next) -> Result<(), Denied> {
        self.take(failure, next).await?;
        self.retries += 1;
        Ok(())
    }

    /// Asks for a deployment of another group, or of the same one with other fields.
    pub async fn fall_back(&mut self, failure: &Failure, next: Next) -> Result<(), Denied> {
        let ticket = self.take(failure, next).await?;
        self.group = next.group;
        self.group_used = ticket.group_used;
        self.held = self.held.max(ticket.held);
        self.retries = 0;
        self.fallbacks += 1;
        Ok(())
    }

    async fn take(&mut self, failure: &Failure, next: Next) -> Result<Ticket, Denied> {
        for _ in 0..LEASES {
            let ticket = self.worker.port.next(next).await?;
            let lease = ticket.lease;
            if let Some(prepared) = self.worker.leased(&self.routes, lease) {
                self.remember(failure);
                self.deployment = as_asked(&prepared.deployment, &self.asked);
                self.prepared = prepared;
                self.deployment_index = lease.deployment;
                self.lease = Some(lease);
                self.attempt_began = Instant::now();
                self.waited_before = self.upstream_time;
                return Ok(ticket);
            }
            self.worker.port.return_lease(ticket, next.group);
        }
        Err(Denied::Failed)
    }

    /// Remembers a failed call for the spend log, the last ones of many.
    fn remember(&mut self, failure: &Failure) {
        if self.failed_calls.len() >= MOST_FAILED_CALLS {
            self.failed_calls.remove(0);
        }
        self.failed_calls.push(FailedCall {
            model_group: self.deployment.group.clone(),
            model_id: self.deployment.id.clone(),
            exception_type: failure.class.as_str().into(),
            status: failure.status,
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
            model_group: self.deployment.group.clone(),
            model_id: self.deployment.id.clone(),
            provider: self.deployment.provider.clone(),
            api_base: self.deployment.api_base.clone(),
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
        let end = End {
            hold: None,
            lease: Some((lease, self.outcome(failure))),
            group: self.group,
            settlement: Settlement::default(),
            output_tokens: None,
        };
        self.worker.port.end(end);
    }

    /// What was never sent says nothing about the deployment.
    fn outcome(&self, failure: &Failure) -> Outcome {
        if failure.is_local {
            return Outcome::Neutral;
        }
        Outcome::Failure(self.fault(failure))
    }

    /// What a failure tells about the deployment.
    fn fault(&self, failure: &Failure) -> Fault {
        Fault {
            class: failure.class,
            status: failure.status,
            retry_after_ms: failure
                .retry_after
                .map(|wait| u32::try_from(wait.as_millis()).unwrap_or(u32::MAX)),
            is_callers_limit: failure.by_our_clock && self.asked.is_hurried(&self.deployment),
            is_repeat: self.is_repeat,
        }
    }

    /// The first content of a stream has arrived.
    pub fn first_token(&mut self) {
        self.first_token = Some(self.arrived.elapsed());
    }

    /// Settles a whole answer.
    pub fn succeed(&mut self, told: &Told) -> Bill {
        let total = self.arrived.elapsed();
        // What the deployments before it took is not this one's latency.
        let before = self.attempt_began - self.arrived;
        let own = |time: Duration, before| time.saturating_sub(before).as_secs_f32() * 1e3;
        let outcome = Outcome::Success {
            latency_ms: own(self.upstream_time, self.waited_before),
            first_token_ms: self.first_token.map(|first| own(first, before)),
        };
        let (usage, estimated, bill) = self.price(told, true);
        if let Some(metrics) = self.metrics() {
            metrics.succeeded.inc();
            metrics.total.observe(total.as_secs_f64());
            metrics.upstream.observe(self.upstream_time.as_secs_f64());
            metrics
                .overhead
                .observe(total.saturating_sub(self.upstream_time).as_secs_f64());
            if let Some(first) = self.first_token {
                metrics.first_token.observe(first.as_secs_f64());
            }
        }
        self.settle(
            CallStatus::Success,
            told,
            usage,
            estimated,
            bill,
            outcome,
            200,
            None,
        );
        bill
    }

    /// Settles a failure. What was streamed before it is charged.
    pub fn fail(&mut self, failure: &Failure, told: &Told) {
        if let Some(metrics) = self.metrics() {
            self.worker
                .shared
                .metrics
                .failed(metrics, failure.status, failure.class.as_str());
        }
        let (usage, estimated, bill) = self.price(told, false);
        let outcome = self.outcome(failure);
        let class = Some(failure.class.as_str());
        self.settle(
            CallStatus::Failure,
            told,
            usage,
            estimated,
            bill,
            outcome,
            failure.status,
            class,
        );
    }

    /// Settles a call whose client left, that panicked, or that the gateway's own end cut short. What was streamed is charged.
    pub fn abandon(&mut self, told: &Told) {
        if self.settled {
            return;
        }
        let (call_status, status, class) = if self.is_broken || std::thread::panicking() {
            (CallStatus::Failure, 500, "InternalServerError")
        } else if self.worker.cut.is_over() {
            (CallStatus::Interrupted, 503, "GatewayEnded")
        } else {
            (CallStatus::ClientDisconnected, 499, "ClientDisconnected")
        };
        if let Some(metrics) = self.metrics() {
            self.worker.shared.metrics.failed(metrics, status, class);
        }
        let (usage, estimated, bill) = self.price(told, false);
        self.settle(
            call_status,
            told,
            usage,
            estimated,
            bill,
            Outcome::Neutral,
            status,
            None,
        );
    }

    /// Usage, whether it is estimated, and the bill. A call that is not `whole` and delivered nothing costs nothing.
    fn price(&self, told: &Told, whole: bool) -> (Usage, bool, Bill) {
        let (usage, estimated) = match told.usage {
            Some(parsed) if !parsed.output_is_open => (parsed.usage, false),
            _ if !whole && told.content_bytes == 0 => (Usage::default(), false),
            input_alone => {
                let output = told.content_bytes.div_ceil(4);
                let input = Usage {
                    input: self.input_tokens,
                    ..Usage::default()
                };
                let input = input_alone.map_or(input, |parsed| parsed.usage);
                (
                    Usage {
                        output: input.output.max(output),
                        ..input
                    },
                    true,
                )
            }
        };
        let of_answer = told.model.as_deref().and_then(|model| {
            let prices = &self.prepared.answer_prices;
            prices.find(&self.deployment, model)
        });
        let tariff = of_answer.as_ref().unwrap_or(&self.deployment.tariff);
        let parsed = told.usage.unwrap_or_default();
        if !whole && usage.total_tokens() == 0 && parsed.stated_cost.is_none() {
            let cost = (!tariff.is_unpriced()).then(Cost::default);
            return (usage, estimated, Bill { cost });
        }
        let facts = CallFacts {
            tier: ServiceTier::billed(
                told.service_tier.as_deref(),
                self.estimate.tier.or(self.deployment.default_tier),
            ),
            inference_in_us: parsed.inference_in_us,
            fast: parsed.fast,
            units: Units {
                answer_milliseconds: self.upstream_time.as_millis() as u64,
                web_searches: parsed.web_searches,
                ..Units::default()
            },
            ..CallFacts::default()
        };
        let began = self.started_at / 1_000_000;
        let cost = tariff.bill(&usage, &facts, parsed.stated_cost, began);
        (usage, estimated, Bill { cost })
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "one call a way to end, all named at the call"
    )]
    fn settle(
        &mut self,
        status: CallStatus,
        told: &Told,
        usage: Usage,
        usage_estimated: bool,
        bill: Bill,
        outcome: Outcome,
        http_status: u16,
        error_class: Option<&'static str>,
    ) {
        if self.settled {
            return;
        }
        steps::point("journey.settle");
        self.settled = true;
        let spend = bill.spend();
        if let Some(metrics) = self.metrics() {
            metrics.spend.inc_by(spend.to_f64());
            metrics.input_tokens.inc_by(usage.prompt_tokens());
            metrics.output_tokens.inc_by(usage.completion_tokens());
            if bill.cost.is_none() {
                self.worker.shared.metrics.unpriced(metrics);
            }
        }
        self.worker.port.end(End {
            hold: Some(self.hold),
            lease: self.lease.take().map(|lease| (lease, outcome)),
            group: self.group,
            settlement: Settlement {
                tokens: usage.total_tokens(),
                cost: spend,
            },
            // Embeddings have no output, and must not make a group's other answers look short.
            output_tokens: (status == CallStatus::Success
                && self.operation != Operation::Embedding)
                .then(|| usage.completion_tokens()),
        });
        let row = self.row(
            status,
            told,
            usage,
            usage_estimated,
            bill,
            http_status,
            error_class,
        );
        self.worker.desk.settled(self.opened.take(), row);
    }

    #[allow(clippy::too_many_arguments, reason = "the columns of a row")]
    fn row(
        &self,
        status: CallStatus,
        told: &Told,
        usage: Usage,
        usage_estimated: bool,
        bill: Bill,
        http_status: u16,
        error_class: Option<&'static str>,
    ) -> SpendRow {
        let principal = &self.known.principal;
        let micros = |since: Duration| self.started_at.saturating_add(since.as_micros() as i64);
        SpendRow {
            ledger_id: self.ledger_id,
            key_hash: principal.key_hash,
            user_id: principal.user.as_ref().map(|user| user.id.clone()),
            team_id: principal.team.as_ref().map(|team| team.id.clone()),
            end_user: self.asked.end_user.clone(),
            started_at: self.started_at,
            ended_at: micros(self.arrived.elapsed()),
            first_token_at: self.first_token.map(micros),
            call_type: call_type(self.operation),
            status,
            model: self.deployment.model.clone(),
            model_group: self.deployment.group.clone(),
            model_id: self.deployment.id.clone(),
            provider: self.deployment.provider.clone(),
            api_base: self.deployment.api_base.clone(),
            spend: bill.spend(),
            cost: bill.recorded(),
            usage,
            usage_estimated,
            request_id: told
                .id
                .as_deref()
                .map_or_else(|| self.call_id.clone(), |id| bounded(id).into()),
            call_id: self.call_id.clone(),
            retries: self.calls.saturating_sub(1),
            http_status,
            error_class: error_class.map(Into::into),
            client_ip: self.client_ip.clone(),
            user_agent: self.asked.user_agent.clone(),
            labels: SpendRow::with_failed_calls(self.asked.labels.as_ref(), &self.failed_calls),
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        steps::insisted("journey.abandon", || self.abandon(&Told::default()));
    }
}

/// The deployment with the caller's own access, if it sends one.
fn as_asked(deployment: &Arc<Deployment>, asked: &Asked) -> Arc<Deployment> {
    match &asked.access {
        Some(access) => Arc::new(deployment.with_access(access)),
        None => deployment.clone(),
    }
}

/// A text of a client or an upstream, short enough for a row: the journal's records are bounded.
fn bounded(text: &str) -> &str {
    let end = text.floor_char_boundary(1024);
    &text[..end]
}

/// The operation's name in rows, shared by all of them.
fn call_type(operation: Operation) -> Arc<str> {
    thread_local! {
        static NAMES: [Arc<str>; Operation::ALL.len()] =
            Operation::ALL.map(|operation| operation.call_type().into());
    }
    NAMES.with(|names| names[operation.index()].clone())
}
