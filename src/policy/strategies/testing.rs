//! A group with its gauges, for the tests of strategies.

use super::{Candidates, Member, Strategy, lar1};
use crate::policy::selection::Gauge;

pub struct Fleet {
    pub members: Vec<Member>,
    pub gauges: Vec<Gauge>,
    /// Bits of those that may not be chosen.
    pub out: u16,
    pub sticky: Option<u64>,
    pub is_stream: bool,
    pub now: u64,
    pub lar1: lar1::Said,
}

impl Fleet {
    /// So many deployments that differ in nothing.
    pub fn of(count: usize) -> Self {
        let members = (0..count as u32).map(|number| Member {
            deployment: number,
            name: u64::from(number),
            ..Member::default()
        });
        Self {
            members: members.collect(),
            gauges: vec![Gauge::default(); count],
            out: 0,
            sticky: None,
            is_stream: false,
            now: 0,
            lar1: lar1::Said::default(),
        }
    }

    pub fn is_in(&self, position: usize) -> bool {
        position >= 16 || self.out >> position & 1 == 0
    }

    pub fn pick(&self, strategy: &dyn Strategy, random: f64) -> Option<usize> {
        let candidates = Candidates {
            members: &self.members,
            gauges: &self.gauges,
            eligible: &|position| self.is_in(position),
            now: self.now,
            is_stream: self.is_stream,
            sticky: self.sticky,
            lar1: self.lar1,
        };
        strategy.pick(&candidates, random)
    }

    /// Each member's share of many picks.
    pub fn shares(&self, strategy: &dyn Strategy) -> Vec<f64> {
        const ROUNDS: u32 = 20_000;
        let mut random = fastrand::Rng::with_seed(7);
        let mut shares = vec![0.0; self.members.len()];
        for _ in 0..ROUNDS {
            if let Some(position) = self.pick(strategy, random.f64()) {
                shares[position] += 1.0 / f64::from(ROUNDS);
            }
        }
        shares
    }
}

pub fn close(found: &[f64], wanted: &[f64]) {
    for (found, wanted) in found.iter().zip(wanted) {
        assert!((found - wanted).abs() < 0.02, "{found} is not {wanted}");
    }
}
