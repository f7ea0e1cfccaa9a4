//! Whether the books agree: Σ spend logs = Σ days = what keys, users and teams were charged.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use diesel::prelude::*;

use super::super::names::texts_of;
use super::super::schema::{daily_spend, keys, retired_keys, spend_logs, teams, users};
use super::super::sum::sum_i64;
use super::super::{AnyConnection, StoreError, dialect};
use crate::types::NanoUsd;

/// An entity whose `total_spend` is not the sum of its calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// `key`, `user` or `team`.
    pub entity: &'static str,
    pub id: String,
    /// `total_spend` of its row.
    pub booked: NanoUsd,
    /// Σ of its spend logs.
    pub logged: NanoUsd,
}

/// All sums, from one snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerTotals {
    /// Rows of the spend log.
    pub rows: i64,
    /// Σ spend logs.
    pub logged: NanoUsd,
    /// Σ of the days' sums. It exceeds `logged` by the money of rows that the database refused.
    pub daily: NanoUsd,
    /// Calls counted by the days' sums.
    pub daily_requests: i64,
    pub mismatches: Vec<Mismatch>,
}

impl LedgerTotals {
    /// Whether every sum agrees with every other.
    pub fn agree(&self) -> bool {
        self.logged == self.daily && self.rows == self.daily_requests && self.mismatches.is_empty()
    }
}

/// Adds up the whole ledger: it reads every row, for `pointsman ledger verify` and tests. Retention that deletes logs
/// makes entities differ by what it deleted.
pub fn ledger_totals(conn: &mut AnyConnection) -> Result<LedgerTotals, StoreError> {
    dialect::snapshot(conn, |conn| {
        let (rows, logged): (i64, Option<i64>) = spend_logs::table
            .select((diesel::dsl::count_star(), sum_i64(spend_logs::spend)))
            .first(conn)?;
        let (daily_requests, daily): (Option<i64>, Option<i64>) = daily_spend::table
            .select((sum_i64(daily_spend::requests), sum_i64(daily_spend::spend)))
            .first(conn)?;
        let mut mismatches = Vec::new();

        let logs = spend_logs::table.group_by(spend_logs::key_ref);
        let sums: Sums = logs
            .select((spend_logs::key_ref.nullable(), sum_i64(spend_logs::spend)))
            .load(conn)?;
        let rows_of: Rows = keys::table
            .select((keys::token_hash, keys::total_spend))
            .load(conn)?;
        // What was called under the former hashes of a regenerated key is that key's.
        let former: HashMap<String, String> = retired_keys::table
            .select((retired_keys::old_hash, retired_keys::token_hash))
            .load::<(String, String)>(conn)?
            .into_iter()
            .collect();
        compare(conn, "key", sums, rows_of, &former, &mut mismatches)?;

        let logs = spend_logs::table.group_by(spend_logs::user_ref);
        let sums: Sums = logs
            .select((spend_logs::user_ref, sum_i64(spend_logs::spend)))
            .load(conn)?;
        let rows_of: Rows = users::table
            .select((users::user_id, users::total_spend))
            .load(conn)?;
        compare(
            conn,
            "user",
            sums,
            rows_of,
            &HashMap::new(),
            &mut mismatches,
        )?;

        let logs = spend_logs::table.group_by(spend_logs::team_ref);
        let sums: Sums = logs
            .select((spend_logs::team_ref, sum_i64(spend_logs::spend)))
            .load(conn)?;
        let rows_of: Rows = teams::table
            .select((teams::team_id, teams::total_spend))
            .load(conn)?;
        compare(
            conn,
            "team",
            sums,
            rows_of,
            &HashMap::new(),
            &mut mismatches,
        )?;

        Ok(LedgerTotals {
            rows,
            logged: NanoUsd(logged.unwrap_or_default()),
            daily: NanoUsd(daily.unwrap_or_default()),
            daily_requests: daily_requests.unwrap_or_default(),
            mismatches,
        })
    })
}

/// Σ by id of a name; `None` is "nobody".
type Sums = Vec<(Option<i32>, Option<i64>)>;
/// Entities with their `total_spend`.
type Rows = Vec<(String, NanoUsd)>;

/// Spend of an id without a row is nobody's mismatch.
fn compare(
    conn: &mut AnyConnection,
    entity: &'static str,
    sums: Sums,
    rows: Rows,
    renamed: &HashMap<String, String>,
    mismatches: &mut Vec<Mismatch>,
) -> Result<(), StoreError> {
    let texts: HashMap<i32, Arc<str>> = texts_of(conn, sums.iter().filter_map(|(id, _)| *id))?;
    let mut logged: BTreeMap<&str, i64> = BTreeMap::new();
    for (id, sum) in &sums {
        if let Some(text) = id.and_then(|id| texts.get(&id)) {
            let id = renamed.get(&**text).map_or(&**text, String::as_str);
            let total = logged.entry(id).or_default();
            *total = total.saturating_add(sum.unwrap_or_default());
        }
    }
    for (id, booked) in rows {
        let logged = NanoUsd(logged.get(id.as_str()).copied().unwrap_or_default());
        if booked != logged {
            mismatches.push(Mismatch {
                entity,
                id,
                booked,
                logged,
            });
        }
    }
    Ok(())
}
