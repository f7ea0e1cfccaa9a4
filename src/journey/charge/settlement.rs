//! How a request is settled: what it used and what that costs goes to whoever holds something for it, and into its row.

use std::sync::Arc;
use std::time::Duration;

use super::Charge;
use super::carried::sum;
use super::pricing::{Asked, Bill, Priced, Told, priced};
use crate::journey::routes::Prepared;
use crate::journey::together::Race;
use crate::limits::Settlement;
use crate::policy::upstream_error::Failure;
use crate::router::{Deployment, End, Outcome, Used};
use crate::steps;
use crate::types::{CallStatus, Operation, SpendRow};

/// How a call is called in its row that was ended because another one answered first.
const OUTRUN: &str = "Outrun";

/// How a call ended.
struct Ending {
    status: CallStatus,
    /// What it says of its deployment.
    outcome: Outcome,
    http_status: u16,
    error_class: Option<&'static str>,
}

impl Charge {
    /// Settles a whole answer.
    pub fn succeed(&mut self, told: &Told) -> Bill {
        let total = self.arrived.elapsed();
        // What the deployments before it took is not this one's latency.
        let before = self.attempt_began - self.arrived;
        let own = |time: Duration, before| time.saturating_sub(before).as_secs_f32() * 1e3;
        let outcome = Outcome::Success {
            latency_ms: own(self.upstream_time, self.waited_before),
            first_token_ms: self.own_first_token.map(|first| own(first, before)),
        };
        let priced = self.price(told, true);
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
        let ending = Ending {
            status: CallStatus::Success,
            outcome,
            http_status: 200,
            error_class: None,
        };
        self.settle(ending, told, priced);
        self.with_carried(priced).bill
    }

    /// Settles a failure. What was streamed before it is charged.
    pub fn fail(&mut self, failure: &Failure, told: &Told) {
        if let Some(metrics) = self.metrics() {
            self.worker
                .shared
                .metrics
                .failed(metrics, failure.status, failure.class.as_str());
        }
        let ending = Ending {
            status: CallStatus::Failure,
            outcome: self.outcome(failure),
            http_status: failure.status,
            error_class: Some(failure.class.as_str()),
        };
        self.settle(ending, told, self.price(told, false));
    }

    /// Settles a call whose client left, that panicked, that another one was faster than, or that the gateway's own end cut
    /// short. What was streamed is charged.
    pub fn abandon(&mut self, told: &Told) {
        if self.settled {
            return;
        }
        let is_outrun = self.race.as_ref().is_some_and(Race::is_over);
        let (call_status, status, class) = if self.is_broken || std::thread::panicking() {
            (CallStatus::Failure, 500, "InternalServerError")
        } else if self.worker.cut.is_over() {
            (CallStatus::Interrupted, 503, "GatewayEnded")
        } else if is_outrun {
            (CallStatus::ClientDisconnected, 499, OUTRUN)
        } else {
            (CallStatus::ClientDisconnected, 499, "ClientDisconnected")
        };
        if let Some(metrics) = self.metrics() {
            self.worker.shared.metrics.failed(metrics, status, class);
        }
        let ending = Ending {
            status: call_status,
            outcome: Outcome::Neutral,
            http_status: status,
            error_class: (class == OUTRUN).then_some(OUTRUN),
        };
        // A provider that was asked and says no usage has read the prompt.
        let was_read = class == OUTRUN && self.lease.is_some() && self.opened.is_some();
        self.settle(ending, told, self.price(told, was_read));
    }

    /// What is told of an answer that may be whole, though nobody has seen its end: its output is as long as was expected, if
    /// no more of it is known.
    pub fn unseen(&self, told: &Told) -> Told {
        let expected = self.expected_output.saturating_mul(4).max(1);
        Told {
            content_bytes: told.content_bytes.max(expected),
            ..told.clone()
        }
    }

    /// With what the calls before the last one used.
    fn with_carried(&self, priced: Priced) -> Priced {
        let carried = &self.carried;
        Priced {
            usage: priced.usage.plus(&carried.usage),
            is_estimated: priced.is_estimated || carried.is_estimated,
            bill: Bill {
                cost: sum(priced.bill.cost, carried.cost),
            },
        }
    }

    /// What was used and what it costs. A call that is not `whole` and delivered nothing costs nothing.
    pub(super) fn price(&self, told: &Told, whole: bool) -> Priced {
        self.price_at(&self.deployment, &self.prepared, told, whole)
    }

    pub(super) fn price_at(
        &self,
        deployment: &Deployment,
        prepared: &Prepared,
        told: &Told,
        whole: bool,
    ) -> Priced {
        let asked = Asked {
            input_tokens: self.input_tokens,
            tier: self.estimate.tier,
            took: self.upstream_time,
            started_at: self.started_at,
        };
        priced(deployment, prepared, told, whole, &asked)
    }

    /// `own` is what the last call used.
    fn settle(&mut self, ending: Ending, told: &Told, own: Priced) {
        if self.settled {
            return;
        }
        steps::point("journey.settle");
        self.settled = true;
        let priced = self.with_carried(own);
        let Priced { usage, bill, .. } = priced;
        let spend = bill.spend();
        if let Some(metrics) = self.metrics() {
            metrics.spend.inc_by(spend.to_f64());
            metrics.input_tokens.inc_by(usage.prompt_tokens());
            metrics.output_tokens.inc_by(usage.completion_tokens());
            if bill.cost.is_none() {
                self.worker.shared.metrics.unpriced(metrics);
            }
        }
        let (used, lease) = (used(&own), self.lease.take());
        if let Some(lease) = &lease {
            self.spends(lease, used.cost);
        }
        self.worker.port.end(End {
            hold: Some(self.hold),
            lease: lease.map(|lease| (lease, ending.outcome)),
            group: self.group(),
            settlement: Settlement {
                tokens: usage.total_tokens(),
                cost: spend,
            },
            used,
            // Embeddings have no output, and must not make a group's other answers look short.
            output_tokens: (ending.status == CallStatus::Success
                && self.operation != Operation::Embedding)
                .then(|| own.usage.completion_tokens())
                .map(|all| all.div_ceil(self.estimate.choices.max(1))),
            first_content_ms: self
                .first_content_ms()
                .filter(|_| ending.status == CallStatus::Success),
            ..End::default()
        });
        if let Some(size) = self.size {
            size.tell(self, ending.http_status);
        }
        let row = self.row(ending, told, priced);
        self.worker.desk.settled(self.opened.take(), row);
    }

    fn row(&mut self, ending: Ending, told: &Told, priced: Priced) -> SpendRow {
        let budgets = std::mem::take(&mut self.budgets);
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
            status: ending.status,
            model: self.deployment.model.clone(),
            model_group: self.group_name(),
            model_id: self.deployment.id.clone(),
            provider: self.deployment.provider.clone(),
            api_base: self.deployment.shown_base.clone(),
            spend: priced.bill.spend(),
            cost: priced.bill.recorded(),
            usage: priced.usage,
            usage_estimated: priced.is_estimated,
            request_id: told
                .id
                .as_deref()
                .map_or_else(|| self.call_id.clone(), |id| bounded(id).into()),
            call_id: self.call_id.clone(),
            retries: self.calls.saturating_sub(1),
            http_status: ending.http_status,
            error_class: ending.error_class.map(Into::into),
            client_ip: self.client_ip.clone(),
            user_agent: self.asked.user_agent.clone(),
            labels: SpendRow::completed_labels(
                self.asked.labels.as_ref(),
                &self.failed_calls,
                &self.deployment.entry.litellm_params.tags,
            ),
            budgets,
        }
    }
}

/// What one call used.
pub(super) fn used(own: &Priced) -> Used {
    Used {
        input: own.usage.prompt_tokens(),
        output: own.usage.completion_tokens(),
        cost: own.bill.spend(),
    }
}

/// A text of a client or an upstream, short enough for a row: the journal's records are bounded.
pub fn bounded(text: &str) -> &str {
    let end = text.floor_char_boundary(1024);
    &text[..end]
}

/// The operation's name in rows, shared by all of them.
pub fn call_type(operation: Operation) -> Arc<str> {
    thread_local! {
        static NAMES: [Arc<str>; Operation::ALL.len()] =
            Operation::ALL.map(|operation| operation.call_type().into());
    }
    NAMES.with(|names| names[operation.index()].clone())
}
