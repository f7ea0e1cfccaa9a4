//! What waits to be booked, bounded in memory: beyond the bound rows are dropped here and read back from their journal.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;

use super::journal::{JournalId, Record, Segments, Settled, journals};
use crate::store::FlushItem;

/// Rows read back at a time: reading begins at a segment's start, so small helpings would read it many times.
const HELPING: usize = 20_000;
/// Rows kept in memory over all journals.
const MOST_ROWS: usize = 50_000;

/// One journal's share.
#[derive(Default)]
struct Queue {
    rows: VecDeque<Settled>,
    /// The newest row handed over, kept or not.
    newest: u64,
    /// Rows behind this one are on disk only, up to `newest`.
    on_disk_after: Option<u64>,
    booked: u64,
    low_water: u64,
}

/// All journals of this process.
pub struct Backlog {
    folder: PathBuf,
    queues: BTreeMap<JournalId, Queue>,
    in_memory: usize,
}

impl Backlog {
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            queues: BTreeMap::new(),
            in_memory: 0,
        }
    }

    /// Takes rows over, in the order of their journal.
    pub fn add(&mut self, journal: JournalId, rows: Vec<Settled>, low_water: u64) {
        let queue = self.queues.entry(journal).or_default();
        queue.low_water = low_water;
        let Some(newest) = rows.last().map(|row| row.sequence) else {
            return;
        };
        if queue.on_disk_after.is_none() && self.in_memory + rows.len() > MOST_ROWS {
            queue.on_disk_after = Some(queue.newest);
        }
        queue.newest = newest;
        if queue.on_disk_after.is_none() {
            self.in_memory += rows.len();
            queue.rows.extend(rows);
        }
    }

    /// Rows in memory.
    pub fn in_memory(&self) -> usize {
        self.in_memory
    }

    pub fn is_empty(&self) -> bool {
        self.queues
            .values()
            .all(|queue| queue.rows.is_empty() && queue.on_disk_after.is_none())
    }

    /// Up to `most` rows to book next, in the order of each journal.
    pub fn take(&mut self, most: usize) -> io::Result<Vec<FlushItem>> {
        let mut items = Vec::new();
        for (journal, queue) in &mut self.queues {
            if queue.rows.is_empty()
                && let Some(after) = queue.on_disk_after
            {
                let helping = read_back(&self.folder, *journal, after, queue.newest);
                let (rows, more) = match helping {
                    Ok(helping) => helping,
                    // What was taken from other journals must not be lost with this error; it will come again.
                    Err(_) if !items.is_empty() => break,
                    Err(error) => return Err(error),
                };
                self.in_memory += rows.len();
                queue.on_disk_after = rows.last().filter(|_| more).map(|row| row.sequence);
                queue.rows.extend(rows);
            }
            let count = queue.rows.len().min(most - items.len());
            self.in_memory -= count;
            let item = |Settled { sequence, row }| FlushItem {
                journal: *journal,
                seq: sequence,
                row,
            };
            items.extend(queue.rows.drain(..count).map(item));
            if items.len() == most {
                break;
            }
        }
        Ok(items)
    }

    /// Notes what is booked; answers the bytes of segments that were deleted because nothing in them is needed any more.
    pub fn booked(&mut self, items: &[FlushItem]) -> u64 {
        for item in items {
            if let Some(queue) = self.queues.get_mut(&item.journal) {
                queue.booked = queue.booked.max(item.seq);
            }
        }
        let mut freed = 0;
        let Ok(files) = journals(&self.folder) else {
            return 0;
        };
        for (journal, queue) in &self.queues {
            let needed_from = queue.low_water.min(queue.booked + 1);
            let segments = files.get(journal).map_or(&[][..], Vec::as_slice);
            // The last segment is being written; any other ends where the next begins.
            for pair in segments.windows(2) {
                let next_begins = Segments::open(&self.folder, *journal, pair[1]).read();
                if !matches!(next_begins, Ok(Some((first, _))) if first <= needed_from) {
                    break;
                }
                let path = Segments::path(&self.folder, journal, pair[0]);
                freed += remove(&path);
                if path.exists() {
                    // A gap would hide what follows it from a reader.
                    break;
                }
            }
        }
        freed
    }
}

/// Deletes a file; answers its size.
pub(super) fn remove(path: &std::path::Path) -> u64 {
    let size = std::fs::metadata(path).map_or(0, |file| file.len());
    match std::fs::remove_file(path) {
        Ok(()) => size,
        Err(error) => {
            log::warn!("journal: {} could not be deleted: {error}", path.display());
            0
        }
    }
}

/// A helping of the settled rows of a journal behind `after` up to `newest`, and whether there are more.
fn read_back(
    folder: &std::path::Path,
    journal: JournalId,
    after: u64,
    newest: u64,
) -> io::Result<(Vec<Settled>, bool)> {
    let first = journals(folder)?
        .get(&journal)
        .and_then(|segments| segments.first().copied())
        .unwrap_or(0);
    let mut segments = Segments::open(folder, journal, first);
    let mut rows = Vec::new();
    while let Some((sequence, record)) = segments.read()? {
        if sequence > newest {
            break;
        }
        if let Record::Settled(row) = record
            && sequence > after
        {
            if rows.len() == HELPING {
                return Ok((rows, true));
            }
            rows.push(Settled {
                sequence,
                row: *row,
            });
        }
    }
    Ok((rows, false))
}

#[cfg(test)]
mod tests {
    use super::super::journal::tests::{row, writer};
    use super::*;

    /// Takes everything in batches of 700 and books it.
    fn drain(backlog: &mut Backlog) -> Vec<u64> {
        let mut sequences = Vec::new();
        loop {
            let items = backlog.take(700).unwrap();
            if items.is_empty() {
                return sequences;
            }
            sequences.extend(items.iter().map(|item| item.seq));
            backlog.booked(&items);
        }
    }

    #[test]
    fn rows_beyond_the_bound_come_back_from_disk_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = writer(folder.path());
        let mut backlog = Backlog::new(folder.path().to_owned());
        let total = MOST_ROWS as u64 + 5_000;
        for number in 1..=total {
            writer.settled(None, row(number));
            if number % 1_000 == 0 {
                writer.write_out().unwrap();
                backlog.add(writer.id(), writer.take_settled(), writer.low_water());
            }
        }
        assert_eq!(backlog.in_memory(), MOST_ROWS);
        assert_eq!(drain(&mut backlog), (1..=total).collect::<Vec<_>>());
        assert!(backlog.is_empty());
        // And afterwards as before.
        writer.settled(None, row(0));
        writer.write_out().unwrap();
        backlog.add(writer.id(), writer.take_settled(), writer.low_water());
        assert_eq!(drain(&mut backlog), [total + 1]);
    }
}
