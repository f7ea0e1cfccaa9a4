//! Why a call was not let in.

use std::sync::Arc;

use super::entity::ScopeKind;
use crate::types::NanoUsd;

/// Which limit of which entity a call did not fit. Nothing was charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub kind: ScopeKind,
    /// Key hash, user id or team id.
    pub id: Arc<str>,
    pub limited: Limited,
    /// Milliseconds until the window of this entity ends.
    pub resets_in_ms: u64,
}

/// The limit itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    /// `rpm_limit`.
    Requests { limit: u64 },
    /// `max_parallel_requests`.
    Parallel { limit: u64 },
    /// `tpm_limit`.
    Tokens { limit: u64, remaining: u64 },
    /// `max_budget`.
    Budget {
        spend: NanoUsd,
        held: NanoUsd,
        max_budget: NanoUsd,
    },
}

impl Refusal {
    /// Whether the estimate of tokens decided: counting them exactly may let the call in.
    pub fn depends_on_the_estimate(&self, strict: bool) -> bool {
        match self.limited {
            Limited::Tokens { .. } => true,
            Limited::Budget { .. } => strict,
            Limited::Requests { .. } | Limited::Parallel { .. } => false,
        }
    }
}
