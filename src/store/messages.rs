//! What a `DbExecutor` may be asked. Every answer is a `Result<_, StoreError>`.

use std::sync::Arc;

use actix::Message;

use super::executor::Query;
use super::names::NameCache;
use super::queries::{self, DaySpend, LedgerTotals, LogQuery, PerDayQuery};
use super::{
    AnyConnection, FlushBatch, FlushReport, JournalId, KeyInfo, NewKey, NewTeam, NewUser,
    StoreError,
};
use crate::types::{KeyHash, Principal, SpendRow};

/// `Name { fields } => answer, by: |connection, names| query;` defines a message and what answers it.
macro_rules! messages {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($field:ident: $type:ty),* } => $answer:ty, by: |$conn:ident, $names:pat_param| $query:expr;
    )+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name {
            $(pub $field: $type),*
        }

        impl Message for $name {
            type Result = Result<$answer, StoreError>;
        }

        impl Query for $name {
            type Answer = $answer;

            fn run(self, $conn: &mut AnyConnection, $names: &mut NameCache) -> Result<$answer, StoreError> {
                let Self { $($field),* } = self;
                $query
            }
        }
    )+};
}

messages! {
    /// The caller whose key has this hash: one joined read. To `Store::auth`.
    LoadPrincipal { key_hash: KeyHash } => Option<Principal>,
        by: |conn, _| queries::load_principal(conn, key_hash);

    /// Fails with `AliasTaken`, `KeyExists` or `TeamMissing`. To `Store::admin`, as the next eight.
    InsertKey { key: NewKey } => (), by: |conn, _| queries::insert_key(conn, &key);

    /// Everything about a key.
    ReadKey { key_hash: KeyHash } => Option<KeyInfo>, by: |conn, _| queries::key_info(conn, key_hash);

    /// Inserts or changes; spend of a row that exists stays.
    UpsertUser { user: NewUser } => (), by: |conn, _| queries::upsert_user(conn, &user);

    /// Inserts or changes; spend of a row that exists stays.
    UpsertTeam { team: NewTeam } => (), by: |conn, _| queries::upsert_team(conn, &team);

    /// Rows of the spend log, newest first, at most 10,000.
    SpendLogs { query: LogQuery } => Vec<SpendRow>, by: |conn, _| queries::spend_logs(conn, &query);

    /// Spend by day, oldest first.
    SpendPerDay { query: PerDayQuery } => Vec<DaySpend>, by: |conn, _| queries::spend_per_day(conn, &query);

    /// Whether the books agree. Reads the whole ledger.
    ReadTotals {} => LedgerTotals, by: |conn, _| queries::ledger_totals(conn);

    /// Whether the database answers.
    Ping {} => (), by: |conn, _| queries::ping(conn);

    /// Books a batch, exactly once however often it is sent. To `Store::ledger`, as the next two.
    FlushSpend { batch: Arc<FlushBatch> } => FlushReport,
        by: |conn, names| queries::flush_spend(conn, names, &batch);

    /// The stored `seq` of each journal that has one.
    ReadCheckpoints { journals: Vec<JournalId> } => Vec<(JournalId, u64)>,
        by: |conn, _| queries::read_checkpoints(conn, &journals);

    /// Drops the checkpoints of journals whose files are gone.
    ForgetCheckpoints { journals: Vec<JournalId> } => (),
        by: |conn, _| queries::forget_checkpoints(conn, &journals);
}
