//! One limited thing: a key, a user or a team, with what it has used, spent and reserved.

use std::sync::Arc;

use super::refusal::{Limited, Refusal};
use super::resets::Rhythm;
use crate::policy::window::Window;
use crate::types::{Limits, NanoUsd, Scope};

/// What kind of thing an entity is. The order is the order in which refusals are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScopeKind {
    Key,
    User,
    Team,
}

impl ScopeKind {
    /// The word in rate-limit messages and header names.
    pub const fn descriptor(self) -> &'static str {
        match self {
            Self::Key => "api_key",
            Self::User => "user",
            Self::Team => "team",
        }
    }
}

/// An entity's place in the gatekeeper, valid for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityIx(pub u32);

/// See the module.
#[derive(Debug)]
pub(super) struct Entity {
    pub kind: ScopeKind,
    pub id: Arc<str>,
    pub limits: Limits,
    pub window: Window,
    /// Calls under way.
    pub in_flight: u64,
    pub spent: NanoUsd,
    pub held: NanoUsd,
    /// When `spent` begins anew.
    pub rhythm: Option<Rhythm>,
    /// Of the row that the limits are of.
    pub version: i64,
}

/// Where an entity stands, for headers and reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub limits: Limits,
    /// Requests and tokens used in the current window.
    pub requests: u64,
    pub tokens: u64,
    pub in_flight: u64,
    pub spent: NanoUsd,
    pub held: NanoUsd,
}

impl Standing {
    pub fn requests_left(&self) -> Option<u64> {
        self.limits
            .rpm
            .map(|limit| limit.saturating_sub(self.requests))
    }

    pub fn tokens_left(&self) -> Option<u64> {
        self.limits
            .tpm
            .map(|limit| limit.saturating_sub(self.tokens))
    }

    pub fn parallel_left(&self) -> Option<u64> {
        self.limits
            .max_parallel_requests
            .map(|limit| limit.saturating_sub(self.in_flight))
    }
}

impl Entity {
    pub fn new(kind: ScopeKind, scope: &Scope) -> Self {
        Self {
            kind,
            id: scope.id.clone(),
            limits: scope.limits,
            window: Window::default(),
            in_flight: 0,
            spent: scope.spend,
            held: NanoUsd(0),
            rhythm: scope.reset.as_ref().and_then(Rhythm::of),
            version: scope.version,
        }
    }

    /// Takes over the limits of a row unless it is older than the one they are of. What is counted and spent stays, and so
    /// does the time of the next reset while its rhythm is the same: this state knows it better. Answers whether the rhythm
    /// is another now.
    pub fn update(&mut self, scope: &Scope) -> bool {
        if scope.version < self.version {
            return false;
        }
        self.version = scope.version;
        self.limits = scope.limits;
        let rhythm = scope.reset.as_ref().and_then(Rhythm::of);
        let differs = rhythm.map(|rhythm| rhythm.span) != self.rhythm.map(|rhythm| rhythm.span);
        if differs {
            self.rhythm = rhythm;
        }
        differs
    }

    /// Adds to what was spent, and tells when that has crossed the soft budget.
    pub fn spend(&mut self, cost: NanoUsd) {
        let before = self.spent;
        self.spent.0 = self.spent.0.saturating_add(cost.0);
        if let Some(soft) = self.limits.soft_budget
            && before < soft
            && self.spent >= soft
        {
            log::warn!(
                "the {} {} has crossed its soft budget of {soft} dollars",
                self.kind.descriptor(),
                self.id
            );
        }
    }

    pub fn standing(&self) -> Standing {
        Standing {
            limits: self.limits,
            requests: self.window.requests(),
            tokens: self.window.tokens(),
            in_flight: self.in_flight,
            spent: self.spent,
            held: self.held,
        }
    }

    /// Money that is neither spent nor held, `None` without a budget. Negative when it was overrun.
    pub fn uncommitted(&self) -> Option<i64> {
        let budget = self.limits.max_budget?;
        Some(
            budget
                .0
                .saturating_sub(self.spent.0)
                .saturating_sub(self.held.0),
        )
    }

    /// Whether the budget lets one more paid call begin.
    ///
    /// LiteLLM compares spend with `≥` for keys and users and with `>` for teams: a team whose budget is exactly used up gets
    /// one more call. That call must be alone: while others are under way, what they hold counts.
    pub fn check_budget(&self, hold: NanoUsd, strict: bool) -> Result<(), Limited> {
        let (Some(budget), Some(left)) = (self.limits.max_budget, self.uncommitted()) else {
            return Ok(());
        };
        let over = if strict {
            left < hold.0.max(1)
        } else if self.kind == ScopeKind::Team {
            self.spent > budget || (left <= 0 && self.in_flight > 0)
        } else {
            left <= 0
        };
        if over {
            Err(Limited::Budget {
                spend: self.spent,
                held: self.held,
                max_budget: budget,
            })
        } else {
            Ok(())
        }
    }

    pub fn check_requests(&self) -> Result<(), Limited> {
        if let Some(limit) = self.limits.rpm
            && !self.window.fits_requests(limit)
        {
            return Err(Limited::Requests { limit });
        }
        if let Some(limit) = self.limits.max_parallel_requests
            && self.in_flight >= limit
        {
            return Err(Limited::Parallel { limit });
        }
        Ok(())
    }

    pub fn check_tokens(&self, tokens: u64) -> Result<(), Limited> {
        match self.limits.tpm {
            Some(limit) if !self.window.fits_tokens(tokens, limit) => Err(Limited::Tokens {
                limit,
                remaining: limit.saturating_sub(self.window.tokens()),
            }),
            _ => Ok(()),
        }
    }

    /// Ends a call that held this much.
    /// Gives back what a call held, and its place among the parallel ones unless it was a copy, which had none.
    pub fn release(&mut self, held: NanoUsd, is_copy: bool) {
        self.in_flight = self.in_flight.saturating_sub(u32::from(!is_copy).into());
        self.held.0 -= held.0;
    }

    pub fn refusal(&self, limited: Limited, now: u64, window_ms: u64) -> Refusal {
        Refusal {
            kind: self.kind,
            id: self.id.clone(),
            limited,
            resets_in_ms: self.window.resets_in(now, window_ms),
        }
    }
}
