//! How far each journal has been booked.

use diesel::prelude::*;

use super::super::schema::journal_checkpoints;
use super::super::{AnyConnection, JournalId, StoreError};

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
