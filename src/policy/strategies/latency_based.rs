//! `latency-based-routing`: at random among those whose last answers were the fastest (LiteLLM 1.106.2).
//!
//! Streams are compared by the time to their first token, where that is known. Whoever has no answer yet counts as fastest, so
//! that everybody is tried.

use super::{Candidates, Member, Strategy};
use crate::policy::selection::Gauge;

/// See the module.
pub struct LatencyBased {
    /// Slower than the fastest by this share is fast enough, ≥ 0.
    pub buffer: f32,
}

impl Strategy for LatencyBased {
    fn pick(&self, candidates: &Candidates<'_>, random: f64) -> Option<usize> {
        let latency = |gauge: &Gauge| {
            let first_token = gauge.first_token.at(candidates.now);
            if candidates.is_stream && first_token > 0.0 {
                first_token
            } else {
                gauge.latency.at(candidates.now)
            }
        };
        let of = |member: &Member| candidates.gauge(member).map(latency);
        let fastest = candidates.first_lowest(|_, member| of(member))?;
        let fastest = candidates.members.get(fastest).and_then(of)?;
        let most = fastest * (1.0 + self.buffer);
        candidates.lowest(random, |gauge| latency(gauge) > most)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{Fleet, close};
    use super::LatencyBased;
    use crate::policy::latency::Measured;

    fn fleet(latencies: &[f32]) -> Fleet {
        let mut fleet = Fleet::of(latencies.len());
        for (gauge, latency) in fleet.gauges.iter_mut().zip(latencies) {
            gauge.latency = Measured::new(*latency, 1_000, 0);
        }
        fleet
    }

    #[test]
    fn the_fastest_share_the_calls() {
        let strict = LatencyBased { buffer: 0.0 };
        close(&fleet(&[3.0, 1.0, 1.0]).shares(&strict), &[0.0, 0.5, 0.5]);
        close(&fleet(&[3.0, 0.0, 1.0]).shares(&strict), &[0.0, 1.0, 0.0]);
        let generous = LatencyBased { buffer: 0.5 };
        close(&fleet(&[1.5, 1.0, 1.6]).shares(&generous), &[0.5, 0.5, 0.0]);
    }

    /// Else who was slow once would never be asked again.
    #[test]
    fn what_is_old_counts_no_more() {
        let mut fleet = fleet(&[1.0, 9.0]);
        fleet.gauges[0].latency = Measured::new(1.0, 5_000, 0);
        let strategy = LatencyBased { buffer: 0.0 };
        assert_eq!(fleet.pick(&strategy, 0.5), Some(0));
        fleet.now = 1_000;
        assert_eq!(fleet.pick(&strategy, 0.5), Some(1));
    }

    #[test]
    fn streams_go_by_their_first_token() {
        let mut fleet = fleet(&[1.0, 9.0]);
        fleet.gauges[0].first_token = Measured::new(0.5, 1_000, 0);
        fleet.gauges[1].first_token = Measured::new(0.2, 1_000, 0);
        let strategy = LatencyBased { buffer: 0.0 };
        assert_eq!(fleet.pick(&strategy, 0.5), Some(0));
        fleet.is_stream = true;
        assert_eq!(fleet.pick(&strategy, 0.5), Some(1));
    }

    proptest! {
        #[test]
        fn nobody_slower_than_the_buffer_is_chosen(
            latencies in prop::collection::vec(0.0f32..10.0, 1..20), buffer in 0.0f32..2.0, random in 0.0..1.0f64,
        ) {
            let picked = fleet(&latencies).pick(&LatencyBased { buffer }, random).unwrap();
            let fastest = latencies.iter().copied().min_by(f32::total_cmp).unwrap();
            prop_assert!(latencies[picked] <= fastest * (1.0 + buffer));
        }
    }
}
