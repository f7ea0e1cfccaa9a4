//! `least-busy`: the fewest calls under way; of equals the first in configuration order (LiteLLM 1.106.2).

use super::{Candidates, Strategy};

/// See the module.
pub struct LeastBusy;

impl Strategy for LeastBusy {
    fn pick(&self, candidates: &Candidates<'_>, _random: f64) -> Option<usize> {
        let busy = |position: &usize| {
            candidates
                .members
                .get(*position)
                .and_then(|member| candidates.in_flight.get(member.deployment as usize))
                .copied()
                .unwrap_or(u32::MAX)
        };
        let eligible = candidates
            .members
            .iter()
            .enumerate()
            .filter(|(_, member)| candidates.is_eligible(member));
        eligible.map(|(position, _)| position).min_by_key(busy)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Candidates, Member, Strategy as _};
    use super::LeastBusy;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the start and the order of endings, calls spread evenly over equal deployments.
        #[test]
        fn loads_stay_level(count in 1usize..9, steps in prop::collection::vec(any::<(bool, u8)>(), 1..200)) {
            let members: Vec<Member> =
                (0..count).map(|at| Member { deployment: at as u32, ..Member::default() }).collect();
            let mut in_flight = vec![0u32; count];
            for (ends, which) in steps {
                if ends && in_flight.iter().any(|busy| *busy > 0) {
                    let most = in_flight.iter().max().copied().unwrap_or_default();
                    let at = in_flight.iter().position(|busy| *busy == most).unwrap_or_default();
                    in_flight[at] -= 1;
                    continue;
                }
                let blocked = u32::from(which) % (count as u32 + 1);
                let candidates = Candidates { members: &members, in_flight: &in_flight, eligible: &|d| d != blocked };
                let Some(position) = LeastBusy.pick(&candidates, 0.5) else { continue };
                let least = members
                    .iter()
                    .filter(|member| member.deployment != blocked)
                    .map(|member| in_flight[member.deployment as usize])
                    .min();
                prop_assert_eq!(Some(in_flight[position]), least);
                in_flight[position] += 1;
            }
        }
    }
}
