//! One struct a table, in the table's own types; money is `NanoUsd`.
//!
//! The rows of keys, users and teams are public: they are what the management routes show. Ledger rows stay inside:
//! outside they are `types::SpendRow`.

mod access;
mod ledger;
mod money;

pub(super) use access::{GrantRow, OwnerType};
pub use access::{KeyInfo, KeyRow, NewKey, NewTeam, NewUser, TeamRow, UserRow};
pub(super) use ledger::{DailyRow, LogRow};
