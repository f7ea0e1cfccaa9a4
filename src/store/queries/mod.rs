//! The queries, as functions of a connection. Each reads or writes one thing and blocks until it is done.

mod access;
mod checkpoints;
mod principal;
mod spend_logs;
mod spend_per_day;
mod totals;

use super::flush::{FlushBatch, FlushReport};
use super::names::NameCache;
use super::{AnyConnection, StoreError};

pub use super::migrate::migrate;
pub use access::{insert_key, key_info, upsert_team, upsert_user};
pub use checkpoints::{forget_checkpoints, read_checkpoints};
pub use principal::load_principal;
pub use spend_logs::{LogFilter, LogQuery, MOST_ROWS, spend_logs};
pub use spend_per_day::{DaySpend, PerDayQuery, spend_per_day};
pub use totals::{LedgerTotals, Mismatch, ledger_totals};

/// Books a batch in one transaction; see [`FlushBatch`].
pub fn flush_spend(
    conn: &mut AnyConnection,
    names: &mut NameCache,
    batch: &FlushBatch,
) -> Result<FlushReport, StoreError> {
    super::flush::flush(conn, names, batch)
}

/// Asks the database for an answer, any answer.
pub fn ping(conn: &mut AnyConnection) -> Result<(), StoreError> {
    use diesel::r2d2::R2D2Connection;
    Ok(conn.ping()?)
}
