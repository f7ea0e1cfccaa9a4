//! Budgets that begin anew.
//!
//! While a gateway runs, its Gatekeeper decides when a budget begins anew and what was spent before; [`book_reset`] writes
//! that down by subtracting, so that calls which are not booked yet still add up. At start, when nothing is under way,
//! [`reset_overdue`] does the same from the ledger: what ended after the reset is the new window's.

use std::collections::HashMap;

use diesel::prelude::*;

use super::super::names::{NameKind, id_of};
use super::super::rows::OwnerType;
use super::super::schema::{keys, retired_keys, spend_logs, teams, users};
use super::super::sum::sum_i64;
use super::super::{AnyConnection, StoreError, dialect};
use crate::policy::duration::Span;
use crate::types::NanoUsd;

/// Entities looked at in one transaction.
const AT_ONCE: i64 = 500;
/// Calls that ended in the new window began at most so long before it; longer ones count for the old.
const LONGEST_CALL_MS: i64 = 6 * 3_600 * 1_000;

/// A budget whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueReset {
    pub owner: OwnerType,
    /// Key hash, user id or team id.
    pub id: String,
    /// `budget_duration`.
    pub every: String,
    /// When it was due, milliseconds since the Unix epoch.
    pub at: i64,
    /// What is booked.
    pub spend: NanoUsd,
}

/// A reset that was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResetBooking {
    pub owner: OwnerType,
    pub id: String,
    /// What had been spent in the window that is over.
    pub spent: NanoUsd,
    /// When it was due, and when the next is.
    pub was_due: i64,
    pub next: i64,
}

/// The same statements on the three tables.
macro_rules! on_owner {
    ($owner:expr, |$table:ident, $id:ident| $body:expr) => {
        match $owner {
            OwnerType::Key => {
                use keys as $table;
                use keys::token_hash as $id;
                $body
            }
            OwnerType::User => {
                use users as $table;
                use users::user_id as $id;
                $body
            }
            OwnerType::Team => {
                use teams as $table;
                use teams::team_id as $id;
                $body
            }
        }
    };
}

const OWNERS: [OwnerType; 3] = [OwnerType::Key, OwnerType::User, OwnerType::Team];

/// Budgets that were due by `now_ms`, at most 500 a kind, longest due first.
pub fn due_resets(conn: &mut AnyConnection, now_ms: i64) -> Result<Vec<DueReset>, StoreError> {
    let mut due = Vec::new();
    for owner in OWNERS {
        let rows: Vec<(String, Option<String>, Option<i64>, NanoUsd)> =
            on_owner!(owner, |table, id| {
                table::table
                    .filter(table::budget_reset_at.le(now_ms))
                    .filter(table::budget_duration.is_not_null())
                    .order((table::budget_reset_at, id))
                    .limit(AT_ONCE)
                    .select((
                        id,
                        table::budget_duration,
                        table::budget_reset_at,
                        table::spend,
                    ))
                    .load(conn)?
            });
        due.extend(rows.into_iter().map(|(id, every, at, spend)| DueReset {
            owner,
            id,
            every: every.unwrap_or_default(),
            at: at.unwrap_or_default(),
            spend,
        }));
    }
    Ok(due)
}

/// Books a reset, once however often it is sent: the next time that is stored tells whether it was booked already. When
/// somebody has given the budget another rhythm meanwhile, that stays.
pub fn book_reset(conn: &mut AnyConnection, reset: &ResetBooking) -> Result<(), StoreError> {
    dialect::write_transaction(conn, |conn| {
        let id = match reset.owner {
            OwnerType::Key => current_hash(conn, &reset.id)?,
            _ => reset.id.clone(),
        };
        on_owner!(reset.owner, |table, id_column| {
            let row = table::table.filter(id_column.eq(&id));
            let less = table::spend.eq(table::spend - reset.spent.0);
            let moved = diesel::update(row.filter(table::budget_reset_at.eq(reset.was_due)))
                .set((less, table::budget_reset_at.eq(Some(reset.next))))
                .execute(conn)?;
            if moved == 0 {
                let booked_already = table::budget_reset_at.eq(reset.next);
                diesel::update(row.filter(diesel::dsl::not(booked_already)))
                    .set(table::spend.eq(table::spend - reset.spent.0))
                    .execute(conn)?;
            }
        });
        Ok(())
    })
}

/// The hash of a key that may have been regenerated since.
fn current_hash(conn: &mut AnyConnection, hash: &str) -> Result<String, StoreError> {
    let active = current_hashes(conn, &[hash])?.remove(hash);
    Ok(active.unwrap_or_else(|| hash.to_owned()))
}

/// The hashes of keys that were regenerated, by a former one.
pub(in crate::store) fn current_hashes(
    conn: &mut AnyConnection,
    former: &[&str],
) -> Result<HashMap<String, String>, StoreError> {
    let found: Vec<(String, String)> = retired_keys::table
        .filter(retired_keys::old_hash.eq_any(former))
        .select((retired_keys::old_hash, retired_keys::token_hash))
        .load(conn)?;
    Ok(found.into_iter().collect())
}

/// Begins anew all budgets that were due while no gateway ran, or that one died before it could book; returns how many.
/// Every settled call must have been booked, and no call may be under way.
pub fn reset_overdue(conn: &mut AnyConnection, now_ms: i64) -> Result<usize, StoreError> {
    let mut count = 0;
    loop {
        let due = due_resets(conn, now_ms)?;
        let mut moved = 0;
        dialect::write_transaction(conn, |conn| {
            for due in &due {
                moved += usize::from(reset_from_ledger(conn, due, now_ms)?);
            }
            Ok(())
        })?;
        count += moved;
        if moved == 0 {
            return Ok(count);
        }
    }
}

/// `false` when the rhythm cannot be read: then nothing begins anew.
fn reset_from_ledger(
    conn: &mut AnyConnection,
    due: &DueReset,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let window = due.every.parse::<Span>().ok();
    let Some((began, next)) = window.and_then(|span| span.window_at(due.at, now_ms)) else {
        log::warn!(
            "the budget of {} never begins anew: '{}' is no duration",
            due.id,
            due.every
        );
        return Ok(false);
    };
    let spend = spent_since(conn, due, began)?;
    on_owner!(due.owner, |table, id| {
        diesel::update(table::table.filter(id.eq(&due.id)))
            .set((
                table::spend.eq(spend),
                table::budget_reset_at.eq(Some(next)),
            ))
            .execute(conn)?;
    });
    Ok(true)
}

/// What the ledger holds of calls that ended at `since_ms` or later.
///
/// Indexes: (started_at, ledger_id), which finds nothing when the gateway stood still; then a key's (key_ref, started_at).
fn spent_since(
    conn: &mut AnyConnection,
    due: &DueReset,
    since_ms: i64,
) -> Result<NanoUsd, StoreError> {
    let began = (since_ms - LONGEST_CALL_MS).saturating_mul(1000);
    let any: Option<i64> = spend_logs::table
        .filter(spend_logs::started_at.ge(began))
        .select(spend_logs::started_at)
        .first(conn)
        .optional()?;
    if any.is_none() {
        return Ok(NanoUsd(0));
    }
    let sum = spend_logs::table
        .filter(spend_logs::started_at.ge(began))
        .filter((spend_logs::started_at + spend_logs::duration_us).ge(since_ms * 1000))
        .select(sum_i64(spend_logs::spend));
    let spent: Option<i64> = match due.owner {
        OwnerType::Key => {
            let mut names = vec![due.id.clone()];
            let retired: Vec<String> = retired_keys::table
                .filter(retired_keys::token_hash.eq(&due.id))
                .select(retired_keys::old_hash)
                .load(conn)?;
            names.extend(retired);
            let mut refs = Vec::with_capacity(names.len());
            for name in &names {
                refs.extend(id_of(conn, NameKind::Key, name)?);
            }
            sum.filter(spend_logs::key_ref.eq_any(refs)).first(conn)?
        }
        OwnerType::User => {
            let user = id_of(conn, NameKind::User, &due.id)?;
            sum.filter(spend_logs::user_ref.eq(user)).first(conn)?
        }
        OwnerType::Team => {
            let team = id_of(conn, NameKind::Team, &due.id)?;
            sum.filter(spend_logs::team_ref.eq(team)).first(conn)?
        }
    };
    Ok(NanoUsd(spent.unwrap_or_default()))
}
