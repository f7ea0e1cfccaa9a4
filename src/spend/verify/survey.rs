//! One journal, read from its first record to its last, and held against the database.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde::Serialize;

use super::super::journal::{JournalId, Record, Segments, Unread, Unreadable, hex};
use super::{Fault, VerifyError};
use crate::store::{AnyConnection, queries};
use crate::types::{LedgerId, NanoUsd};

/// Ids that the database is asked for at a time.
const AT_ONCE: usize = 500;

/// What one journal holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JournalState {
    pub journal: String,
    pub segments: usize,
    /// Of whole records.
    pub bytes: u64,
    pub records: u64,
    /// Sequence number up to which the database has it; none when nothing of it was booked yet.
    pub checkpoint: Option<u64>,
    /// Settled calls that are not booked yet, and what they cost in nano-dollars.
    pub unbooked: u64,
    pub unbooked_spend: i64,
    /// Calls that went upstream and whose end is not written: under way, or interrupted.
    pub open: usize,
    /// Bytes of a last record that is not whole.
    pub torn: u64,
}

/// One reading of one journal.
pub(super) struct Survey<'a> {
    folder: &'a Path,
    id: JournalId,
    numbers: &'a [u32],
    /// Sequence numbers up to this one are booked.
    booked_to: u64,
    pub(super) state: JournalState,
    pub(super) faults: Vec<Fault>,
    /// Settled calls whose rows are looked for.
    to_find: Vec<LedgerId>,
    unbooked: Vec<(u64, LedgerId)>,
    lost: Vec<LedgerId>,
}

impl<'a> Survey<'a> {
    pub(super) fn of(
        folder: &'a Path,
        id: JournalId,
        numbers: &'a [u32],
        checkpoint: Option<u64>,
    ) -> Self {
        Self {
            folder,
            id,
            numbers,
            booked_to: checkpoint.unwrap_or(0),
            state: JournalState {
                journal: hex(&id),
                segments: numbers.len(),
                checkpoint,
                ..JournalState::default()
            },
            faults: Vec::new(),
            to_find: Vec::new(),
            unbooked: Vec::new(),
            lost: Vec::new(),
        }
    }

    pub(super) fn read(&mut self, conn: &mut AnyConnection) -> Result<(), VerifyError> {
        for pair in self.numbers.windows(2) {
            if pair[1] != pair[0] + 1 {
                self.faults.push(Fault::SegmentMissing {
                    journal: self.state.journal.clone(),
                    segment: pair[0] + 1,
                });
            }
        }
        let first = self.numbers.first().copied().unwrap_or(0);
        let mut segments = Segments::open(self.folder, self.id, first);
        let mut open: HashSet<LedgerId> = HashSet::new();
        let mut last = None;
        while let Some((sequence, record)) = segments.read()? {
            if let Some(after) = last
                && sequence != after + 1
            {
                self.faults.push(Fault::RecordsMissing {
                    journal: self.state.journal.clone(),
                    after,
                    found: sequence,
                });
            }
            last = Some(sequence);
            self.state.records += 1;
            match record {
                Record::Opened(opened) => {
                    open.insert(opened.ledger_id);
                }
                Record::Settled(row) => {
                    open.remove(&row.ledger_id);
                    self.settled(conn, sequence, row.ledger_id, row.spend)?;
                }
            }
        }
        self.find(conn)?;
        self.state.bytes = segments.bytes();
        self.state.open = open.len();
        self.ends(segments.unread());
        if let (Some(last), Some(checkpoint)) = (last, self.state.checkpoint)
            // Calls that were interrupted are booked with numbers behind the last record.
            && checkpoint > last + open.len() as u64
        {
            self.faults.push(Fault::CheckpointAhead {
                journal: self.state.journal.clone(),
                checkpoint,
                last,
            });
        }
        self.twice(conn)?;
        if let Some(first) = self.lost.first() {
            self.faults.push(Fault::Lost {
                journal: self.state.journal.clone(),
                count: self.lost.len(),
                first: first.to_string(),
            });
        }
        Ok(())
    }

    fn settled(
        &mut self,
        conn: &mut AnyConnection,
        sequence: u64,
        id: LedgerId,
        spend: NanoUsd,
    ) -> Result<(), VerifyError> {
        if sequence > self.booked_to {
            self.state.unbooked += 1;
            self.state.unbooked_spend = self.state.unbooked_spend.saturating_add(spend.0);
            self.unbooked.push((sequence, id));
            return Ok(());
        }
        self.to_find.push(id);
        if self.to_find.len() == AT_ONCE {
            self.find(conn)?;
        }
        Ok(())
    }

    /// What counts as booked must be there.
    fn find(&mut self, conn: &mut AnyConnection) -> Result<(), VerifyError> {
        let ids = std::mem::take(&mut self.to_find);
        let found = queries::booked_ids(conn, &ids)?;
        self.lost
            .extend(ids.into_iter().filter(|id| !found.contains(id)));
        Ok(())
    }

    /// What does not count as booked must not be there, unless it was booked since the snapshot.
    fn twice(&mut self, conn: &mut AnyConnection) -> Result<(), VerifyError> {
        let mut there = Vec::new();
        for chunk in self.unbooked.chunks(AT_ONCE) {
            let ids: Vec<LedgerId> = chunk.iter().map(|(_, id)| *id).collect();
            let found = queries::booked_ids(conn, &ids)?;
            there.extend(chunk.iter().filter(|(_, id)| found.contains(id)));
        }
        if there.is_empty() {
            return Ok(());
        }
        let now: BTreeMap<JournalId, u64> = queries::read_checkpoints(conn, &[self.id])?
            .into_iter()
            .collect();
        // A journal without a checkpoint any more was booked as a whole and is being deleted.
        let booked_to = match (now.get(&self.id), self.state.checkpoint) {
            (Some(now), _) => *now,
            (None, Some(_)) => u64::MAX,
            (None, None) => 0,
        };
        there.retain(|(sequence, _)| *sequence > booked_to);
        if let Some((_, first)) = there.first() {
            self.faults.push(Fault::Twice {
                journal: self.state.journal.clone(),
                count: there.len(),
                first: first.to_string(),
            });
        }
        Ok(())
    }

    /// A torn end is what a death leaves; only of the last segment, and nothing else may be unreadable.
    fn ends(&mut self, unread: &[Unread]) {
        let last = self.numbers.last().copied();
        for end in unread {
            if end.why == Unreadable::Torn && Some(end.segment) >= last {
                self.state.torn += end.bytes;
            } else {
                self.faults.push(Fault::Damaged {
                    journal: self.state.journal.clone(),
                    segment: end.segment,
                    offset: end.offset,
                    bytes: end.bytes,
                });
            }
        }
    }
}
