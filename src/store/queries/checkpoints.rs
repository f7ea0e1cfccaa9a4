//! How far each journal has been booked, and whether what it holds is there.

use std::collections::HashSet;

use diesel::prelude::*;

use super::super::schema::{journal_checkpoints, rejected_spend, spend_logs};
use super::super::{AnyConnection, JournalId, StoreError};
use crate::types::LedgerId;

/// Ids in one `IN` list.
const AT_ONCE: usize = 500;

/// The stored `seq` of each journal that has one: every record up to it is booked.
pub fn read_checkpoints(
    conn: &mut AnyConnection,
    journals: &[JournalId],
) -> Result<Vec<(JournalId, u64)>, StoreError> {
    let mut checkpoints = Vec::with_capacity(journals.len());
    for journal in journals {
        let seq: Option<i64> = journal_checkpoints::table
            .find(journal.as_slice())
            .select(journal_checkpoints::seq)
            .first(conn)
            .optional()?;
        if let Some(seq) = seq.and_then(|seq| u64::try_from(seq).ok()) {
            checkpoints.push((*journal, seq));
        }
    }
    Ok(checkpoints)
}

/// Drops the checkpoints of journals whose files are gone. A journal that still has records would be booked twice.
pub fn forget_checkpoints(
    conn: &mut AnyConnection,
    journals: &[JournalId],
) -> Result<(), StoreError> {
    for journal in journals {
        diesel::delete(journal_checkpoints::table.find(journal.as_slice())).execute(conn)?;
    }
    Ok(())
}

/// Those of `ids` that the ledger holds, as rows of the spend log or among those that it refused.
pub fn booked_ids(
    conn: &mut AnyConnection,
    ids: &[LedgerId],
) -> Result<HashSet<LedgerId>, StoreError> {
    let mut found = HashSet::with_capacity(ids.len());
    for ids in ids.chunks(AT_ONCE) {
        let wanted: Vec<&[u8]> = ids.iter().map(|id| id.as_bytes().as_slice()).collect();
        let logged: Vec<Vec<u8>> = spend_logs::table
            .filter(spend_logs::ledger_id.eq_any(&wanted))
            .select(spend_logs::ledger_id)
            .load(conn)?;
        let rejected: Vec<Vec<u8>> = rejected_spend::table
            .filter(rejected_spend::ledger_id.eq_any(&wanted))
            .select(rejected_spend::ledger_id)
            .load(conn)?;
        let read = logged.into_iter().chain(rejected);
        found.extend(read.filter_map(|id| <[u8; 16]>::try_from(id).ok().map(LedgerId::from_bytes)));
    }
    Ok(found)
}
