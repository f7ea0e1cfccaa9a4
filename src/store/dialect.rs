//! The part that differs between SQLite and PostgreSQL: transactions, `ON CONFLICT`, rows in bulk, row locks.
//!
//! diesel's `MultiConnection` shares everything else. The functions here never decide anything: they write what they
//! are given, in the order they are given it.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::prelude::*;
use diesel::sql_types::Binary;
use diesel::upsert::excluded;

use super::cached::{AddUp, Charge, ChargeAll, Charged, DailyColumns};
use super::names::NameKind;
use super::rows::{DailyRow, KeptRow, LogRow, RejectedRow, TeamRow, UserRow, WindowRow};
use super::schema::{
    daily_spend, health_rounds, journal_checkpoints, kept_responses, keys, rejected_spend,
    spend_logs, spend_names, spend_windows, teams, users,
};
use super::{AnyConnection, JournalId, StoreError};

/// Rows in one PostgreSQL statement that binds each value; SQLite is fastest row by row.
const BULK: usize = 1_000;

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

/// A name, and what kind of thing it names.
pub(super) type Named<'a> = (NameKind, &'a str);

/// Stores names that are not there yet; another instance may be doing the same, in the same order.
pub(super) fn add_names(conn: &mut AnyConnection, names: &[Named<'_>]) -> QueryResult<()> {
    let row = |(kind, text): &Named<'_>| {
        (
            spend_names::kind.eq(*kind as i16),
            spend_names::text.eq((*text).to_owned()),
        )
    };
    match conn {
        AnyConnection::Sqlite(conn) => {
            for name in names {
                diesel::insert_into(spend_names::table)
                    .values(row(name))
                    .on_conflict_do_nothing()
                    .execute(conn)?;
            }
        }
        AnyConnection::Postgres(conn) => {
            for names in names.chunks(BULK) {
                let rows: Vec<_> = names.iter().map(row).collect();
                diesel::insert_into(spend_names::table)
                    .values(rows)
                    .on_conflict_do_nothing()
                    .execute(conn)?;
            }
        }
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
            diesel::copy_from(spend_logs::table)
                .from_insertable(rows)
                .execute(conn)?;
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

/// A round that nobody holds and nobody has been through, unless it is there.
pub(super) fn insert_round(conn: &mut AnyConnection, name: &str) -> QueryResult<()> {
    on_either!(conn, conn => diesel::insert_into(health_rounds::table)
        .values((
            health_rounds::name.eq(name),
            health_rounds::holder.eq(""),
            health_rounds::held_until.eq(0),
            health_rounds::began_at.eq(0),
        ))
        .on_conflict_do_nothing()
        .execute(conn)?);
    Ok(())
}

/// One that is there stays as it is.
pub(super) fn insert_kept(conn: &mut AnyConnection, row: &KeptRow) -> QueryResult<()> {
    on_either!(conn, conn => diesel::insert_into(kept_responses::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(conn)?);
    Ok(())
}

/// The turn `id` and what it follows, newest first: so many, and until their sealed contents are `most_bytes`.
pub(super) fn kept_chain_rows(
    conn: &mut AnyConnection,
    id: &[u8],
    most: i32,
    most_bytes: usize,
) -> QueryResult<Vec<KeptRow>> {
    let columns = "response_id, previous_id, created_at, expires_at, content";
    let of = |table: &str| columns.replace(", ", &format!(", {table}."));
    let query = |first: &str| {
        format!(
            "WITH RECURSIVE chain ({columns}, place, bytes) AS (\
             SELECT {columns}, 1, CAST(length(content) AS BIGINT) FROM kept_responses WHERE response_id = {first} \
             UNION ALL SELECT turn.{}, chain.place + 1, chain.bytes + length(turn.content) \
             FROM kept_responses turn JOIN chain ON turn.response_id = chain.previous_id \
             WHERE chain.place < {most} AND chain.bytes < {most_bytes}) \
             SELECT {columns} FROM chain ORDER BY place",
            of("turn")
        )
    };
    match conn {
        AnyConnection::Sqlite(conn) => diesel::sql_query(query("?"))
            .bind::<Binary, _>(id)
            .load(conn),
        AnyConnection::Postgres(conn) => diesel::sql_query(query("$1"))
            .bind::<Binary, _>(id)
            .load(conn),
    }
}

/// What one entity is charged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owed<'a> {
    pub id: &'a str,
    /// Nano-dollars.
    pub spend: i64,
    /// Milliseconds since the Unix epoch; only for tables that note it.
    pub active_ms: i64,
}

/// Adds to what entities of a table spent; those of `owed`, which is in the order of its ids, that have no row.
pub(super) fn charge<'a, T>(
    conn: &mut AnyConnection,
    owed: &[Owed<'a>],
) -> QueryResult<Vec<Owed<'a>>>
where
    T: Charged + Lockable + 'static,
{
    match conn {
        AnyConnection::Sqlite(conn) => {
            let mut missing = Vec::new();
            for owed in owed {
                let charge = Charge {
                    table: PhantomData::<T>,
                    id: owed.id,
                    spend: owed.spend,
                    active_ms: owed.active_ms,
                };
                if charge.execute(conn)? == 0 {
                    missing.push(*owed);
                }
            }
            Ok(missing)
        }
        AnyConnection::Postgres(conn) => {
            let ids: Vec<&str> = owed.iter().map(|owed| owed.id).collect();
            let there: BTreeSet<String> = T::lock(conn, &ids)?.into_iter().collect();
            let (found, missing): (Vec<Owed<'a>>, Vec<Owed<'a>>) =
                owed.iter().partition(|owed| there.contains(owed.id));
            if !found.is_empty() {
                let charge = ChargeAll {
                    table: PhantomData::<T>,
                    ids: found.iter().map(|owed| owed.id).collect(),
                    spend: found.iter().map(|owed| owed.spend).collect(),
                    active_ms: found.iter().map(|owed| owed.active_ms).collect(),
                };
                charge.execute(conn)?;
            }
            Ok(missing)
        }
    }
}

/// A table whose rows two instances may want at once: they lock them in the same order, so that neither waits for ever.
pub(super) trait Lockable {
    /// Those of `ids` that have a row, locked until the transaction ends.
    fn lock(conn: &mut PgConnection, ids: &[&str]) -> QueryResult<Vec<String>>;
}

macro_rules! lockable {
    ($($table:ident by $id:ident),+) => {$(
        impl Lockable for $table::table {
            fn lock(conn: &mut PgConnection, ids: &[&str]) -> QueryResult<Vec<String>> {
                $table::table
                    .filter($table::$id.eq_any(ids))
                    .order($table::$id)
                    .select($table::$id)
                    .for_no_key_update()
                    .load(conn)
            }
        }
    )+};
}

lockable!(keys by token_hash, users by user_id, teams by team_id);

/// Adds sums to the days' rows; no two of `rows` may have the same dimensions.
pub(super) fn add_daily(conn: &mut AnyConnection, rows: &[DailyRow]) -> QueryResult<()> {
    match conn {
        AnyConnection::Sqlite(conn) => {
            for row in rows {
                AddUp(diesel::insert_into(daily_spend::table).values(row)).execute(conn)?;
            }
        }
        AnyConnection::Postgres(conn) => {
            AddUp(DailyColumns::of(rows)).execute(conn)?;
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
    let ids: Vec<&[u8]> = journals.iter().map(<[u8; 16]>::as_slice).collect();
    if let AnyConnection::Postgres(conn) = conn {
        let none_yet: Vec<_> = ids.iter().map(|id| checkpoint(id, -1)).collect();
        diesel::insert_into(journal_checkpoints::table)
            .values(none_yet)
            .on_conflict_do_nothing()
            .execute(conn)?;
    }
    let wanted = journal_checkpoints::table
        .filter(journal_checkpoints::journal_id.eq_any(ids))
        .order(journal_checkpoints::journal_id);
    let found: Vec<(Vec<u8>, i64)> = match conn {
        // BEGIN IMMEDIATE holds the only write lock there is.
        AnyConnection::Sqlite(conn) => wanted.load(conn)?,
        AnyConnection::Postgres(conn) => wanted.for_update().load(conn)?,
    };
    let mut stored: BTreeMap<JournalId, i64> =
        journals.iter().map(|journal| (*journal, -1)).collect();
    for (journal, seq) in found {
        if let Ok(journal) = JournalId::try_from(journal) {
            stored.insert(journal, seq);
        }
    }
    Ok(stored)
}

fn checkpoint(
    journal: &[u8],
    seq: i64,
) -> (
    diesel::dsl::Eq<journal_checkpoints::journal_id, &[u8]>,
    diesel::dsl::Eq<journal_checkpoints::seq, i64>,
) {
    (
        journal_checkpoints::journal_id.eq(journal),
        journal_checkpoints::seq.eq(seq),
    )
}

/// What was spent in the windows of budgets, held until the transaction ends.
pub(super) fn lock_windows(
    conn: &mut AnyConnection,
    budgets: &[&str],
) -> QueryResult<BTreeMap<String, WindowRow>> {
    if let AnyConnection::Postgres(conn) = conn {
        // What is not there cannot be locked: a window that is over before it began.
        let none_yet: Vec<_> = budgets.iter().map(|budget| no_window(budget)).collect();
        diesel::insert_into(spend_windows::table)
            .values(none_yet)
            .on_conflict_do_nothing()
            .execute(conn)?;
    }
    let wanted = spend_windows::table
        .filter(spend_windows::budget.eq_any(budgets))
        .order(spend_windows::budget);
    let found: Vec<WindowRow> = match conn {
        // BEGIN IMMEDIATE holds the only write lock there is.
        AnyConnection::Sqlite(conn) => wanted.load(conn)?,
        AnyConnection::Postgres(conn) => wanted.for_update().load(conn)?,
    };
    let by_key = found.into_iter().map(|row| (row.budget.clone(), row));
    Ok(by_key.collect())
}

fn no_window(budget: &str) -> WindowRow {
    WindowRow {
        budget: budget.to_owned(),
        ends_at: 0,
        spent: 0,
    }
}

/// Writes down what was spent in windows that are locked.
pub(super) fn set_windows(conn: &mut AnyConnection, rows: &[WindowRow]) -> QueryResult<()> {
    for row in rows {
        on_either!(conn, conn => diesel::insert_into(spend_windows::table)
            .values(row)
            .on_conflict(spend_windows::budget)
            .do_update()
            .set((
                spend_windows::ends_at.eq(row.ends_at),
                spend_windows::spent.eq(row.spent),
            ))
            .execute(conn)?);
    }
    Ok(())
}

/// Moves the checkpoints of journals.
pub(super) fn set_checkpoints(
    conn: &mut AnyConnection,
    marks: &[(JournalId, i64)],
) -> QueryResult<()> {
    match conn {
        AnyConnection::Sqlite(conn) => {
            for (journal, seq) in marks {
                diesel::insert_into(journal_checkpoints::table)
                    .values(checkpoint(journal, *seq))
                    .on_conflict(journal_checkpoints::journal_id)
                    .do_update()
                    .set(journal_checkpoints::seq.eq(excluded(journal_checkpoints::seq)))
                    .execute(conn)?;
            }
        }
        AnyConnection::Postgres(conn) => {
            let rows: Vec<_> = marks
                .iter()
                .map(|(journal, seq)| checkpoint(journal, *seq))
                .collect();
            diesel::insert_into(journal_checkpoints::table)
                .values(rows)
                .on_conflict(journal_checkpoints::journal_id)
                .do_update()
                .set(journal_checkpoints::seq.eq(excluded(journal_checkpoints::seq)))
                .execute(conn)?;
        }
    }
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
            teams::router_settings.eq(&row.router_settings),
            teams::updated_at.eq(row.updated_at),
        ))
        .execute(conn)?);
    Ok(())
}
