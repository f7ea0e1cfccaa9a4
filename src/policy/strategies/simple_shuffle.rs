//! `simple-shuffle`: a random pick, weighted by `weight`, else `rpm`, else `tpm`: the first of them that anybody has who may be
//! chosen (LiteLLM 1.106.2).
//!
//! Members without that attribute weigh nothing beside those that have it, so one `rpm` in a group sends its whole traffic
//! there. Without any attribute the pick is uniform.

use super::{Candidates, DRAWS, Member, Strategy, another, lot};

/// See the module.
pub struct SimpleShuffle {
    /// Of each attribute that any member has, the first one first.
    attributes: Vec<Weights>,
}

impl SimpleShuffle {
    pub fn new(members: &[Member]) -> Self {
        let attributes: [fn(&Member) -> f64; 3] = [
            |member| member.weight,
            |member| member.rpm as f64,
            |member| member.tpm as f64,
        ];
        let weights = attributes.map(|weigh| Weights::of(members.iter().map(weigh)));
        Self {
            attributes: weights
                .into_iter()
                .filter(|weights| weights.total() > 0.0)
                .collect(),
        }
    }
}

impl Strategy for SimpleShuffle {
    fn pick(&self, candidates: &Candidates<'_>, random: f64) -> Option<usize> {
        let mut attributes = self.attributes.iter();
        attributes
            .find_map(|weights| weights.pick(candidates, random))
            .or_else(|| uniform(candidates, random))
    }
}

/// Weights by position, prepared once.
pub struct Weights {
    /// Running totals.
    cumulative: Vec<f64>,
}

impl Weights {
    pub fn of(weights: impl Iterator<Item = f64>) -> Self {
        let sums = weights.scan(0.0, |total, weight| {
            *total += weight.max(0.0);
            Some(*total)
        });
        Self {
            cumulative: sums.collect(),
        }
    }

    fn total(&self) -> f64 {
        self.cumulative.last().copied().unwrap_or_default()
    }

    fn weight(&self, position: usize) -> f64 {
        let upto = |position: usize| self.cumulative.get(position).copied().unwrap_or_default();
        upto(position) - position.checked_sub(1).map_or(0.0, upto)
    }

    /// In proportion among those that may be chosen; `None`: none of them weighs anything.
    pub fn pick(&self, candidates: &Candidates<'_>, random: f64) -> Option<usize> {
        let total = self.total();
        let mut chance = random;
        // Drawing again until somebody may be chosen is exactly the distribution over those that may.
        for _ in 0..DRAWS {
            let sought = chance * total;
            let drawn = self.cumulative.partition_point(|upto| *upto <= sought);
            if drawn < self.cumulative.len() && (candidates.eligible)(drawn) {
                return Some(drawn);
            }
            chance = another(chance);
        }
        let eligible = || {
            let weighed = candidates
                .eligible()
                .map(|(position, _)| (position, self.weight(position)));
            weighed.filter(|(_, weight)| *weight > 0.0)
        };
        let total: f64 = eligible().map(|(_, weight)| weight).sum();
        let mut left = chance * total;
        let mut last = None;
        for (position, weight) in eligible() {
            last = Some(position);
            if left < weight {
                break;
            }
            left -= weight;
        }
        last
    }
}

fn uniform(candidates: &Candidates<'_>, random: f64) -> Option<usize> {
    let count = candidates.members.len();
    let mut chance = random;
    for _ in 0..DRAWS {
        let drawn = (chance * count as f64) as usize;
        if drawn < count && (candidates.eligible)(drawn) {
            return Some(drawn);
        }
        chance = another(chance);
    }
    candidates.first_lowest(|position, _| Some(lot(chance, position)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{Fleet, close};
    use super::super::{Candidates, Member, Strategy as Choosing};
    use super::{SimpleShuffle, Weights};

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
    fn who_is_out_has_no_say_in_the_attribute() {
        let members = [
            member(0, 10.0, 0, 0),
            member(1, 0.0, 90, 0),
            member(2, 0.0, 10, 0),
        ];
        close(&shares(&members, 0), &[1.0, 0.0, 0.0]);
        close(&shares(&members, 0b1), &[0.0, 0.9, 0.1]);
    }

    #[test]
    fn a_requests_own_weights() {
        struct Own(Weights);
        impl Choosing for Own {
            fn pick(&self, candidates: &Candidates<'_>, random: f64) -> Option<usize> {
                self.0.pick(candidates, random)
            }
        }
        let strategy = Own(Weights::of([0.0, 3.0, 1.0].into_iter()));
        let mut fleet = Fleet::of(3);
        close(&fleet.shares(&strategy), &[0.0, 0.75, 0.25]);
        fleet.out = 0b110;
        assert_eq!(fleet.pick(&strategy, 0.5), None);
    }
}
