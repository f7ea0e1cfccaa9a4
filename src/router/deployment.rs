//! The state of one deployment: slots, counts, latency, last error.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::table::Gauges;
use super::turn::{Lease, Outcome};

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

/// See the module. Lives on the control thread; its mailbox is the Deployment actor.
#[derive(Debug)]
pub struct DeploymentState {
    generation: u32,
    /// `max_parallel_requests`, if bounded.
    slots: Option<u32>,
    in_flight: u32,
    pub successes: u64,
    pub failures: u64,
    /// Running means, in milliseconds.
    pub latency_ms: Option<f32>,
    pub first_token_ms: Option<f32>,
    pub last_error: Option<LastError>,
    gauges: Arc<Gauges>,
}

impl DeploymentState {
    pub fn new(slots: Option<u32>, gauges: Arc<Gauges>) -> Self {
        Self {
            generation: 0,
            slots,
            in_flight: 0,
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
    pub fn reconfigure(&mut self, slots: Option<u32>, gauges: Arc<Gauges>) {
        self.slots = slots;
        self.gauges = gauges;
        self.publish();
    }

    /// All slots in use.
    pub fn is_full(&self) -> bool {
        self.slots.is_some_and(|slots| self.in_flight >= slots)
    }

    pub fn slots(&self) -> Option<u32> {
        self.slots
    }

    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Takes a slot; `None` when there is none.
    pub fn acquire(&mut self, deployment: u32) -> Option<Lease> {
        if self.is_full() {
            return None;
        }
        self.in_flight += 1;
        self.publish();
        Some(Lease {
            deployment,
            generation: self.generation,
        })
    }

    /// Gives a slot back and learns from the outcome. A lease of an earlier generation changes nothing.
    pub fn report(&mut self, lease: Lease, outcome: Outcome, now: u64) -> bool {
        if lease.generation != self.generation {
            return false;
        }
        self.in_flight = self.in_flight.saturating_sub(1);
        match outcome {
            Outcome::Success {
                latency_ms,
                first_token_ms,
            } => {
                self.successes += 1;
                mean(&mut self.latency_ms, latency_ms);
                if let Some(first) = first_token_ms {
                    mean(&mut self.first_token_ms, first);
                }
            }
            Outcome::Failure(fault) => {
                self.failures += 1;
                self.last_error = Some(LastError {
                    status: fault.status,
                    at: now,
                });
            }
            Outcome::Neutral => {}
        }
        self.publish();
        true
    }

    fn publish(&self) {
        self.gauges
            .in_flight
            .store(self.in_flight, Ordering::Relaxed);
    }
}

fn mean(kept: &mut Option<f32>, newest: f32) {
    *kept = Some(kept.map_or(newest, |mean| mean + (newest - mean) * NEWEST));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::cooldown::Fault;

    #[test]
    fn slots_are_given_and_taken_back_once() {
        let mut state = DeploymentState::new(Some(1), Arc::default());
        let lease = state.acquire(3).unwrap();
        assert_eq!(state.acquire(3), None);
        let stale = Lease {
            generation: 9,
            ..lease
        };
        assert!(!state.report(stale, Outcome::Neutral, 0));
        assert!(state.is_full());
        assert!(state.report(lease, Outcome::Failure(Fault::of_status(500)), 7));
        assert_eq!(state.last_error, Some(LastError { status: 500, at: 7 }));
        assert!(!state.is_full());
    }
}
