//! Why a deployment was passed over, in figures and in words.

use std::fmt;

use crate::types::NanoUsd;

/// See the module. Milliseconds are from the moment of the decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Passed {
    /// The request is bound to another deployment.
    NotAskedFor,
    /// What the request says, or the configuration of it, is not for this deployment: the shortlist knows why.
    Unfit,
    /// It has failed this request.
    Tried,
    /// It failed before and is left alone.
    Cooling {
        for_ms: u64,
    },
    /// Its last health check failed, and others are well.
    Ill {
        for_ms: u64,
    },
    /// After a cooldown one call finds out whether it has recovered, and others can take this one.
    OnTrial,
    /// `model_info.blocked`.
    Paused,
    SlotsInUse {
        slots: u32,
    },
    Requests {
        used: u64,
        limit: u64,
        resets_in_ms: u64,
    },
    Tokens {
        used: u64,
        needed: u64,
        limit: u64,
        resets_in_ms: u64,
    },
    /// A budget it belongs to is spent, or held by calls under way.
    OverBudget {
        spent: NanoUsd,
        limit: NanoUsd,
    },
    /// Others come before it.
    LaterInOrder {
        order: Option<i64>,
        level: i64,
    },
    /// A failed level is left behind for good.
    EarlierInOrder {
        order: i64,
    },
    /// It could take the call; another one was chosen.
    NotChosen,
}

impl Passed {
    /// A word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAskedFor => "not_asked_for",
            Self::Unfit => "unfit",
            Self::Tried => "already_failed_this_request",
            Self::Cooling { .. } => "cooldown",
            Self::Ill { .. } => "unhealthy",
            Self::OnTrial => "recovering",
            Self::Paused => "paused",
            Self::SlotsInUse { .. } => "max_parallel_requests",
            Self::Requests { .. } => "rpm",
            Self::Tokens { .. } => "tpm",
            Self::OverBudget { .. } => "budget",
            Self::LaterInOrder { .. } | Self::EarlierInOrder { .. } => "order",
            Self::NotChosen => "not_chosen",
        }
    }
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |ms: u64| ms as f64 / 1e3;
        match *self {
            Self::NotAskedFor => f.write_str("the request is bound to another deployment"),
            Self::Unfit => f.write_str("it does not fit the request"),
            Self::Tried => f.write_str("it has failed this request"),
            Self::Cooling { for_ms } => write!(f, "cooldown for {:.1} s", seconds(for_ms)),
            Self::Ill { for_ms } => write!(
                f,
                "its health check failed, which counts for {:.0} s",
                seconds(for_ms)
            ),
            Self::OnTrial => f.write_str("one call finds out whether it has recovered"),
            Self::Paused => f.write_str("paused"),
            Self::SlotsInUse { slots } => write!(f, "max_parallel_requests {slots}/{slots}"),
            Self::Requests {
                used,
                limit,
                resets_in_ms,
            } => write!(
                f,
                "rpm {used}/{limit}, free again in {:.0} s",
                seconds(resets_in_ms)
            ),
            Self::Tokens {
                used,
                needed,
                limit,
                resets_in_ms,
            } => write!(
                f,
                "tokens {used} + {needed} of {limit} a minute, free again in {:.0} s",
                seconds(resets_in_ms)
            ),
            Self::OverBudget { spent, limit } => {
                write!(f, "budget spent: {spent} of {limit} dollars")
            }
            Self::LaterInOrder { order, level } => match order {
                Some(order) => write!(f, "order {order}, and {level} comes first"),
                None => write!(f, "no order, and {level} comes first"),
            },
            Self::EarlierInOrder { order } => write!(f, "order {order} has failed"),
            Self::NotChosen => f.write_str("another one was chosen"),
        }
    }
}
