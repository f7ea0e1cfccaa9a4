//! `cost-based-routing`: the lowest price of a token of input and one of output together; of equals the first in
//! configuration order (LiteLLM 1.106.2).

use super::{Candidates, Member, Strategy};

/// What an unknown price counts as, in dollars for a million tokens of input and of output: dearer than all known ones
/// (LiteLLM 1.106.2 takes 5 dollars a token).
pub const UNKNOWN_COST: f64 = 10_000_000.0;

/// Positions with the cheapest first, sorted once.
pub struct CostBased {
    cheapest_first: Vec<u32>,
}

impl CostBased {
    pub fn new(members: &[Member]) -> Self {
        let mut cheapest_first: Vec<u32> = (0..members.len() as u32).collect();
        let cost = |position: &u32| {
            members
                .get(*position as usize)
                .map_or(0.0, |member| member.cost)
        };
        cheapest_first.sort_by(|one, other| cost(one).total_cmp(&cost(other)));
        Self { cheapest_first }
    }
}

impl Strategy for CostBased {
    fn pick(&self, candidates: &Candidates<'_>, _random: f64) -> Option<usize> {
        let mut positions = self
            .cheapest_first
            .iter()
            .map(|position| *position as usize);
        positions.find(|position| (candidates.eligible)(*position))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::Fleet;
    use super::CostBased;

    proptest! {
        #[test]
        fn nobody_eligible_is_cheaper(costs in prop::collection::vec(0u8..5, 0..12), out in any::<u16>()) {
            let mut fleet = Fleet::of(costs.len());
            for (member, cost) in fleet.members.iter_mut().zip(&costs) {
                member.cost = f64::from(*cost);
            }
            fleet.out = out;
            let strategy = CostBased::new(&fleet.members);
            let expected = (0..costs.len()).filter(|at| fleet.is_in(*at)).min_by_key(|at| (costs[*at], *at));
            prop_assert_eq!(fleet.pick(&strategy, 0.3), expected);
        }
    }
}
