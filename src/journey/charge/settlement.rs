//! How a request is settled: what it used, what that costs, and its row.

use std::sync::Arc;
use std::time::Duration;

use super::Charge;
use super::carried::sum;
use crate::catalog::ServiceTier;
use crate::journey::routes::Prepared;
use crate::journey::together::Race;
use crate::limits::Settlement;
use crate::policy::cost::{CallFacts, Cost, Units};
use crate::policy::upstream_error::Failure;
use crate::protocol::openai::usage::ParsedUsage;
use crate::protocol::pass::StreamFacts;
use crate::router::{Deployment, End, Outcome, Used};
use crate::steps;
use crate::types::{CallStatus, NanoUsd, Operation, RowCost, SpendRow, Usage};

/// How a call is called in its row that was ended because another one answered first.
const OUTRUN: &str = "Outrun";

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

/// A settled request.
#[derive(Clone, Copy, Debug)]
pub struct Bill {
    /// `None`: the model has no known price.
    pub cost: Option<Cost>,
}

impl Bill {
    /// What is booked.
    pub(super) fn spend(&self) -> NanoUsd {
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

/// What a call used, and its bill.
#[derive(Clone, Copy)]
pub(super) struct Priced {
    pub usage: Usage,
    pub is_estimated: bool,
    pub bill: Bill,
}

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
        let (usage, is_estimated) = match told.usage {
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
        let of_answer = told
            .model
            .as_deref()
            .and_then(|model| prepared.answer_prices.find(deployment, model));
        let tariff = of_answer.as_ref().unwrap_or(&deployment.tariff);
        let parsed = told.usage.unwrap_or_default();
        if !whole && usage.total_tokens() == 0 && parsed.stated_cost.is_none() {
            let cost = (!tariff.is_unpriced()).then(Cost::default);
            return Priced {
                usage,
                is_estimated,
                bill: Bill { cost },
            };
        }
        let facts = CallFacts {
            tier: ServiceTier::billed(
                told.service_tier.as_deref(),
                self.estimate.tier.or(deployment.default_tier),
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
        Priced {
            usage,
            is_estimated,
            bill: Bill { cost },
        }
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
        self.worker.port.end(End {
            hold: Some(self.hold),
            lease: self.lease.take().map(|lease| (lease, ending.outcome)),
            group: self.group(),
            settlement: Settlement {
                tokens: usage.total_tokens(),
                cost: spend,
            },
            used: used(&own),
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

    fn row(&self, ending: Ending, told: &Told, priced: Priced) -> SpendRow {
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
fn bounded(text: &str) -> &str {
    let end = text.floor_char_boundary(1024);
    &text[..end]
}

/// The operation's name in rows, shared by all of them.
pub(super) fn call_type(operation: Operation) -> Arc<str> {
    thread_local! {
        static NAMES: [Arc<str>; Operation::ALL.len()] =
            Operation::ALL.map(|operation| operation.call_type().into());
    }
    NAMES.with(|names| names[operation.index()].clone())
}
