//! The state of one deployment: slots, health, counts, latency, last error.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::table::Gauges;
use super::turn::{Lease, Outcome};
use crate::policy::cooldown::{Cooling, Fault, Health, Rules, State};

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

/// See the module. Lives on the control thread; its mailbox is the Deployment actor.
#[derive(Debug)]
pub struct DeploymentState {
    generation: u32,
    /// `max_parallel_requests`, if bounded.
    slots: Option<u32>,
    in_flight: u32,
    rules: Rules,
    health: Health,
    /// Until then a health check that failed counts, in milliseconds of the control thread's clock.
    ill_until: u64,
    pub successes: u64,
    pub failures: u64,
    /// Running means, in milliseconds.
    pub latency_ms: Option<f32>,
    pub first_token_ms: Option<f32>,
    pub last_error: Option<LastError>,
    gauges: Arc<Gauges>,
}

impl DeploymentState {
    pub fn new(slots: Option<u32>, rules: Rules, gauges: Arc<Gauges>) -> Self {
        Self {
            generation: 0,
            slots,
            in_flight: 0,
            rules,
            health: Health::default(),
            ill_until: 0,
            successes: 0,
            failures: 0,
            latency_ms: None,
            first_token_ms: None,
            last_error: None,
            gauges,
        }
    }

    /// The state of a deployment whose number others have had before it: what they gave leases for is not counted here.
    pub fn of_generation(self, generation: u32) -> Self {
        Self { generation, ..self }
    }

    /// The configuration has changed what it says of this deployment. What is known of it stays.
    pub fn reconfigure(&mut self, slots: Option<u32>, rules: Rules, gauges: Arc<Gauges>) {
        self.slots = slots;
        self.rules = rules;
        self.gauges = gauges;
        self.publish();
    }

    /// All slots in use.
    pub fn is_full(&self) -> bool {
        self.slots.is_some_and(|slots| self.in_flight >= slots)
    }

    /// Why it takes no calls now; `None`: it takes them.
    pub fn cooling(&self, now: u64) -> Option<Cooling> {
        self.health.cooling(now)
    }

    /// Others of its group should take calls, if they can: a health check that still counts has failed, or one call is
    /// finding out whether it has recovered.
    pub fn is_spared(&self, now: u64) -> bool {
        now < self.ill_until || self.health.is_being_tried(now)
    }

    /// It is spared, or may be with the next call.
    pub fn may_be_spared(&self, now: u64) -> bool {
        now < self.ill_until || self.health.is_on_trial(now) || self.cooling(now).is_some()
    }

    /// What a health check found, which counts until then: who failed it is spared.
    pub fn is_found(&mut self, is_healthy: bool, until: u64) {
        self.ill_until = if is_healthy { 0 } else { until };
    }

    /// A health check counts like a call. The cooldown that begins with its failure, if any.
    pub fn is_probed(&mut self, fault: Option<&Fault>, now: u64) -> Option<Cooling> {
        let was_cooling = self.health.cooling(now).is_some();
        let cooling = match fault {
            None => {
                self.health.works(now);
                None
            }
            Some(fault) => self.health.failed(fault, &self.rules, now),
        };
        self.publish();
        cooling.filter(|_| !was_cooling)
    }

    pub fn state(&self, now: u64) -> State {
        self.health.state(now)
    }

    pub fn slots(&self) -> Option<u32> {
        self.slots
    }

    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Takes a slot; `None` when there is none.
    pub fn acquire(&mut self, deployment: u32, now: u64) -> Option<Lease> {
        if self.is_full() {
            return None;
        }
        self.in_flight += 1;
        self.health.began(now);
        self.publish();
        Some(Lease {
            deployment,
            generation: self.generation,
        })
    }

    /// Gives a slot back and learns from the outcome. A lease of an earlier generation changes nothing: `None`.
    pub fn report(&mut self, lease: Lease, outcome: Outcome, now: u64) -> Option<Reported> {
        if lease.generation != self.generation {
            return None;
        }
        let mut reported = Reported::default();
        self.in_flight = self.in_flight.saturating_sub(1);
        match outcome {
            Outcome::Success {
                latency_ms,
                first_token_ms,
            } => {
                self.successes += 1;
                reported.has_returned = self.health.is_on_trial(now);
                self.health.succeeded(now);
                mean(&mut self.latency_ms, latency_ms);
                if let Some(first) = first_token_ms {
                    mean(&mut self.first_token_ms, first);
                }
            }
            Outcome::Failure(fault) => {
                self.failures += 1;
                let was_cooling = self.health.cooling(now).is_some();
                let cooling = self.health.failed(&fault, &self.rules, now);
                reported.cooldown = cooling.filter(|_| !was_cooling);
                self.last_error = Some(LastError {
                    status: fault.status,
                    at: now,
                });
            }
            Outcome::Neutral => self.health.left(),
        }
        self.publish();
        Some(reported)
    }

    fn publish(&self) {
        let gauges = &self.gauges;
        gauges.in_flight.store(self.in_flight, Ordering::Relaxed);
        let (until, failing) = self.health.published();
        gauges.cooling_until.store(until, Ordering::Relaxed);
        gauges.failing.store(failing, Ordering::Relaxed);
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
        let mut state = DeploymentState::new(Some(1), Rules::default(), Arc::default());
        let lease = state.acquire(3, 0).unwrap();
        assert_eq!(state.acquire(3, 0), None);
        let stale = Lease {
            generation: 9,
            ..lease
        };
        assert_eq!(state.report(stale, Outcome::Neutral, 0), None);
        assert!(state.is_full());
        let failed = Outcome::Failure(Fault::of_status(500));
        assert_eq!(state.report(lease, failed, 7), Some(Reported::default()));
        assert_eq!(state.last_error, Some(LastError { status: 500, at: 7 }));
        assert!(!state.is_full());
    }

    #[test]
    fn a_cooldown_begins_once_and_is_published() {
        let gauges: Arc<Gauges> = Arc::default();
        let mut state = DeploymentState::new(None, Rules::default(), gauges.clone());
        let leases = [0; 3].map(|_| state.acquire(0, 0).unwrap());
        let failed = Outcome::Failure(Fault::of_status(429));
        let begun = state.report(leases[0], failed, 10).unwrap();
        assert_eq!(begun.cooldown.map(|cooling| cooling.until), Some(5_010));
        // A call that was under way prolongs it, which is not another one.
        assert_eq!(
            state.report(leases[1], failed, 20),
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
        state.report(leases[2], answered, 5_020);
        assert_eq!(gauges.state(5_020), State::Healthy);
        let lease = state.acquire(0, 5_020).unwrap();
        let begun = state.report(lease, failed, 5_021).unwrap();
        assert_eq!(begun.cooldown.map(|cooling| cooling.until), Some(10_021));
    }
}
