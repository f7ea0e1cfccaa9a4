//! The queries, as functions of a connection. Each reads or writes one thing and blocks until it is done.

mod access;
mod budget_resets;
mod checkpoints;
mod health_checks;
mod kept_responses;
mod key_list;
mod keys;
mod models;
mod principal;
mod route_learning;
mod spend_logs;
mod spend_logs_page;
mod spend_per_day;
mod spend_windows;
mod totals;

use super::flush::{FlushBatch, FlushReport};
use super::names::NameCache;
use super::{AnyConnection, StoreError};

pub use super::migrate::{check_version, migrate};
pub use access::{upsert_team, upsert_user};
pub(super) use budget_resets::current_hashes;
pub use budget_resets::{DueReset, ResetBooking, book_reset, due_resets, reset_overdue};
pub use checkpoints::{booked_ids, forget_checkpoints, read_checkpoints};
pub use health_checks::{
    FindingQuery, MOST_FINDINGS, SharedRound, TurnAsked, end_turn, finding_page, keep_findings,
    latest_findings, shared_round, take_turn,
};
pub use kept_responses::{
    MOST_CONVERSATION_BYTES, MOST_TURNS, forget_expired, forget_turn, keep_turns, kept_chain,
};
pub use key_list::{KeyOrder, KeyPage, KeyQuery, Match, deleted_key_page, key_aliases, key_page};
pub use keys::{
    Deletion, delete_keys, insert_key, key_info, keys_by_alias, rotate_key, update_key,
};
pub use models::{TeamModel, change_model, delete_model, insert_model, read_models};
pub use principal::load_principal;
pub use route_learning::{add_learnt, read_learnt};
pub use spend_logs::{LogFilter, LogQuery, MOST_ROWS, spend_logs};
pub use spend_logs_page::{LogOrder, LogPage, MOST_COUNTED, spend_logs_page};
pub use spend_per_day::{DaySpend, PerDayQuery, spend_per_day};
pub use spend_windows::lasting_windows;
pub use totals::{DayMismatch, LedgerTotals, Mismatch, ledger_totals};

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
