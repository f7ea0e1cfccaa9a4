//! Budgets that begin anew: when each is due, and what was spent before.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::entity::ScopeKind;
use crate::policy::duration::Span;
use crate::types::{BudgetReset, NanoUsd};

/// When a budget begins anew, in a form that can be computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rhythm {
    pub span: Span,
    /// The next time, milliseconds since the Unix epoch.
    pub at: i64,
}

impl Rhythm {
    /// `None` when the stored text is no duration: such a budget never begins anew.
    pub fn of(reset: &BudgetReset) -> Option<Self> {
        let span = reset.every.parse().ok()?;
        Some(Self { span, at: reset.at })
    }
}

/// A budget has begun anew in this room; the store must be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    pub kind: ScopeKind,
    pub id: Arc<str>,
    /// What had been spent in the window that is over, booked or not.
    pub spent: NanoUsd,
    /// When it was due, and when the next is, milliseconds since the Unix epoch.
    pub was_due: i64,
    pub next: i64,
}

/// Which entities are due when, soonest first. A place may be in it more than once: an entry counts only while its entity
/// says the same time.
#[derive(Debug, Default)]
pub(super) struct Agenda(BinaryHeap<Reverse<(i64, u32)>>);

impl Agenda {
    pub fn add(&mut self, at: i64, place: u32) {
        self.0.push(Reverse((at, place)));
    }

    /// The time of the first entry.
    pub fn next(&self) -> Option<i64> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes the first entry that is due.
    pub fn due(&mut self, now: i64) -> Option<(i64, u32)> {
        if self.next()? > now {
            return None;
        }
        self.0.pop().map(|Reverse(entry)| entry)
    }
}
