//! `p2c-ewma`: two deployments taken at random, and of them the one that would answer sooner: peak-EWMA of its latency times
//! the calls it would have under way (the power of two choices).
//!
//! Where taking the lowest of all would send every call of a moment to the same deployment, this spreads them, and still nobody
//! slow is chosen often. Who has no latency yet counts as fast.

use super::{Candidates, DRAWS, Member, Strategy, another, lot};

/// See the module.
pub struct P2cEwma;

impl Strategy for P2cEwma {
    fn pick(&self, candidates: &Candidates<'_>, random: f64) -> Option<usize> {
        let (first, second) = two(candidates, random)?;
        let load = |position: usize| {
            let member = candidates.members.get(position);
            member.map_or(f32::INFINITY, |member| load(candidates, member))
        };
        Some(if load(second) < load(first) {
            second
        } else {
            first
        })
    }
}

fn load(candidates: &Candidates<'_>, member: &Member) -> f32 {
    let Some(gauge) = candidates.gauge(member) else {
        return f32::INFINITY;
    };
    // A millisecond at least, so that calls under way count where no latency is known.
    gauge.ewma.at(candidates.now).max(1.0) * (gauge.in_flight as f32 + 1.0)
}

/// Two different eligible positions, uniformly; the same one twice where there is only one.
fn two(candidates: &Candidates<'_>, random: f64) -> Option<(usize, usize)> {
    let count = candidates.members.len();
    let (mut chance, mut first) = (random, None);
    for _ in 0..DRAWS {
        let position = (chance * count as f64) as usize;
        chance = another(chance);
        if position >= count || first == Some(position) || !(candidates.eligible)(position) {
            continue;
        }
        match first {
            None => first = Some(position),
            Some(first) => return Some((first, position)),
        }
    }
    let one = candidates.first_lowest(|position, _| Some(lot(chance, position)))?;
    let other =
        candidates.first_lowest(|position, _| (position != one).then(|| lot(chance, position)));
    Some((one, other.unwrap_or(one)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{Fleet, close};
    use super::P2cEwma;

    #[test]
    fn the_worst_is_never_chosen_and_the_best_most() {
        let mut fleet = Fleet::of(3);
        for (gauge, ms) in fleet.gauges.iter_mut().zip([100.0, 200.0, 300.0]) {
            gauge.ewma.observe(ms, 0);
        }
        // Of the three pairs the best wins two and the second one.
        close(&fleet.shares(&P2cEwma), &[2.0 / 3.0, 1.0 / 3.0, 0.0]);
        fleet.gauges[0].in_flight = 9;
        close(&fleet.shares(&P2cEwma), &[0.0, 2.0 / 3.0, 1.0 / 3.0]);
    }

    #[test]
    fn equals_share_alike_also_where_most_are_out() {
        close(&Fleet::of(5).shares(&P2cEwma), &[0.2; 5]);
        let mut fleet = Fleet::of(16);
        fleet.out = 0b0111_1111_1111_1110;
        let shares = fleet.shares(&P2cEwma);
        close(&[shares[0], shares[15]], &[0.5, 0.5]);
    }

    proptest! {
        #[test]
        fn only_the_eligible_are_picked(count in 0usize..16, out in any::<u16>(), random in 0.0..1.0f64) {
            let mut fleet = Fleet::of(count);
            fleet.out = out;
            let picked = fleet.pick(&P2cEwma, random);
            prop_assert_eq!(picked.is_some(), (0..count).any(|at| fleet.is_in(at)));
            prop_assert!(picked.is_none_or(|at| fleet.is_in(at)));
        }
    }
}
