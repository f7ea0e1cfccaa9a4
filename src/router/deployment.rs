//! The state of one deployment: slots, health, counts, latency, last error.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::table::Gauges;
use super::turn::{Lease, Outcome, Used};
use crate::policy::cooldown::{Cooling, Fault, Health, Rules, State};
use crate::policy::latency::{LatencyRules, Measured, Samples, TIMED_OUT};
use crate::policy::selection::{Gauge, NO_SLOTS, Need, RateLimits};
use crate::policy::upstream_error::ErrorClass;

/// Weight of the newest latency in the running mean.
const NEWEST: f32 = 0.1;

/// What went wrong last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastError {
    /// HTTP status as answered to the client.
    pub status: u16,
    /// Milliseconds of the control thread's clock.
    pub at: u64,
}

/// What a report changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// The cooldown that began with it.
    pub cooldown: Option<Cooling>,
    /// It has shown that it works again.
    pub has_returned: bool,
}

/// What the configuration says of a deployment's state.
#[derive(Clone, Copy, Debug, Default)]
pub struct StateRules {
    /// `max_parallel_requests`, if bounded.
    pub slots: Option<u32>,
    pub cooldown: Rules,
    pub latency: LatencyRules,
}

/// See the module. Lives on the control thread; its mailbox is the Deployment actor.
#[derive(Debug)]
pub struct DeploymentState {
    generation: u32,
    rules: StateRules,
    /// What decisions see of it.
    gauge: Gauge,
    health: Health,
    /// Seconds a token of output, or an answer.
    answers: Samples,
    /// Seconds until the first token.
    first_tokens: Samples,
    pub successes: u64,
    pub failures: u64,
    /// Running means, in milliseconds.
    pub latency_ms: Option<f32>,
    pub first_token_ms: Option<f32>,
    pub last_error: Option<LastError>,
    published: Arc<Gauges>,
}

impl DeploymentState {
    pub fn new(rules: StateRules, published: Arc<Gauges>) -> Self {
        Self {
            generation: 0,
            gauge: Gauge {
                slots: rules.slots.unwrap_or(NO_SLOTS),
                ..Gauge::default()
            },
            rules,
            health: Health::default(),
            answers: Samples::default(),
            first_tokens: Samples::default(),
            successes: 0,
            failures: 0,
            latency_ms: None,
            first_token_ms: None,
            last_error: None,
            published,
        }
    }

    /// The state of a deployment whose number others have had before it: what they gave leases for is not counted here.
    pub fn of_generation(self, generation: u32) -> Self {
        Self { generation, ..self }
    }

    /// The configuration has changed what it says of this deployment. What is known of it stays.
    pub fn reconfigure(&mut self, rules: StateRules, published: Arc<Gauges>) {
        self.rules = rules;
        self.gauge.slots = rules.slots.unwrap_or(NO_SLOTS);
        self.published = published;
        self.publish();
    }

    /// What decisions see of it.
    pub fn gauge(&self) -> Gauge {
        self.gauge
    }

    /// Why it takes no calls now; `None`: it takes them.
    pub fn cooling(&self, now: u64) -> Option<Cooling> {
        self.health.cooling(now)
    }

    /// Others of its group should take calls, if they can: a health check that still counts has failed, or one call is
    /// finding out whether it has recovered.
    pub fn is_spared(&self, now: u64) -> bool {
        self.gauge.spared(now).is_some()
    }

    /// It is spared, or may be with the next call.
    pub fn may_be_spared(&self, now: u64) -> bool {
        self.is_spared(now) || self.health.is_on_trial(now) || self.cooling(now).is_some()
    }

    /// What a health check found, which counts until then: who failed it is spared.
    pub fn is_found(&mut self, is_healthy: bool, until: u64) {
        self.gauge.ill_until = if is_healthy { 0 } else { until };
    }

    /// A health check counts like a call. The cooldown that begins with its failure, if any.
    pub fn is_probed(&mut self, fault: Option<&Fault>, now: u64) -> Option<Cooling> {
        let was_cooling = self.health.cooling(now).is_some();
        let cooling = match fault {
            None => {
                self.health.works(now);
                None
            }
            Some(fault) => self.health.failed(fault, &self.rules.cooldown, true, now),
        };
        self.publish();
        cooling.filter(|_| !was_cooling)
    }

    pub fn state(&self, now: u64) -> State {
        self.health.state(now)
    }

    pub fn slots(&self) -> Option<u32> {
        self.rules.slots
    }

    pub fn in_flight(&self) -> u32 {
        self.gauge.in_flight
    }

    /// Requests and tokens of this minute.
    pub fn used(&self, now: u64) -> (u64, u64) {
        let rates = &self.gauge.rates;
        (rates.requests(now), rates.tokens_at(now))
    }

    /// Takes a call, of which the caller knows that it may: a slot, and what it needs in this minute.
    pub fn acquire(
        &mut self,
        deployment: u32,
        need: Need,
        limits: Option<&RateLimits>,
        now: u64,
    ) -> Lease {
        self.gauge.in_flight += 1;
        let Need {
            input_tokens,
            output_tokens,
            ..
        } = need;
        let rates = &mut self.gauge.rates;
        let booking = rates.take(limits, input_tokens, output_tokens, now);
        let trial = self.health.began(now);
        self.publish();
        Lease {
            deployment,
            generation: self.generation,
            booking,
            trial,
            budget_hold: None,
        }
    }

    /// Gives a slot back and learns from the outcome. A lease of an earlier generation changes nothing: `None`.
    pub fn report(
        &mut self,
        lease: Lease,
        outcome: Outcome,
        used: Used,
        now: u64,
    ) -> Option<Reported> {
        if lease.generation != self.generation {
            return None;
        }
        let mut reported = Reported::default();
        let decides = self.health.is_decided_by(lease.trial);
        let gauge = &mut self.gauge;
        gauge.in_flight = gauge.in_flight.saturating_sub(1);
        gauge.rates.settle(&lease.booking, used.input, used.output);
        match outcome {
            Outcome::Success {
                latency_ms,
                first_token_ms,
            } => {
                self.successes += 1;
                reported.has_returned = decides && self.health.is_on_trial(now);
                self.health.succeeded(decides, now);
                mean(&mut self.latency_ms, latency_ms);
                if let Some(first) = first_token_ms {
                    mean(&mut self.first_token_ms, first);
                }
                self.answered(latency_ms, first_token_ms, used, now);
            }
            Outcome::Failure(fault) => {
                self.failures += 1;
                let was_cooling = self.health.cooling(now).is_some();
                let cooling = self
                    .health
                    .failed(&fault, &self.rules.cooldown, decides, now);
                reported.cooldown = cooling.filter(|_| !was_cooling);
                self.last_error = Some(LastError {
                    status: fault.status,
                    at: now,
                });
                self.failed(&fault, now);
            }
            Outcome::Neutral if decides => self.health.left(),
            Outcome::Neutral => {}
        }
        self.publish();
        Some(reported)
    }

    fn answered(&mut self, latency_ms: f32, first_token_ms: Option<f32>, used: Used, now: u64) {
        let rules = &self.rules.latency;
        // Long answers take longer: chats are compared by token.
        let seconds = latency_ms / 1e3 / (used.output.max(1) as f32);
        self.answers.add(seconds, rules, now);
        self.gauge.latency = Measured::new(self.answers.mean(), rules.ttl_ms, now);
        if let Some(first) = first_token_ms {
            self.first_tokens.add(first / 1e3, rules, now);
            let seconds = match rules.first_token_percentile {
                Some(percent) => self.first_tokens.percentile(percent),
                None => self.first_tokens.mean(),
            };
            self.gauge.first_token = Measured::new(seconds, rules.ttl_ms, now);
        }
        // What a client waits for: the first token where there is one.
        let wait = first_token_ms.unwrap_or(latency_ms);
        self.gauge.ewma.observe(wait, now);
    }

    fn failed(&mut self, fault: &Fault, now: u64) {
        // A limit that a caller has set for itself says nothing of others' calls.
        if fault.class == ErrorClass::Timeout && !fault.is_callers_limit {
            let rules = &self.rules.latency;
            self.answers.add(TIMED_OUT, rules, now);
            self.gauge.latency = Measured::new(self.answers.mean(), rules.ttl_ms, now);
            self.gauge.ewma.observe(TIMED_OUT * 1e3, now);
        }
    }

    fn publish(&mut self) {
        let published = &self.published;
        let in_flight = self.gauge.in_flight;
        published.in_flight.store(in_flight, Ordering::Relaxed);
        let (until, failing) = self.health.published();
        self.gauge.cooling_until = until;
        self.gauge.tried_until = self.health.tried_until();
        published.cooling_until.store(until, Ordering::Relaxed);
        published.failing.store(failing, Ordering::Relaxed);
    }
}

fn mean(kept: &mut Option<f32>, newest: f32) {
    *kept = Some(kept.map_or(newest, |mean| mean + (newest - mean) * NEWEST));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_given_and_taken_back_once() {
        let rules = StateRules {
            slots: Some(1),
            ..StateRules::default()
        };
        let mut state = DeploymentState::new(rules, Arc::default());
        let is_full = |state: &DeploymentState| state.gauge().in_flight >= state.gauge().slots;
        let lease = state.acquire(3, Need::default(), None, 0);
        assert!(is_full(&state));
        let stale = Lease {
            generation: 9,
            ..lease
        };
        assert_eq!(
            state.report(stale, Outcome::Neutral, Used::default(), 0),
            None
        );
        assert!(is_full(&state));
        let failed = Outcome::Failure(Fault::of_status(500));
        assert_eq!(
            state.report(lease, failed, Used::default(), 7),
            Some(Reported::default())
        );
        assert_eq!(state.last_error, Some(LastError { status: 500, at: 7 }));
        assert!(!is_full(&state));
    }

    #[test]
    fn a_cooldown_begins_once_and_is_published() {
        let gauges: Arc<Gauges> = Arc::default();
        let mut state = DeploymentState::new(StateRules::default(), gauges.clone());
        let leases = [0; 3].map(|_| state.acquire(0, Need::default(), None, 0));
        let failed = Outcome::Failure(Fault::of_status(429));
        let begun = state
            .report(leases[0], failed, Used::default(), 10)
            .unwrap();
        assert_eq!(begun.cooldown.map(|cooling| cooling.until), Some(5_010));
        // A call that was under way prolongs it, which is not another one.
        assert_eq!(
            state.report(leases[1], failed, Used::default(), 20),
            Some(Reported::default())
        );
        assert_eq!(
            state.cooling(5_019).map(|cooling| cooling.until),
            Some(5_020)
        );
        assert_eq!(
            (gauges.cooling_for(20), gauges.state(20)),
            (Some(5_000), State::Cooling)
        );
        assert_eq!(
            (gauges.cooling_for(5_020), gauges.state(5_020)),
            (None, State::Failing)
        );
        let answered = Outcome::Success {
            latency_ms: 1.0,
            first_token_ms: None,
        };
        state.report(leases[2], answered, Used::default(), 5_020);
        assert_eq!(gauges.state(5_020), State::Healthy);
        let lease = state.acquire(0, Need::default(), None, 0);
        let begun = state.report(lease, failed, Used::default(), 5_021).unwrap();
        assert_eq!(begun.cooldown.map(|cooling| cooling.until), Some(10_021));
    }

    /// Who allows its own call a moment only must not make a deployment look slow to all others.
    #[test]
    fn a_callers_own_limit_says_nothing_of_the_latency() {
        let rules = StateRules {
            slots: None,
            cooldown: Rules::default(),
            latency: LatencyRules::default(),
        };
        let mut state = DeploymentState::new(rules, Arc::new(Gauges::default()));
        let timed_out = |is_callers_limit| {
            Outcome::Failure(Fault {
                class: ErrorClass::Timeout,
                is_callers_limit,
                ..Fault::of_status(408)
            })
        };
        let mut latency_after = |outcome| {
            let lease = state.acquire(0, Need::default(), None, 0);
            state.report(lease, outcome, Used::default(), 0);
            state.gauge().latency.at(0)
        };
        assert_eq!(latency_after(timed_out(true)), 0.0);
        assert_eq!(latency_after(timed_out(false)), TIMED_OUT);
    }
}
