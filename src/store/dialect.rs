//! The part that differs between SQLite and PostgreSQL: transactions, `ON CONFLICT`, rows in bulk, row locks.
//!
//! diesel's `MultiConnection` shares everything else. The functions here never decide anything: they write what they
//! are given, in the order they are given it.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::prelude::*;
use diesel::upsert::excluded;

use super::cached::{AddUp, Charge};
use super::names::NameKind;
use super::rows::{DailyRow, LogRow, RejectedRow, TeamRow, UserRow};
use super::schema::{
    daily_spend, journal_checkpoints, keys, rejected_spend, spend_logs, spend_names, teams, users,
};
use super::{AnyConnection, JournalId, StoreError};

/// Rows in one PostgreSQL statement, which may bind 65,535 values; SQLite is fastest row by row.
const BULK: usize = 500;

/// The same diesel expression for either database.
macro_rules! on_either {
    ($any:expr, $conn:ident => $body:expr) => {
        match $any {
            AnyConnection::Sqlite($conn) => $body,
            AnyConnection::Postgres($conn) => $body,
        }
    };
}

/// A transaction that writes. On SQLite it takes the write lock at once: upgrading a read lock later may fail as busy.
pub(super) fn write_transaction<T>(
    conn: &mut AnyConnection,
    body: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    transaction(conn, "BEGIN IMMEDIATE", "BEGIN", body)
}

/// A transaction whose reads all see the same state.
pub(super) fn snapshot<T>(
    conn: &mut AnyConnection,
    body: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    transaction(
        conn,
        "BEGIN",
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        body,
    )
}

fn transaction<T>(
    conn: &mut AnyConnection,
    sqlite: &str,
    postgres: &str,
    body: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    match conn {
        AnyConnection::Sqlite(conn) => AnsiTransactionManager::begin_transaction_sql(conn, sqlite)?,
        AnyConnection::Postgres(conn) => {
            AnsiTransactionManager::begin_transaction_sql(conn, postgres)?
        }
    }
    match body(conn) {
        Ok(value) => {
            on_either!(conn, conn => AnsiTransactionManager::commit_transaction(conn)?);
            Ok(value)
        }
        Err(error) => {
            // The first error tells more; a connection that cannot even roll back is closed by the pool.
            if let Err(second) =
                on_either!(conn, conn => AnsiTransactionManager::rollback_transaction(conn))
            {
                log::warn!("rolling back after \"{error}\": {second}");
            }
            Err(error)
        }
    }
}

/// Stores names that are not there yet; another instance may be doing the same.
pub(super) fn add_names(
    conn: &mut AnyConnection,
    kind: NameKind,
    texts: &[&str],
) -> QueryResult<()> {
    for text in texts {
        let row = (
            spend_names::kind.eq(kind as i16),
            spend_names::text.eq(*text),
        );
        on_either!(conn, conn => diesel::insert_into(spend_names::table)
            .values(row)
            .on_conflict_do_nothing()
            .execute(conn)?);
    }
    Ok(())
}

pub(super) fn insert_log_rows(conn: &mut AnyConnection, rows: &[LogRow<'_>]) -> QueryResult<()> {
    match conn {
        AnyConnection::Sqlite(conn) => {
            for row in rows {
                diesel::insert_into(spend_logs::table)
                    .values(row)
                    .execute(conn)?;
            }
        }
        AnyConnection::Postgres(conn) => {
            for rows in rows.chunks(BULK) {
                diesel::insert_into(spend_logs::table)
                    .values(rows)
                    .execute(conn)?;
            }
        }
    }
    Ok(())
}

pub(super) fn insert_rejected(conn: &mut AnyConnection, row: &RejectedRow<'_>) -> QueryResult<()> {
    on_either!(conn, conn => diesel::insert_into(rejected_spend::table)
        .values(row)
        .execute(conn)?);
    Ok(())
}

/// Adds to what a key spent, and notes when it was used; `false` when there is no such key.
pub(super) fn charge_key(
    conn: &mut AnyConnection,
    id: &str,
    spend: i64,
    active_ms: i64,
) -> QueryResult<bool> {
    let charge = Charge {
        table: PhantomData::<keys::table>,
        id,
        spend,
        active_ms,
    };
    Ok(on_either!(conn, conn => charge.execute(conn)?) > 0)
}

pub(super) fn charge_user(conn: &mut AnyConnection, id: &str, spend: i64) -> QueryResult<()> {
    let charge = Charge {
        table: PhantomData::<users::table>,
        id,
        spend,
        active_ms: 0,
    };
    on_either!(conn, conn => charge.execute(conn)?);
    Ok(())
}

pub(super) fn charge_team(conn: &mut AnyConnection, id: &str, spend: i64) -> QueryResult<()> {
    let charge = Charge {
        table: PhantomData::<teams::table>,
        id,
        spend,
        active_ms: 0,
    };
    on_either!(conn, conn => charge.execute(conn)?);
    Ok(())
}

/// Adds sums to the days' rows; no two of `rows` may have the same dimensions.
pub(super) fn add_daily(conn: &mut AnyConnection, rows: &[DailyRow]) -> QueryResult<()> {
    match conn {
        AnyConnection::Sqlite(conn) => {
            for row in rows {
                AddUp(diesel::insert_into(daily_spend::table).values(row)).execute(conn)?;
            }
        }
        AnyConnection::Postgres(conn) => {
            for rows in rows.chunks(BULK) {
                AddUp(diesel::insert_into(daily_spend::table).values(rows)).execute(conn)?;
            }
        }
    }
    Ok(())
}

/// What is booked of each journal, held until the transaction ends. A commit whose answer was lost may still be under
/// way on a PostgreSQL server: its locks make the second attempt wait for it here, and then see its checkpoint.
pub(super) fn lock_checkpoints(
    conn: &mut AnyConnection,
    journals: &BTreeSet<JournalId>,
) -> QueryResult<BTreeMap<JournalId, i64>> {
    let mut stored = BTreeMap::new();
    for journal in journals {
        let seq = match conn {
            // BEGIN IMMEDIATE holds the only write lock there is.
            AnyConnection::Sqlite(conn) => journal_checkpoints::table
                .find(journal.as_slice())
                .select(journal_checkpoints::seq)
                .first(conn)
                .optional()?,
            AnyConnection::Postgres(conn) => {
                let none_yet = (
                    journal_checkpoints::journal_id.eq(journal.as_slice()),
                    journal_checkpoints::seq.eq(-1_i64),
                );
                diesel::insert_into(journal_checkpoints::table)
                    .values(none_yet)
                    .on_conflict_do_nothing()
                    .execute(conn)?;
                journal_checkpoints::table
                    .find(journal.as_slice())
                    .select(journal_checkpoints::seq)
                    .for_update()
                    .first(conn)
                    .optional()?
            }
        };
        stored.insert(*journal, seq.unwrap_or(-1));
    }
    Ok(stored)
}

pub(super) fn set_checkpoint(
    conn: &mut AnyConnection,
    journal: &JournalId,
    seq: i64,
) -> QueryResult<()> {
    let row = (
        journal_checkpoints::journal_id.eq(journal.as_slice()),
        journal_checkpoints::seq.eq(seq),
    );
    on_either!(conn, conn => diesel::insert_into(journal_checkpoints::table)
        .values(row)
        .on_conflict(journal_checkpoints::journal_id)
        .do_update()
        .set(journal_checkpoints::seq.eq(excluded(journal_checkpoints::seq)))
        .execute(conn)?);
    Ok(())
}

/// Inserts a user, or changes everything but spend and creation time.
pub(super) fn upsert_user(conn: &mut AnyConnection, row: &UserRow) -> QueryResult<()> {
    on_either!(conn, conn => diesel::insert_into(users::table)
        .values(row)
        .on_conflict(users::user_id)
        .do_update()
        .set((
            users::user_role.eq(&row.user_role),
            users::user_alias.eq(&row.user_alias),
            users::user_email.eq(&row.user_email),
            users::max_budget.eq(row.max_budget),
            users::tpm_limit.eq(row.tpm_limit),
            users::rpm_limit.eq(row.rpm_limit),
            users::max_parallel_requests.eq(row.max_parallel_requests),
            users::budget_duration.eq(&row.budget_duration),
            users::budget_reset_at.eq(row.budget_reset_at),
            users::metadata.eq(&row.metadata),
            users::updated_at.eq(row.updated_at),
        ))
        .execute(conn)?);
    Ok(())
}

/// Inserts a team, or changes everything but spend and creation time.
pub(super) fn upsert_team(conn: &mut AnyConnection, row: &TeamRow) -> QueryResult<()> {
    on_either!(conn, conn => diesel::insert_into(teams::table)
        .values(row)
        .on_conflict(teams::team_id)
        .do_update()
        .set((
            teams::team_alias.eq(&row.team_alias),
            teams::blocked.eq(row.blocked),
            teams::max_budget.eq(row.max_budget),
            teams::tpm_limit.eq(row.tpm_limit),
            teams::rpm_limit.eq(row.rpm_limit),
            teams::max_parallel_requests.eq(row.max_parallel_requests),
            teams::budget_duration.eq(&row.budget_duration),
            teams::budget_reset_at.eq(row.budget_reset_at),
            teams::metadata.eq(&row.metadata),
            teams::updated_at.eq(row.updated_at),
        ))
        .execute(conn)?);
    Ok(())
}
