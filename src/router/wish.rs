//! What one request wants of a decision beyond its group.

use std::sync::{Arc, OnceLock};

use super::trace::Trace;
use crate::policy::shortlist::{Reason, Shortlist};
use crate::policy::spends::BudgetName;
use crate::policy::strategies::{StrategyName, lar1};

/// See the module. Most requests have none: each field costs nothing where it is not set. Made on the worker, where the
/// request's texts are; read on the control thread, where only numbers are compared.
#[derive(Debug, Default)]
pub struct Wish {
    /// Which members of the group may take the call; `None`: all of them.
    pub shortlist: Option<Shortlist>,
    /// In the place of the group's own strategy.
    pub strategy: Option<StrategyName>,
    /// Weights of deployments by number, lower ones first, in the place of the configuration's.
    pub weights: Option<Box<[(u32, f64)]>>,
    /// The budgets of its tags.
    pub tag_budgets: Box<[BudgetName]>,
    /// What it shares with other calls that should go where they went.
    pub kin: Kin,
    /// What it says of itself to groups that go by it.
    pub lar1: Option<lar1::Said>,
    /// Where the decision is told.
    pub explain: Option<Arc<Explained>>,
}

impl Wish {
    /// It says nothing.
    pub fn is_empty(&self) -> bool {
        let Self {
            shortlist,
            strategy,
            weights,
            tag_budgets,
            kin,
            lar1,
            explain,
        } = self;
        let is_for_all = shortlist.is_none() && strategy.is_none() && weights.is_none();
        let says_nothing = tag_budgets.is_empty() && lar1.is_none() && explain.is_none();
        is_for_all && says_nothing && *kin == Kin::default()
    }
}

/// What calls may share that belong together. Hashes: two that are equal by chance share a deployment, which harms nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kin {
    /// Their session.
    pub session: Option<u64>,
    /// The session stays with its deployment for so long since it was last used, whatever the group says of sessions; 0: as the
    /// group says. Milliseconds.
    pub session_stays: u64,
    /// Their key.
    pub caller: Option<u64>,
    /// The opening of its conversation: what all its turns begin with.
    pub opening: Option<u64>,
    /// The beginnings of the conversation, the longest first: each without the last message of the one before.
    pub beginnings: Box<[u64]>,
}

/// The first decisions of a request, in order.
#[derive(Debug, Default)]
pub struct Explained {
    slots: [OnceLock<Told>; MOST_TOLD],
}

const MOST_TOLD: usize = 8;

/// One of them.
#[derive(Debug)]
pub enum Told {
    /// Among those of a group that the request's list has.
    Decided {
        trace: Trace,
        shortlist: Option<Shortlist>,
    },
    /// The request is for nobody of a group.
    Unfit {
        group: Arc<str>,
        why: String,
        /// By number of the deployment.
        left_out: Box<[(u32, Reason)]>,
    },
}

impl Explained {
    /// Adds a decision; those beyond the first few are left out.
    pub fn add(&self, told: Told) {
        let mut told = told;
        for slot in &self.slots {
            match slot.set(told) {
                Ok(()) => return,
                Err(own) => told = own,
            }
        }
    }

    pub fn all(&self) -> impl Iterator<Item = &Told> {
        self.slots.iter().filter_map(OnceLock::get)
    }
}
