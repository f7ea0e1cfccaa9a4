//! `least-busy`: the fewest calls under way; of equals the first in configuration order (LiteLLM 1.106.2).

use super::{Candidates, Strategy};

/// See the module.
pub struct LeastBusy;

impl Strategy for LeastBusy {
    fn pick(&self, candidates: &Candidates<'_>, _random: f64) -> Option<usize> {
        candidates.first_lowest(|_, member| Some(candidates.gauge(member)?.in_flight))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::Fleet;
    use super::LeastBusy;

    #[test]
    fn many_calls_at_once_land_evenly() {
        let mut fleet = Fleet::of(4);
        for _ in 0..64 {
            let position = fleet.pick(&LeastBusy, 0.5).unwrap();
            fleet.gauges[position].in_flight += 1;
        }
        assert!(fleet.gauges.iter().all(|gauge| gauge.in_flight == 16));
    }

    proptest! {
        /// Whatever the start and the order of endings, the least busy one that may be chosen is chosen, the first of equals.
        #[test]
        fn loads_stay_level(count in 1usize..9, steps in prop::collection::vec(any::<(bool, u8)>(), 1..200)) {
            let mut fleet = Fleet::of(count);
            for (ends, which) in steps {
                if ends && let Some(busiest) = fleet.gauges.iter_mut().max_by_key(|gauge| gauge.in_flight) {
                    busiest.in_flight = busiest.in_flight.saturating_sub(1);
                    continue;
                }
                fleet.out = 1 << (usize::from(which) % (count + 1));
                let expected = (0..count).filter(|at| fleet.is_in(*at)).min_by_key(|at| fleet.gauges[*at].in_flight);
                let picked = fleet.pick(&LeastBusy, 0.5);
                prop_assert_eq!(picked, expected);
                if let Some(position) = picked {
                    fleet.gauges[position].in_flight += 1;
                }
            }
        }
    }
}
