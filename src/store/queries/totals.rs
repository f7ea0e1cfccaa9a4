//! Whether the books agree: Σ spend logs = Σ days = what keys, users and teams were charged.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use diesel::prelude::*;

use super::super::day_of::day_of;
use super::super::names::texts_of;
use super::super::schema::{
    daily_spend, journal_checkpoints, keys, rejected_spend, retired_keys, spend_logs, teams, users,
};
use super::super::sum::sum_i64;
use super::super::{AnyConnection, JournalId, StoreError, dialect};
use crate::types::NanoUsd;

/// An entity whose `total_spend` is not the sum of its calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// `key`, `user` or `team`.
    pub entity: &'static str,
    pub id: String,
    /// `total_spend` of its row.
    pub booked: NanoUsd,
    /// Σ of its calls.
    pub logged: NanoUsd,
}

/// A day whose sums are not those of its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayMismatch {
    /// Days since 1970-01-01 UTC.
    pub day: i64,
    /// Calls that began on it, and what the day's sums count.
    pub rows: i64,
    pub counted: i64,
    /// What those calls cost, and what the day's sums hold.
    pub logged: NanoUsd,
    pub summed: NanoUsd,
}

/// All sums, from one snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerTotals {
    /// Rows of the spend log.
    pub rows: i64,
    /// Σ spend logs.
    pub logged: NanoUsd,
    /// Rows that the spend log refused, and the money of those that was booked all the same.
    pub rejected_rows: i64,
    pub rejected: NanoUsd,
    /// Σ of the days' sums.
    pub daily: NanoUsd,
    /// Calls counted by the days' sums.
    pub daily_requests: i64,
    /// Rows of the spend log whose key, user or team has no name: nobody can say whose they are.
    pub nameless: i64,
    pub days: Vec<DayMismatch>,
    pub mismatches: Vec<Mismatch>,
    /// How far each journal has been booked.
    pub checkpoints: BTreeMap<JournalId, u64>,
}

impl LedgerTotals {
    /// Whether every sum agrees with every other.
    pub fn agree(&self) -> bool {
        self.days.is_empty() && self.nameless == 0 && self.mismatches.is_empty()
    }
}

/// Adds up the whole ledger: it reads every row, for `pointsman ledger verify` and tests. Retention that deletes logs
/// makes entities differ by what it deleted.
pub fn ledger_totals(conn: &mut AnyConnection) -> Result<LedgerTotals, StoreError> {
    dialect::snapshot(conn, |conn| {
        let mut totals = LedgerTotals::default();
        add_days(conn, &mut totals)?;
        let rejects = rejected_money(conn)?;
        totals.rejected_rows = rejected_spend::table.count().first(conn)?;
        totals.rejected = NanoUsd(rejects.iter().map(|reject| reject.3).sum());

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
        let mut ledger = Entities::of(conn, &mut totals, "key", sums, &former)?;
        ledger.add(
            rejects
                .iter()
                .map(|(key, _, _, spend)| (Some(&**key), *spend)),
        );
        ledger.compare(rows_of);

        let logs = spend_logs::table.group_by(spend_logs::user_ref);
        let sums: Sums = logs
            .select((spend_logs::user_ref, sum_i64(spend_logs::spend)))
            .load(conn)?;
        let rows_of: Rows = users::table
            .select((users::user_id, users::total_spend))
            .load(conn)?;
        let nobody = HashMap::new();
        let mut ledger = Entities::of(conn, &mut totals, "user", sums, &nobody)?;
        ledger.add(
            rejects
                .iter()
                .map(|(_, user, _, spend)| (user.as_deref(), *spend)),
        );
        ledger.compare(rows_of);

        let logs = spend_logs::table.group_by(spend_logs::team_ref);
        let sums: Sums = logs
            .select((spend_logs::team_ref, sum_i64(spend_logs::spend)))
            .load(conn)?;
        let rows_of: Rows = teams::table
            .select((teams::team_id, teams::total_spend))
            .load(conn)?;
        let mut ledger = Entities::of(conn, &mut totals, "team", sums, &nobody)?;
        ledger.add(
            rejects
                .iter()
                .map(|(_, _, team, spend)| (team.as_deref(), *spend)),
        );
        ledger.compare(rows_of);

        let checkpoints: Vec<(Vec<u8>, i64)> = journal_checkpoints::table.load(conn)?;
        for (journal, seq) in checkpoints {
            if let (Ok(journal), Ok(seq)) = (journal.try_into(), seq.try_into()) {
                totals.checkpoints.insert(journal, seq);
            }
        }
        Ok(totals)
    })
}

/// Compares the days' sums with the calls of each day.
fn add_days(conn: &mut AnyConnection, totals: &mut LedgerTotals) -> Result<(), StoreError> {
    let empty = |day| DayMismatch {
        day,
        rows: 0,
        counted: 0,
        logged: NanoUsd(0),
        summed: NanoUsd(0),
    };
    let mut days: BTreeMap<i64, DayMismatch> = BTreeMap::new();
    let logged: Vec<(i64, i64, Option<i64>)> = spend_logs::table
        .group_by(day_of(spend_logs::started_at))
        .select((
            day_of(spend_logs::started_at),
            diesel::dsl::count_star(),
            sum_i64(spend_logs::spend),
        ))
        .load(conn)?;
    // As when they were summed up: calls before 1970 count for its first day.
    for (day, rows, spend) in logged {
        let day = day.max(0);
        let spend = spend.unwrap_or_default();
        totals.rows += rows;
        totals.logged.0 += spend;
        let of_day = days.entry(day).or_insert_with(|| empty(day));
        of_day.rows += rows;
        of_day.logged.0 += spend;
    }
    let rejected: Vec<(i64, i64, Option<i64>)> = rejected_spend::table
        .filter(rejected_spend::money_booked)
        .group_by(day_of(rejected_spend::started_at))
        .select((
            day_of(rejected_spend::started_at),
            diesel::dsl::count_star(),
            sum_i64(rejected_spend::spend),
        ))
        .load(conn)?;
    for (day, rows, spend) in rejected {
        let day = day.max(0);
        let of_day = days.entry(day).or_insert_with(|| empty(day));
        of_day.rows += rows;
        of_day.logged.0 += spend.unwrap_or_default();
    }
    let summed: Vec<(i32, Option<i64>, Option<i64>)> = daily_spend::table
        .group_by(daily_spend::day)
        .select((
            daily_spend::day,
            sum_i64(daily_spend::requests),
            sum_i64(daily_spend::spend),
        ))
        .load(conn)?;
    for (day, requests, spend) in summed {
        let (requests, spend) = (requests.unwrap_or_default(), spend.unwrap_or_default());
        totals.daily_requests += requests;
        totals.daily.0 += spend;
        let day = i64::from(day);
        let of_day = days.entry(day).or_insert_with(|| empty(day));
        of_day.counted += requests;
        of_day.summed.0 += spend;
    }
    totals.days = days
        .into_values()
        .filter(|day| (day.rows, day.logged) != (day.counted, day.summed))
        .collect();
    Ok(())
}

/// Key, user, team and nano-dollars of each refused row whose money was booked.
type Rejected = (String, Option<String>, Option<String>, i64);

fn rejected_money(conn: &mut AnyConnection) -> Result<Vec<Rejected>, StoreError> {
    Ok(rejected_spend::table
        .filter(rejected_spend::money_booked)
        .select((
            rejected_spend::key_hash,
            rejected_spend::user_id,
            rejected_spend::team_id,
            rejected_spend::spend,
        ))
        .load(conn)?)
}

/// Σ by id of a name; `None` is "nobody".
type Sums = Vec<(Option<i32>, Option<i64>)>;
/// Entities with their `total_spend`.
type Rows = Vec<(String, NanoUsd)>;

/// What the calls of all entities of one kind cost.
struct Entities<'a> {
    entity: &'static str,
    renamed: &'a HashMap<String, String>,
    logged: BTreeMap<String, i64>,
    totals: &'a mut LedgerTotals,
}

impl<'a> Entities<'a> {
    fn of(
        conn: &mut AnyConnection,
        totals: &'a mut LedgerTotals,
        entity: &'static str,
        sums: Sums,
        renamed: &'a HashMap<String, String>,
    ) -> Result<Self, StoreError> {
        let texts: HashMap<i32, Arc<str>> = texts_of(conn, sums.iter().filter_map(|(id, _)| *id))?;
        let mut entities = Self {
            entity,
            renamed,
            logged: BTreeMap::new(),
            totals,
        };
        for (id, sum) in &sums {
            let Some(id) = id else { continue };
            match texts.get(id) {
                Some(text) => entities.add([(Some(&**text), sum.unwrap_or_default())]),
                None => entities.totals.nameless += 1,
            }
        }
        Ok(entities)
    }

    fn add<'i>(&mut self, calls: impl IntoIterator<Item = (Option<&'i str>, i64)>) {
        for (id, spend) in calls {
            let Some(id) = id else { continue };
            let id = self.renamed.get(id).map_or(id, String::as_str);
            let total = self.logged.entry(id.to_owned()).or_default();
            *total = total.saturating_add(spend);
        }
    }

    /// Spend of an id without a row is nobody's mismatch.
    fn compare(self, rows: Rows) {
        for (id, booked) in rows {
            let logged = NanoUsd(self.logged.get(&id).copied().unwrap_or_default());
            if booked != logged {
                self.totals.mismatches.push(Mismatch {
                    entity: self.entity,
                    id,
                    booked,
                    logged,
                });
            }
        }
    }
}
