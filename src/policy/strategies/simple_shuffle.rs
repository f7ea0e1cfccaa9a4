//! `simple-shuffle`: a random pick, weighted by `weight`, else `rpm`, else `tpm`: the first of them that any member has.
//!
//! Members without that attribute weigh nothing beside those that have it (LiteLLM 1.106.2), so one `rpm` in a group sends
//! its whole traffic there. Without any attribute the pick is uniform.

use super::{Candidates, Member, Strategy};

/// Weights prepared once; see the module.
pub struct SimpleShuffle {
    /// Running totals, one a member; empty for a uniform pick.
    cumulative: Vec<f64>,
}

impl SimpleShuffle {
    pub fn new(members: &[Member]) -> Self {
        let attributes: [fn(&Member) -> f64; 3] = [
            |member| member.weight,
            |member| member.rpm as f64,
            |member| member.tpm as f64,
        ];
        let weigh = attributes
            .into_iter()
            .find(|weigh| members.iter().any(|member| weigh(member) > 0.0));
        let cumulative = weigh.map_or_else(Vec::new, |weigh| {
            members
                .iter()
                .scan(0.0, |total, member| {
                    *total += weigh(member).max(0.0);
                    Some(*total)
                })
                .collect()
        });
        Self { cumulative }
    }

    fn weight(&self, position: usize) -> f64 {
        let upto = |position: usize| self.cumulative.get(position).copied().unwrap_or_default();
        if self.cumulative.is_empty() {
            1.0
        } else {
            upto(position) - position.checked_sub(1).map_or(0.0, upto)
        }
    }

    fn first_choice(&self, count: usize, random: f64) -> usize {
        match self.cumulative.last() {
            Some(total) => self
                .cumulative
                .partition_point(|upto| *upto <= random * total),
            None => (random * count as f64) as usize,
        }
    }
}

impl Strategy for SimpleShuffle {
    fn pick(&self, candidates: &Candidates<'_>, random: f64) -> Option<usize> {
        let members = candidates.members;
        let first = self.first_choice(members.len(), random);
        if members
            .get(first)
            .is_some_and(|member| candidates.is_eligible(member))
        {
            return Some(first);
        }
        // The first choice is out: choose again among those that remain, in proportion. Together with the first step this is
        // exactly the distribution over the eligible members.
        let eligible = || {
            members
                .iter()
                .enumerate()
                .filter(|(_, member)| candidates.is_eligible(member))
        };
        let total: f64 = eligible().map(|(position, _)| self.weight(position)).sum();
        let weighted = total > 0.0;
        let mut left = spread(random)
            * if weighted {
                total
            } else {
                eligible().count() as f64
            };
        let mut last = None;
        for (position, _) in eligible() {
            let weight = if weighted { self.weight(position) } else { 1.0 };
            if weight <= 0.0 {
                continue;
            }
            last = Some(position);
            if left < weight {
                return last;
            }
            left -= weight;
        }
        last
    }
}

/// A second uniform number from the first: the low bits of a product with a large odd factor.
fn spread(random: f64) -> f64 {
    let bits = (random * (1u64 << 53) as f64) as u64;
    let mut mixed = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ mixed >> 31) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::super::{Candidates, Member, Strategy as _};
    use super::SimpleShuffle;
    use proptest::prelude::*;

    fn shares(members: &[Member], eligible: &dyn Fn(u32) -> bool) -> Vec<f64> {
        let strategy = SimpleShuffle::new(members);
        let in_flight = vec![0; members.len()];
        let candidates = Candidates {
            members,
            in_flight: &in_flight,
            eligible,
        };
        let mut random = fastrand::Rng::with_seed(7);
        let rounds = 20_000;
        let mut counts = vec![0.0; members.len()];
        for _ in 0..rounds {
            if let Some(position) = strategy.pick(&candidates, random.f64()) {
                counts[position] += 1.0 / f64::from(rounds);
            }
        }
        counts
    }

    fn member(deployment: u32, weight: f64, rpm: u64, tpm: u64) -> Member {
        Member {
            deployment,
            weight,
            rpm,
            tpm,
            blocked: false,
        }
    }

    fn close(found: &[f64], wanted: &[f64]) {
        for (found, wanted) in found.iter().zip(wanted) {
            assert!((found - wanted).abs() < 0.015, "{found} is not {wanted}");
        }
    }

    #[test]
    fn shares_follow_the_first_attribute_present() {
        let all = |_| true;
        let m = member;
        close(
            &shares(&[m(0, 0.0, 0, 0), m(1, 0.0, 0, 0)], &all),
            &[0.5, 0.5],
        );
        close(
            &shares(&[m(0, 9.0, 1, 0), m(1, 1.0, 99, 0)], &all),
            &[0.9, 0.1],
        );
        close(
            &shares(&[m(0, 0.0, 30, 1), m(1, 0.0, 10, 99)], &all),
            &[0.75, 0.25],
        );
        close(
            &shares(&[m(0, 0.0, 0, 100), m(1, 0.0, 0, 300)], &all),
            &[0.25, 0.75],
        );
        close(
            &shares(&[m(0, 0.0, 10, 0), m(1, 0.0, 0, 500)], &all),
            &[1.0, 0.0],
        );
    }

    #[test]
    fn what_is_out_leaves_its_share_in_proportion() {
        let members = [
            member(0, 5.0, 0, 0),
            member(1, 3.0, 0, 0),
            member(2, 1.0, 0, 0),
        ];
        close(
            &shares(&members, &|deployment| deployment != 0),
            &[0.0, 0.75, 0.25],
        );
        // Only a member that weighs nothing is left: better it than nobody.
        let members = [member(0, 1.0, 0, 0), member(1, 0.0, 0, 0)];
        close(
            &shares(&members, &|deployment| deployment == 1),
            &[0.0, 1.0],
        );
        close(&shares(&members, &|_| false), &[0.0, 0.0]);
    }

    proptest! {
        #[test]
        fn only_the_eligible_are_picked(
            weights in prop::collection::vec(0u32..5, 0..9),
            out in any::<u16>(),
            random in 0.0..1.0f64,
        ) {
            let members: Vec<Member> = weights
                .iter()
                .enumerate()
                .map(|(at, weight)| member(at as u32, f64::from(*weight), 0, 0))
                .collect();
            let eligible = |deployment: u32| out >> deployment & 1 == 0;
            let in_flight = vec![0; members.len()];
            let candidates = Candidates { members: &members, in_flight: &in_flight, eligible: &eligible };
            let picked = SimpleShuffle::new(&members).pick(&candidates, random);
            prop_assert_eq!(picked.is_some(), members.iter().any(|member| eligible(member.deployment)));
            if let Some(position) = picked {
                prop_assert!(eligible(members[position].deployment));
            }
        }
    }
}
