//! The words of the house: ids, money, token counts, who is calling.
//!
//! Everybody imports this room; it imports nothing of ours, does no I/O and knows no clock.
//! A type lives here when two rooms must mean the same thing by it.

mod amount;
mod database_url;
mod ids;
mod money;
mod operation;
mod pieces;
mod principal;
mod row_cost;
mod secret;
mod spend_row;
mod usage;

pub use amount::Amount;
pub use database_url::{DatabaseUrl, DatabaseUrlError};
pub use ids::{DeploymentId, KeyHash, LedgerId};
pub use money::{AmountError, NanoUsd, Price, PriceError};
pub use operation::Operation;
pub use pieces::{Pieces, PiecesBuilder};
pub use principal::{BudgetReset, KeyOptions, Limits, ModelAccess, Principal, Role, Scope};
pub use row_cost::{Breakdown, RowCost};
pub use secret::Secret;
pub use spend_row::{CallStatus, FailedCall, HEALTH_CHECKER, Labels, MOST_FAILED_CALLS, SpendRow};
pub use usage::Usage;
