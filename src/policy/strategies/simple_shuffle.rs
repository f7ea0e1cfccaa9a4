//! `simple-shuffle`: a random pick, weighted by `weight`, else `rpm`, else `tpm`: the first of them that any member has.
//!
//! Members without that attribute weigh nothing beside those that have it (LiteLLM 1.106.2), so one `rpm` in a group sends
//! its whole traffic there. Without any attribute the pick is uniform.

use super::{Candidates, DRAWS, Member, Strategy, another};

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

    /// By these weights of the positions, whatever the configuration says; 0 for those that are not named.
    pub fn weighted(weights: impl Iterator<Item = f64>) -> Self {
        let sums = weights.scan(0.0, |total, weight| {
            *total += weight.max(0.0);
            Some(*total)
        });
        Self {
            cumulative: sums.collect(),
        }
    }

    fn weight(&self, position: usize) -> f64 {
        let upto = |position: usize| self.cumulative.get(position).copied().unwrap_or_default();
        if self.cumulative.is_empty() {
            1.0
        } else {
            upto(position) - position.checked_sub(1).map_or(0.0, upto)
        }
    }

    fn draw(&self, count: usize, random: f64) -> usize {
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
        let mut chance = random;
        // Drawing again until somebody is eligible is exactly the distribution over the eligible members.
        for _ in 0..DRAWS {
            let drawn = self.draw(members.len(), chance);
            if drawn < members.len() && (candidates.eligible)(drawn) {
                return Some(drawn);
            }
            chance = another(chance);
        }
        // Few are eligible, or weigh little: in proportion among those that are.
        let eligible = || candidates.eligible();
        let total: f64 = eligible().map(|(position, _)| self.weight(position)).sum();
        let weighted = total > 0.0;
        let mut left = chance
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Member;
    use super::super::testing::{Fleet, close};
    use super::SimpleShuffle;

    fn fleet(members: &[Member], out: u16) -> Fleet {
        Fleet {
            members: members.to_vec(),
            out,
            ..Fleet::of(members.len())
        }
    }

    fn shares(members: &[Member], out: u16) -> Vec<f64> {
        fleet(members, out).shares(&SimpleShuffle::new(members))
    }

    fn member(deployment: u32, weight: f64, rpm: u64, tpm: u64) -> Member {
        Member {
            deployment,
            weight,
            rpm,
            tpm,
            ..Member::default()
        }
    }

    #[test]
    fn shares_follow_the_first_attribute_present() {
        let m = member;
        close(&shares(&[m(0, 0.0, 0, 0), m(1, 0.0, 0, 0)], 0), &[0.5, 0.5]);
        close(
            &shares(&[m(0, 9.0, 1, 0), m(1, 1.0, 99, 0)], 0),
            &[0.9, 0.1],
        );
        close(
            &shares(&[m(0, 0.0, 30, 1), m(1, 0.0, 10, 99)], 0),
            &[0.75, 0.25],
        );
        close(
            &shares(&[m(0, 0.0, 0, 100), m(1, 0.0, 0, 300)], 0),
            &[0.25, 0.75],
        );
        close(
            &shares(&[m(0, 0.0, 10, 0), m(1, 0.0, 0, 500)], 0),
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
        close(&shares(&members, 0b1), &[0.0, 0.75, 0.25]);
        // Only a member that weighs nothing is left: better it than nobody.
        let members = [member(0, 1.0, 0, 0), member(1, 0.0, 0, 0)];
        close(&shares(&members, 0b1), &[0.0, 1.0]);
        close(&shares(&members, 0b11), &[0.0, 0.0]);
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
            let fleet = fleet(&members, out);
            let picked = fleet.pick(&SimpleShuffle::new(&members), random);
            prop_assert_eq!(picked.is_some(), (0..members.len()).any(|at| fleet.is_in(at)));
            prop_assert!(picked.is_none_or(|position| fleet.is_in(position)));
        }
    }

    #[test]
    fn a_requests_own_weights() {
        let strategy = SimpleShuffle::weighted([0.0, 3.0, 1.0].into_iter());
        close(&Fleet::of(3).shares(&strategy), &[0.0, 0.75, 0.25]);
    }
}
