//! What the calls of a request have used that came before the one that answers: an answer that broke in the
//! middle, one that was whole and not what the client gets, or a call that lost against another one.

use std::time::Instant;

use super::pricing::Priced;
use super::settlement::used;
use super::{Charge, Told};
use crate::policy::cost::Cost;
use crate::types::{NanoUsd, Usage};

/// See the module. It is paid for with the request, in its one row.
#[derive(Clone, Copy, Default)]
pub struct Carried {
    pub usage: Usage,
    /// Of that what the client's stream tells of: not what calls used that lost.
    pub told: Usage,
    /// `None` where nothing had a price.
    pub cost: Option<Cost>,
    pub is_estimated: bool,
}

impl Carried {
    pub fn add(&mut self, priced: &Priced) {
        self.usage = self.usage.plus(&priced.usage);
        self.is_estimated |= priced.is_estimated;
        self.cost = sum(self.cost, priced.bill.cost);
    }

    pub fn spend(&self) -> NanoUsd {
        self.cost.map_or(NanoUsd::ZERO, |cost| cost.total)
    }
}

impl Charge {
    /// The present call broke after it had told so much, and the request goes on: what it used is paid for at the end, and it
    /// has as much time again. What the calls of its answer have used so far comes back.
    pub fn carry(&mut self, told: &Told) -> Usage {
        let priced = self.price(told, false);
        self.put_aside(&priced);
        self.carried.told = self.carried.told.plus(&priced.usage);
        let failover = &self.routes.table().failover;
        let total = failover.total_timeout(self.asked.limit(&self.deployment, false));
        self.deadline = Instant::now() + total;
        self.carried.told
    }

    /// The present call has answered, and the request goes on all the same: its provider bills it.
    pub fn answered_in_vain(&mut self, told: &Told) {
        let priced = self.price(told, true);
        self.put_aside(&priced);
    }

    fn put_aside(&mut self, priced: &Priced) {
        self.broken_off = used(priced);
        self.carried.add(priced);
    }
}

/// Both; what has no price adds nothing.
pub fn sum(one: Option<Cost>, other: Option<Cost>) -> Option<Cost> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.plus(&other)),
        (one, other) => one.or(other),
    }
}
