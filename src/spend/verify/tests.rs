//! Ledgers that are in order, and each way in which one is not.

use std::fs;
use std::sync::Arc;

use diesel::connection::SimpleConnection;

use super::super::journal::tests::{opened, row, writer};
use super::super::journal::{FOLDER, JournalWriter, Segments, journals};
use super::{Fault, Findings, verify};
use crate::store::{AnyConnection, FlushBatch, FlushItem, NameCache, queries};
use crate::types::DatabaseUrl;

/// A data directory with a journal of seven settled calls, four of them booked, and one call under way.
struct Scene {
    folder: tempfile::TempDir,
    writer: JournalWriter,
    settled: Vec<FlushItem>,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join(FOLDER);
        fs::create_dir(&journal).unwrap();
        let mut writer = writer(&journal);
        for number in 1..=7 {
            let row = row(number);
            let place = writer.opened(&opened(&row));
            writer.settled(Some(place), row);
        }
        writer.opened(&opened(&row(8)));
        writer.write_out().unwrap();
        let settled = writer.take_settled().into_iter().map(|settled| FlushItem {
            journal: writer.id(),
            seq: settled.sequence,
            row: settled.row,
        });
        let settled = settled.collect();
        let scene = Self {
            folder,
            writer,
            settled,
        };
        queries::migrate(&mut scene.connect()).unwrap();
        scene.book(0..4);
        scene
    }

    fn connect(&self) -> AnyConnection {
        let path = self.folder.path().join("ledger.db");
        AnyConnection::open(&DatabaseUrl::Sqlite(path)).unwrap()
    }

    fn book(&self, which: std::ops::Range<usize>) {
        let batch = Arc::new(FlushBatch {
            items: self.settled[which].to_vec(),
            checkpoints: Vec::new(),
        });
        queries::flush_spend(&mut self.connect(), &mut NameCache::default(), &batch).unwrap();
    }

    fn sql(&self, statement: &str) {
        self.connect().batch_execute(statement).unwrap();
    }

    fn segment(&self) -> std::path::PathBuf {
        Segments::path(&self.folder.path().join(FOLDER), &self.writer.id(), 0)
    }

    fn verify(&self) -> Findings {
        verify(&mut self.connect(), self.folder.path()).unwrap()
    }

    /// The one thing that is wrong.
    #[track_caller]
    fn fault(&self) -> Fault {
        let faults = self.verify().faults;
        let [fault] = faults.as_slice() else {
            panic!("{faults:?}")
        };
        fault.clone()
    }
}

#[test]
fn a_ledger_in_order() {
    let scene = Scene::new();
    let found = scene.verify();
    assert_eq!(found.faults, []);
    assert_eq!(
        (found.totals.rows, found.totals.logged.0),
        (4, 1 + 2 + 3 + 4)
    );
    let [journal] = found.journals.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(journal.bytes, fs::metadata(scene.segment()).unwrap().len());
    assert_eq!((journal.records, journal.checkpoint), (15, Some(8)));
    assert_eq!((journal.unbooked, journal.unbooked_spend), (3, 5 + 6 + 7));
    assert_eq!((journal.open, journal.torn), (1, 0));
    scene.book(4..7);
    let found = scene.verify();
    assert_eq!((found.faults.len(), found.journals[0].unbooked), (0, 0));
}

#[test]
fn a_data_directory_without_journals() {
    let scene = Scene::new();
    fs::remove_dir_all(scene.folder.path().join(FOLDER)).unwrap();
    let found = scene.verify();
    assert_eq!((found.faults.len(), found.journals.len()), (0, 0));
}

/// What a death leaves is no fault, wherever it struck.
#[test]
fn a_torn_end_is_told_and_no_fault() {
    let scene = Scene::new();
    let whole = fs::read(scene.segment()).unwrap();
    for cut in [1, 7, 8, 9, 40] {
        fs::write(scene.segment(), &whole[..whole.len() - cut]).unwrap();
        let found = scene.verify();
        assert_eq!(found.faults, [], "{cut} bytes are missing");
        assert!(found.journals[0].torn > 0);
        assert_eq!(found.journals[0].records, 14);
    }
}

#[test]
fn a_damaged_record() {
    let scene = Scene::new();
    let mut bytes = fs::read(scene.segment()).unwrap();
    let at = bytes.len() - 20;
    bytes[at] ^= 1;
    fs::write(scene.segment(), &bytes).unwrap();
    let fault = scene.fault();
    assert!(
        matches!(&fault, Fault::Damaged { segment: 0, offset, bytes: lost, .. } if offset + lost == bytes.len() as u64),
        "{fault}"
    );
}

#[test]
fn records_that_are_missing() {
    let scene = Scene::new();
    // Cuts the second record out.
    let bytes = fs::read(scene.segment()).unwrap();
    let length = |at: usize| 8 + u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let (first, second) = (length(0), length(length(0)));
    let without = [&bytes[..first], &bytes[first + second..]].concat();
    fs::write(scene.segment(), without).unwrap();
    let fault = scene.fault();
    assert!(
        matches!(
            fault,
            Fault::RecordsMissing {
                after: 1,
                found: 3,
                ..
            }
        ),
        "{fault}"
    );
}

#[test]
fn a_missing_segment() {
    let mut scene = Scene::new();
    for number in 0..2 {
        scene.writer.fill_segment();
        scene.writer.settled(None, row(number));
        scene.writer.write_out().unwrap();
    }
    let folder = scene.folder.path().join(FOLDER);
    assert_eq!(journals(&folder).unwrap()[&scene.writer.id()], [0, 1, 2]);
    assert_eq!(scene.verify().faults, []);
    fs::remove_file(Segments::path(&folder, &scene.writer.id(), 1)).unwrap();
    let faults = scene.verify().faults;
    assert!(
        matches!(
            faults.as_slice(),
            [Fault::SegmentMissing { segment: 1, .. }, ..]
        ),
        "{faults:?}"
    );
}

#[test]
fn a_checkpoint_ahead_of_its_journal() {
    let scene = Scene::new();
    scene.book(4..7);
    // One call is open: as interrupted it may be booked behind the last record.
    scene.sql("UPDATE journal_checkpoints SET seq = 16");
    assert_eq!(scene.verify().faults, []);
    scene.sql("UPDATE journal_checkpoints SET seq = 17");
    let fault = scene.fault();
    assert!(
        matches!(
            fault,
            Fault::CheckpointAhead {
                checkpoint: 17,
                last: 15,
                ..
            }
        ),
        "{fault}"
    );
}

#[test]
fn a_row_that_was_lost() {
    let scene = Scene::new();
    scene.sql("UPDATE journal_checkpoints SET seq = 12");
    let fault = scene.fault();
    assert!(matches!(fault, Fault::Lost { count: 2, .. }), "{fault}");
}

#[test]
fn rows_that_would_be_booked_twice() {
    let scene = Scene::new();
    scene.sql("UPDATE journal_checkpoints SET seq = 4");
    let fault = scene.fault();
    assert!(matches!(fault, Fault::Twice { count: 2, .. }), "{fault}");
}

#[test]
fn sums_that_disagree_say_by_how_much() {
    let scene = Scene::new();
    scene.sql("UPDATE daily_spend SET spend = spend + 250000000, requests = requests + 1");
    let fault = scene.fault();
    assert_eq!(
        fault.to_string(),
        "day 1970-01-01: its sums hold $0.25000001 of 5 calls, the spend log $0.00000001 of 4 (off by $0.25 and 1 calls)"
    );
}
