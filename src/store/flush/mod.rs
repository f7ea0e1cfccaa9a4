//! Booking: a batch of spend rows becomes rows, sums and checkpoints in one transaction.
//!
//! Exactly once comes from the checkpoint alone: what a journal's stored `seq` covers is not booked again, so a caller
//! that got no answer sends the same batch again. Called by the ledger's executor only, and by tests.
//! A row that the database refuses is taken out and named in the report; it never holds up the others.

mod details;
mod encode;
mod rejects;
mod sums;
mod windows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use diesel::prelude::*;

use self::encode::{Refs, log_row};
use self::sums::{DailySums, EntitySums, KeySum};
use self::windows::Spendings;
use super::dialect::Owed;
use super::names::{NameCache, Resolver};
use super::queries::current_hashes;
use super::schema::{keys, spend_logs, teams, users};
use super::{AnyConnection, StoreError, dialect};
use crate::types::SpendRow;

pub(super) use self::encode::{SUCCESS, spend_row};

/// The random id of one journal.
pub type JournalId = [u8; 16];

/// One settled call, with its place in its journal.
#[derive(Clone, Debug)]
pub struct FlushItem {
    pub journal: JournalId,
    /// At most `i64::MAX`; grows within a journal.
    pub seq: u64,
    pub row: SpendRow,
}

/// What to book. Shared, because a caller keeps it until the answer is there.
#[derive(Clone, Debug, Default)]
pub struct FlushBatch {
    pub items: Vec<FlushItem>,
    /// Everything of a journal up to this `seq` is in this batch or was booked before. The `seq` of an item counts as
    /// such a mark too. A mark below the stored one changes nothing.
    pub checkpoints: Vec<(JournalId, u64)>,
}

/// A row that is not in the spend logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRow {
    /// Its place in the batch's `items`.
    pub index: usize,
    /// What the database said.
    pub reason: String,
    /// Whether its money was added to key, user, team and day all the same. It was not when its ledger id was there
    /// already, or when its spend is beyond belief.
    pub booked: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlushReport {
    /// Rows that this transaction added.
    pub applied: usize,
    /// Items that a stored checkpoint covered already.
    pub skipped: usize,
    pub refused: Vec<RefusedRow>,
}

/// A call never costs more than a million dollars: beyond it stands a price list with an error, whose sums would leave
/// 64 bits and hold up the ledger for ever.
const MOST_A_CALL_COSTS: i64 = 1_000_000 * 1_000_000_000;

/// Books a batch, in one transaction.
pub(super) fn flush(
    conn: &mut AnyConnection,
    names: &mut NameCache,
    batch: &FlushBatch,
) -> Result<FlushReport, StoreError> {
    match attempt(conn, names, batch, Insert::AtOnce) {
        Err(error) if error.may_lie_in_the_data() => {
            log::warn!(
                "a batch of {} spend rows is taken apart: {error}",
                batch.items.len()
            );
            attempt(conn, names, batch, Insert::Bisecting)
        }
        result => result,
    }
}

#[derive(Clone, Copy)]
enum Insert {
    AtOnce,
    Bisecting,
}

fn attempt(
    conn: &mut AnyConnection,
    names: &mut NameCache,
    batch: &FlushBatch,
    insert: Insert,
) -> Result<FlushReport, StoreError> {
    let marks = marks(batch)?;
    let (report, fresh) = dialect::write_transaction(conn, |conn| {
        let stored =
            dialect::lock_checkpoints(conn, &marks.keys().copied().collect::<BTreeSet<_>>())?;
        let mut booking = Booking::new(conn, Resolver::new(names));
        let due = booking.due(batch, &stored);
        match insert {
            Insert::AtOnce => booking.insert(&due)?,
            Insert::Bisecting => booking.insert_bisecting(&due)?,
        }
        booking.add_sums()?;
        let further: Vec<(JournalId, i64)> = marks
            .iter()
            .filter(|(journal, seq)| stored.get(*journal).is_none_or(|stored| *seq > stored))
            .map(|(journal, seq)| (*journal, *seq))
            .collect();
        if !further.is_empty() {
            dialect::set_checkpoints(booking.conn, &further)?;
        }
        booking.report.refused.sort_by_key(|row| row.index);
        booking.keep_refused(batch)?;
        Ok((booking.report, booking.resolver.fresh))
    })?;
    names.absorb(fresh);
    Ok(report)
}

/// The checkpoint of each journal after the batch.
fn marks(batch: &FlushBatch) -> Result<BTreeMap<JournalId, i64>, StoreError> {
    let mut marks = BTreeMap::new();
    let of_items = batch.items.iter().map(|item| (item.journal, item.seq));
    for (journal, seq) in of_items.chain(batch.checkpoints.iter().copied()) {
        let seq = i64::try_from(seq)
            .map_err(|_| StoreError::Bug(format!("journal sequence {seq} is above 2^63")))?;
        let mark = marks.entry(journal).or_insert(seq);
        *mark = seq.max(*mark);
    }
    Ok(marks)
}

/// An item with its place in the batch.
type Due<'b> = (usize, &'b SpendRow);

/// One transaction's work.
struct Booking<'c, 'n> {
    conn: &'c mut AnyConnection,
    resolver: Resolver<'n>,
    report: FlushReport,
    entities: EntitySums,
    days: DailySums,
    spendings: Spendings,
}

impl<'c, 'n> Booking<'c, 'n> {
    fn new(conn: &'c mut AnyConnection, resolver: Resolver<'n>) -> Self {
        Self {
            conn,
            resolver,
            report: FlushReport::default(),
            entities: EntitySums::default(),
            days: DailySums::default(),
            spendings: Spendings::default(),
        }
    }

    /// The items that no stored checkpoint covers and that can be booked at all.
    fn due<'b>(
        &mut self,
        batch: &'b FlushBatch,
        stored: &BTreeMap<JournalId, i64>,
    ) -> Vec<Due<'b>> {
        let mut due = Vec::with_capacity(batch.items.len());
        for (index, item) in batch.items.iter().enumerate() {
            let covered = stored.get(&item.journal).copied().unwrap_or(-1);
            if u64::try_from(covered).is_ok_and(|covered| item.seq <= covered) {
                self.report.skipped += 1;
            } else if !(-MOST_A_CALL_COSTS..=MOST_A_CALL_COSTS).contains(&item.row.spend.0) {
                let reason = format!(
                    "a spend of {} nano-dollars is beyond a million dollars",
                    item.row.spend.0
                );
                self.report.refused.push(RefusedRow {
                    index,
                    reason,
                    booked: false,
                });
            } else {
                due.push((index, &item.row));
            }
        }
        due
    }

    fn insert(&mut self, due: &[Due<'_>]) -> Result<(), StoreError> {
        let refs = self.write_rows(due)?;
        self.count(due, &refs);
        Ok(())
    }

    /// Halves what is refused until single rows are left.
    fn insert_bisecting(&mut self, due: &[Due<'_>]) -> Result<(), StoreError> {
        let error = match self.in_savepoint(|booking| booking.write_rows(due)) {
            Ok(refs) => {
                self.count(due, &refs);
                return Ok(());
            }
            Err(error) if error.may_lie_in_the_data() => error,
            Err(error) => return Err(error),
        };
        if let [(index, row)] = *due {
            return self.refuse(index, row, &error);
        }
        let (left, right) = due.split_at(due.len() / 2);
        self.insert_bisecting(left)?;
        self.insert_bisecting(right)
    }

    /// Takes note of a row that cannot be stored. Its money is booked, unless the ledger has the row already.
    fn refuse(
        &mut self,
        index: usize,
        row: &SpendRow,
        error: &StoreError,
    ) -> Result<(), StoreError> {
        let booked = !self.is_there(row)?;
        if booked {
            // A name may be what was refused: then its day counts it under no name.
            let refs = match self.in_savepoint(|booking| {
                Refs::of_rows(booking.conn, &mut booking.resolver, &[(index, row)])
            }) {
                Ok(refs) => refs.into_iter().next().unwrap_or_default(),
                Err(error) if error.may_lie_in_the_data() => Refs::default(),
                Err(error) => return Err(error),
            };
            self.entities.add(row);
            self.days.add(row, &refs);
            self.spendings.add(row);
        }
        self.report.refused.push(RefusedRow {
            index,
            reason: error.to_string(),
            booked,
        });
        Ok(())
    }

    fn is_there(&mut self, row: &SpendRow) -> Result<bool, StoreError> {
        let there: Option<i64> = spend_logs::table
            .find(row.ledger_id.as_bytes().as_slice())
            .select(spend_logs::started_at)
            .first(self.conn)
            .optional()?;
        Ok(there.is_some())
    }

    /// Runs `body` so that an error leaves nothing behind, neither rows nor names.
    fn in_savepoint<T>(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        type Manager = <AnyConnection as Connection>::TransactionManager;
        use diesel::connection::TransactionManager;
        let names = self.resolver.fresh.clone();
        Manager::begin_transaction(self.conn)?;
        let result = body(self);
        match &result {
            Ok(_) => Manager::commit_transaction(self.conn)?,
            Err(_) => {
                self.resolver.fresh = names;
                Manager::rollback_transaction(self.conn)?;
            }
        }
        result
    }

    fn write_rows(&mut self, due: &[Due<'_>]) -> Result<Vec<Refs>, StoreError> {
        let refs = Refs::of_rows(self.conn, &mut self.resolver, due)?;
        let rows: Vec<_> = due
            .iter()
            .zip(&refs)
            .map(|((_, row), refs)| log_row(row, refs))
            .collect();
        dialect::insert_log_rows(self.conn, &rows)?;
        Ok(refs)
    }

    fn count(&mut self, due: &[Due<'_>], refs: &[Refs]) {
        self.report.applied += due.len();
        for ((_, row), refs) in due.iter().zip(refs) {
            self.entities.add(row);
            self.days.add(row, refs);
            self.spendings.add(row);
        }
    }

    /// Writes down what was refused. A database that refuses even that must not hold up the rest: the log then names the row.
    fn keep_refused(&mut self, batch: &FlushBatch) -> Result<(), StoreError> {
        if self.report.refused.is_empty() {
            return Ok(());
        }
        let refused = std::mem::take(&mut self.report.refused);
        let kept = self.in_savepoint(|booking| Ok(rejects::keep(booking.conn, batch, &refused)?));
        self.report.refused = refused;
        match kept {
            Err(error) if error.may_lie_in_the_data() => {
                log::error!("ledger: refused rows could not be kept in rejected_spend: {error}");
                Ok(())
            }
            kept => kept,
        }
    }

    /// Adds what was summed up, in primary-key order: two instances that flush at once take locks in the same order.
    /// An entity without a row (the master key, a user never created) has its money in the logs and the days.
    fn add_sums(&mut self) -> Result<(), StoreError> {
        let keys: Vec<(String, &KeySum)> = self
            .entities
            .keys
            .iter()
            .map(|(hash, sum)| (hash.to_string(), sum))
            .collect();
        let owed: Vec<Owed<'_>> = keys
            .iter()
            .map(|(id, sum)| Owed {
                id,
                spend: sum.spend,
                active_ms: sum.last_active_ms,
            })
            .collect();
        let missing = dialect::charge::<keys::table>(self.conn, &owed)?;
        if !missing.is_empty() {
            charge_regenerated(self.conn, &missing)?;
        }
        let owed = of(&self.entities.users);
        if !owed.is_empty() {
            dialect::charge::<users::table>(self.conn, &owed)?;
        }
        let owed = of(&self.entities.teams);
        if !owed.is_empty() {
            dialect::charge::<teams::table>(self.conn, &owed)?;
        }
        let days = std::mem::take(&mut self.days).rows();
        if !days.is_empty() {
            dialect::add_daily(self.conn, &days)?;
        }
        std::mem::take(&mut self.spendings).book(self.conn)?;
        Ok(())
    }
}

/// What users or teams are charged; a sum of nothing changes nothing.
fn of(sums: &BTreeMap<Arc<str>, i64>) -> Vec<Owed<'_>> {
    sums.iter()
        .filter(|(_, spend)| **spend != 0)
        .map(|(id, spend)| Owed {
            id,
            spend: *spend,
            active_ms: 0,
        })
        .collect()
}

/// Keys that were regenerated while their calls were under way are charged under their new hash.
fn charge_regenerated(conn: &mut AnyConnection, missing: &[Owed<'_>]) -> Result<(), StoreError> {
    let former: Vec<&str> = missing.iter().map(|owed| owed.id).collect();
    let active = current_hashes(conn, &former)?;
    let mut sums: BTreeMap<&str, KeySum> = BTreeMap::new();
    for owed in missing {
        if let Some(id) = active.get(owed.id) {
            let sum = sums.entry(id).or_default();
            sum.spend = sum.spend.saturating_add(owed.spend);
            sum.last_active_ms = sum.last_active_ms.max(owed.active_ms);
        }
    }
    let owed: Vec<Owed<'_>> = sums
        .iter()
        .map(|(id, sum)| Owed {
            id,
            spend: sum.spend,
            active_ms: sum.last_active_ms,
        })
        .collect();
    if !owed.is_empty() {
        dialect::charge::<keys::table>(conn, &owed)?;
    }
    Ok(())
}
