//! Routing strategies: which of a group's deployments takes the next call. One file each.
//!
//! A strategy sees members and gauges, nothing else: who may be chosen at all (cooldown, limits, slots, tags, exclusions) is
//! decided before it, by `eligible`. A pick is a pure function of its arguments: the same members, gauges and `random` give the
//! same answer. It allocates nothing, and takes single microseconds at 1,000 deployments.

mod cache_affinity;
mod cost_based;
pub mod lar1;
mod latency_based;
mod least_busy;
mod name;
mod p2c_ewma;
mod simple_shuffle;
#[cfg(test)]
mod testing;
mod usage_based;

pub use cache_affinity::CacheAffinity;
pub use cost_based::{CostBased, UNKNOWN_COST};
pub use latency_based::LatencyBased;
pub use least_busy::LeastBusy;
pub use name::{StrategyArgs, StrategyName};
pub use p2c_ewma::P2cEwma;
pub use simple_shuffle::{SimpleShuffle, Weights};
pub use usage_based::UsageBased;

use super::selection::Gauge;

/// One deployment of a group, as strategies see it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Member {
    /// The deployment's index in the fleet.
    pub deployment: u32,
    /// `litellm_params.weight`; 0 when not set.
    pub weight: f64,
    pub rpm: u64,
    pub tpm: u64,
    /// Paused (`model_info.blocked`): it takes no calls, and weighs nothing.
    pub blocked: bool,
    /// Dollars for a million tokens of input and as many of output.
    pub cost: f64,
    /// A hash of its id: what tells it from others wherever the configuration is read.
    pub name: u64,
    /// `order`: lower ones are asked first, those without one never while another has one.
    pub order: Option<i64>,
    /// What it says it is, for [`lar1`].
    pub kind: Option<lar1::Kind>,
}

/// What a choice is made from.
pub struct Candidates<'a> {
    /// In the order of the configuration.
    pub members: &'a [Member],
    /// By deployment index; calls assigned in this very turn are counted.
    pub gauges: &'a [Gauge],
    /// Whether the member at a position may be chosen now.
    pub eligible: &'a dyn Fn(usize) -> bool,
    pub now: u64,
    /// The call wants a stream.
    pub is_stream: bool,
    /// What calls have in common that should find the same caches: a session, or the beginning of a prompt.
    pub sticky: Option<u64>,
    /// What the call says of itself, for [`lar1`].
    pub lar1: lar1::Said,
}

impl<'a> Candidates<'a> {
    /// `None`: nothing is known of it, and it is not chosen.
    fn gauge(&self, member: &Member) -> Option<&'a Gauge> {
        self.gauges.get(member.deployment as usize)
    }

    /// Positions that may be chosen, with their members.
    fn eligible(&self) -> impl Iterator<Item = (usize, &'a Member)> + use<'_, 'a> {
        let members = self.members.iter().enumerate();
        members.filter(|(position, _)| (self.eligible)(*position))
    }

    /// The eligible member with the lowest measure; of equals the first. `None` as a measure: not this one.
    ///
    /// Whether a member is eligible costs more than its measure, so only those are asked that beat all before them.
    fn first_lowest<M: PartialOrd>(
        &self,
        measure: impl Fn(usize, &Member) -> Option<M>,
    ) -> Option<usize> {
        let mut best: Option<(usize, M)> = None;
        for (position, member) in self.members.iter().enumerate() {
            let Some(own) = measure(position, member) else {
                continue;
            };
            let beats = best.as_ref().is_none_or(|(_, least)| own < *least);
            if beats && (self.eligible)(position) {
                best = Some((position, own));
            }
        }
        best.map(|(position, _)| position)
    }

    /// The eligible member with the lowest measure; of equals one at random, who has drawn the lowest lot.
    fn lowest<M: PartialOrd>(&self, random: f64, measure: impl Fn(&Gauge) -> M) -> Option<usize> {
        let mut best: Option<(usize, M, u64)> = None;
        for (position, member) in self.members.iter().enumerate() {
            let Some(gauge) = self.gauge(member) else {
                continue;
            };
            let own = measure(gauge);
            let lot = match &best {
                Some((_, least, _)) if own > *least => continue,
                Some((_, least, lowest)) if own == *least => {
                    let lot = lot(random, position);
                    if lot >= *lowest {
                        continue;
                    }
                    lot
                }
                _ => lot(random, position),
            };
            if (self.eligible)(position) {
                best = Some((position, own, lot));
            }
        }
        best.map(|(position, ..)| position)
    }
}

/// Chooses a member.
pub trait Strategy {
    /// The position of the chosen member, `None` when none is eligible. `random` is uniform in `[0, 1)`.
    fn pick(&self, candidates: &Candidates<'_>, random: f64) -> Option<usize>;
}

/// Mixes the bits of a number, so that neighbours have nothing in common (the finalizer of SplitMix64).
fn mixed(bits: u64) -> u64 {
    let mut mixed = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// Members drawn at random before all are looked at: more are needed only where most are out.
const DRAWS: usize = 16;

/// What the member at a position has drawn, in a draw that `random` names.
fn lot(random: f64, position: usize) -> u64 {
    mixed(random.to_bits() ^ position as u64)
}

/// Another uniform number in `[0, 1)` from one.
fn another(random: f64) -> f64 {
    const RANGE: f64 = (1u64 << 53) as f64;
    (mixed((random * RANGE) as u64) >> 11) as f64 / RANGE
}
