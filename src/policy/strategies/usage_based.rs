//! `usage-based-routing` and `-v2`: the fewest tokens in this minute; of equals one at random (v2 of LiteLLM 1.106.2).
//!
//! Tokens of calls under way count as they are expected, so that many calls at once spread. That limits are kept is decided
//! before: exactly `rpm` calls pass a minute, where LiteLLM lets one less through.

use super::{Candidates, Strategy};

/// See the module.
pub struct UsageBased;

impl Strategy for UsageBased {
    fn pick(&self, candidates: &Candidates<'_>, random: f64) -> Option<usize> {
        candidates.lowest(random, |gauge| gauge.rates.tokens_at(candidates.now))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{Fleet, close};
    use super::UsageBased;

    proptest! {
        /// Whatever calls cost, no deployment is ever further ahead than one call.
        #[test]
        fn tokens_stay_level(count in 1usize..9, costs in prop::collection::vec((1u64..500, 0u64..500), 1..200)) {
            let mut fleet = Fleet::of(count);
            let mut most = 0;
            for (at, (input, output)) in costs.into_iter().enumerate() {
                most = most.max(input + output);
                let position = fleet.pick(&UsageBased, at as f64 / 201.0).unwrap();
                fleet.gauges[position].rates.take(None, input, output, 0);
                let tokens = |fleet: &Fleet| -> Vec<u64> {
                    fleet.gauges.iter().map(|gauge| gauge.rates.tokens_at(0)).collect()
                };
                let tokens = tokens(&fleet);
                prop_assert!(tokens.iter().max().unwrap() - tokens.iter().min().unwrap() <= most);
            }
        }
    }

    #[test]
    fn equals_are_chosen_at_random() {
        close(&Fleet::of(4).shares(&UsageBased), &[0.25; 4]);
        let mut fleet = Fleet::of(3);
        fleet.gauges[1].rates.take(None, 5, 0, 0);
        close(&fleet.shares(&UsageBased), &[0.5, 0.0, 0.5]);
    }
}
