//! `cache-affinity`: calls of one session, or with the same beginning of a prompt, go to the same deployment, whose provider
//! has the beginning in its cache.
//!
//! By rendezvous hashing: each deployment has a score for what calls share, and the highest eligible one wins. Nothing is
//! remembered, so it holds over restarts and over instances; when the deployment is out the next one takes its calls, always the
//! same, and when it is back it has them again. What calls do not share is spread as simple-shuffle does.

use std::cmp::Reverse;

use super::{Candidates, Member, SimpleShuffle, Strategy, mixed};

/// See the module.
pub struct CacheAffinity {
    shuffle: SimpleShuffle,
}

impl CacheAffinity {
    pub fn new(members: &[Member]) -> Self {
        Self {
            shuffle: SimpleShuffle::new(members),
        }
    }
}

impl Strategy for CacheAffinity {
    fn pick(&self, candidates: &Candidates<'_>, random: f64) -> Option<usize> {
        let Some(sticky) = candidates.sticky else {
            return self.shuffle.pick(candidates, random);
        };
        let score = |member: &Member| mixed(sticky ^ mixed(member.name));
        candidates.first_lowest(|_, member| Some(Reverse(score(member))))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{Fleet, close};
    use super::CacheAffinity;

    proptest! {
        /// What shares a session stays, whoever else goes: only the calls of whoever is out move.
        #[test]
        fn only_calls_of_who_is_out_move(count in 1usize..16, sticky in any::<u64>(), out in 0usize..16) {
            let mut fleet = Fleet::of(count);
            fleet.sticky = Some(sticky);
            let strategy = CacheAffinity::new(&fleet.members);
            let home = fleet.pick(&strategy, 0.1);
            prop_assert_eq!(fleet.pick(&strategy, 0.9), home, "chance has no part in it");
            fleet.out = 1 << out;
            let away = fleet.pick(&strategy, 0.5);
            if home == Some(out) {
                prop_assert_ne!(away, home);
            } else {
                prop_assert_eq!(away, home);
            }
        }
    }

    #[test]
    fn sessions_spread_and_so_do_calls_without() {
        let fleet = Fleet::of(4);
        let strategy = CacheAffinity::new(&fleet.members);
        close(&fleet.shares(&strategy), &[0.25; 4]);
        let mut counts = [0.0; 4];
        for sticky in 0..4_000 {
            let fleet = Fleet {
                sticky: Some(sticky),
                ..Fleet::of(4)
            };
            counts[fleet.pick(&strategy, 0.5).unwrap()] += 1.0 / 4_000.0;
        }
        close(&counts, &[0.25; 4]);
    }
}
