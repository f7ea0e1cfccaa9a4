//! One struct a table, in the table's own types; money is `NanoUsd`.
//!
//! The rows of keys, users and teams are public: they are what the management routes show. Ledger rows stay inside:
//! outside they are `types::SpendRow`.

mod access;
mod health;
mod kept;
mod key_changes;
mod learnt;
mod ledger;
mod model;
mod money;

pub(super) use access::GrantRow;
pub use access::{KeyInfo, KeyRow, NewKey, NewTeam, NewUser, OwnerType, TeamRow, UserRow};
pub use health::HealthRow;
pub(super) use kept::KeptRow;
pub use kept::KeptTurn;
pub(super) use key_changes::RetiredRow;
pub use key_changes::{DeletedKeyRow, KeyChanges, KeyUpdate, Rotation};
pub use learnt::LearntRow;
pub use ledger::WindowRow;
pub(super) use ledger::{DailyRow, LogRow, RejectedRow};
pub use model::ModelRow;
