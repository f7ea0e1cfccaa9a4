//! Money after the call: from a worker's journal to the database, exactly once.
//!
//! A worker's [`Desk`] journals how calls begin and end and lets go of an answer's last bytes when its row is on disk. The
//! [`SpendLogger`] actor, on its own Arbiter, takes the rows over, books them in batches and drops journal segments that are
//! booked. [`recover`] does the same at start for journals that a dead process left.
//! [`BudgetRenewals`] writes down which budgets have begun anew. No content enters this room.

mod backlog;
mod desk;
pub mod journal;
mod logger;
mod recovery;
mod renewals;
mod verify;

pub use desk::Desk;
pub use logger::{Flush, Gauges, INTERVAL as WRITE_INTERVAL, Record, SpendLogger};
pub use recovery::{RecoveryError, book_settled, recover};
pub use renewals::{BookRenewals, BudgetRenewals};
pub use verify::{Fault, Findings, JournalState, VerifyError, usd, verify};
