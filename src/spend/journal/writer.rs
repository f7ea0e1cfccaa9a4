//! The writing side of one journal: one per worker thread, owned by it, shared with nobody.
//!
//! Records gather in a buffer during an event-loop turn; [`JournalWriter::write_out`] puts them into the file with one
//! `write`. What was written is then handed over to the spend logger in batches.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::record::{self, Opened};
use super::sync::{JournalHealth, Syncer};
use super::{JournalId, SEGMENT_BYTES, hex};
use crate::types::{LedgerId, SpendRow};

/// An `Opened` record was appended; to be given back when the call is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended(LedgerId);

/// A settled row and its place in the journal.
#[derive(Clone, Debug)]
pub struct Settled {
    pub sequence: u64,
    pub row: SpendRow,
}

/// See the module.
pub struct JournalWriter {
    folder: PathBuf,
    id: JournalId,
    syncer: Arc<Syncer>,
    file: Option<Arc<File>>,
    segment: u32,
    segment_bytes: u64,
    next_sequence: u64,
    buffer: Vec<u8>,
    /// Calls that are under way, and where they were opened. They are written again when a segment begins, so that one long
    /// call does not keep all segments since it began.
    open: HashMap<LedgerId, (u64, Opened)>,
    /// A part of the buffer's first record is in the file already.
    torn: bool,
    settled: Vec<Settled>,
}

impl JournalWriter {
    /// A new journal in `folder`. No file exists until the first record is written.
    pub fn new(folder: PathBuf, syncer: Arc<Syncer>) -> Self {
        syncer.health().writers.fetch_add(1, Ordering::AcqRel);
        Self {
            folder,
            id: uuid::Uuid::new_v4().into_bytes(),
            syncer,
            file: None,
            segment: 0,
            segment_bytes: 0,
            next_sequence: 1,
            buffer: Vec::with_capacity(8 * 1024),
            open: HashMap::new(),
            torn: false,
            settled: Vec::new(),
        }
    }

    pub fn id(&self) -> JournalId {
        self.id
    }

    pub fn health(&self) -> &JournalHealth {
        self.syncer.health()
    }

    /// Notes that a call goes upstream.
    pub fn opened(&mut self, opened: &Opened) -> Appended {
        let sequence = self.take_sequence();
        record::write_opened(&mut self.buffer, sequence, opened);
        self.open
            .insert(opened.ledger_id, (sequence, opened.clone()));
        Appended(opened.ledger_id)
    }

    /// Notes how a call ended. `opened` is none for calls that never went upstream.
    pub fn settled(&mut self, opened: Option<Appended>, row: SpendRow) {
        let sequence = self.take_sequence();
        record::write_settled(&mut self.buffer, sequence, &row);
        if let Some(Appended(call)) = opened {
            self.open.remove(&call);
        }
        self.settled.push(Settled { sequence, row });
    }

    fn take_sequence(&mut self) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        sequence
    }

    /// Puts everything gathered into the file. After an error the buffer is kept: call again.
    pub fn write_out(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let outcome = self.write_buffer();
        self.health()
            .failing
            .store(outcome.is_err(), Ordering::Relaxed);
        outcome
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        if self.segment_bytes >= SEGMENT_BYTES && !self.torn {
            self.rotate();
        }
        let file = match &self.file {
            Some(file) => file.clone(),
            None => self.new_segment()?,
        };
        let mut target: &File = &file;
        while !self.buffer.is_empty() {
            let written = match target.write(&self.buffer) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            // A part that reached the file must not be written twice.
            self.buffer.drain(..written);
            self.torn = !self.buffer.is_empty();
            self.segment_bytes += written as u64;
            self.health()
                .bytes
                .fetch_add(written as u64, Ordering::Relaxed);
        }
        self.syncer.written();
        Ok(())
    }

    /// Ends the segment. What is in the buffer goes to the next one, and what is open is written there again.
    fn rotate(&mut self) {
        if let Some(full) = self.file.take() {
            self.syncer.retire(full);
        }
        self.segment += 1;
        self.segment_bytes = 0;
        for (sequence, opened) in self.open.values_mut() {
            *sequence = self.next_sequence;
            self.next_sequence += 1;
            record::write_opened(&mut self.buffer, *sequence, opened);
        }
    }

    fn new_segment(&mut self) -> io::Result<Arc<File>> {
        let path = self
            .folder
            .join(format!("{}-{:08}.wal", hex(&self.id), self.segment));
        let file = Arc::new(File::options().create(true).append(true).open(path)?);
        self.syncer.watch(&file);
        self.file = Some(file.clone());
        Ok(file)
    }

    /// As if the segment had reached its size.
    #[cfg(test)]
    pub fn fill_segment(&mut self) {
        self.segment_bytes = SEGMENT_BYTES;
    }

    /// Rows written since the last call, for the spend logger.
    pub fn take_settled(&mut self) -> Vec<Settled> {
        std::mem::take(&mut self.settled)
    }

    pub fn settled_waiting(&self) -> usize {
        self.settled.len()
    }

    /// Below this sequence number nothing is open any more.
    pub fn low_water(&self) -> u64 {
        let opened = self.open.values().map(|(sequence, _)| *sequence);
        opened.min().unwrap_or(self.next_sequence)
    }
}

impl Drop for JournalWriter {
    /// A worker that ends while calls are under way settles them as it goes: their rows still reach the disk.
    fn drop(&mut self) {
        if let Err(error) = self.write_out() {
            log::error!("journal: the last records could not be written: {error}");
        }
        self.health().writers.fetch_sub(1, Ordering::AcqRel);
    }
}
