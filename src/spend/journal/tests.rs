//! Journals written, torn, and read back.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::{JournalId, JournalWriter, Opened, Record, Segments, Syncer, journals};
use crate::types::{CallStatus, KeyHash, LedgerId, NanoUsd, SpendRow, Usage};

pub fn row(number: u64) -> SpendRow {
    SpendRow {
        ledger_id: LedgerId::now(),
        key_hash: KeyHash::of("sk-x"),
        user_id: Some("u".into()),
        team_id: None,
        end_user: None,
        started_at: 1,
        ended_at: 2,
        first_token_at: None,
        call_type: "acompletion".into(),
        status: CallStatus::Success,
        model: "m".into(),
        model_group: "g".into(),
        model_id: "d".into(),
        provider: "openai".into(),
        api_base: "http://h/v1".into(),
        spend: NanoUsd(number as i64),
        cost: Default::default(),
        usage: Usage::default(),
        usage_estimated: false,
        request_id: format!("chatcmpl-{number}").into(),
        call_id: "c".into(),
        retries: 0,
        http_status: 200,
        error_class: None,
        client_ip: None,
        user_agent: None,
        labels: None,
        budgets: Vec::new(),
    }
}

pub fn opened(row: &SpendRow) -> Opened {
    Opened {
        ledger_id: row.ledger_id,
        key_hash: row.key_hash,
        user_id: None,
        team_id: None,
        started_at: 1,
        model: "m".into(),
        model_group: "g".into(),
        model_id: "d".into(),
        provider: "openai".into(),
        api_base: "http://h/v1".into(),
        call_id: "c".into(),
        call_type: "acompletion".into(),
        hold: NanoUsd(9),
    }
}

pub fn writer(folder: &Path) -> JournalWriter {
    JournalWriter::new(folder.to_owned(), Arc::new(Syncer::default()))
}

fn read_all(folder: &Path, id: JournalId) -> Vec<(u64, Record)> {
    let mut segments = Segments::open(folder, id, 0);
    let mut records = Vec::new();
    while let Some(record) = segments.read().unwrap() {
        records.push(record);
    }
    records
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path());
    let (first, second) = (row(1), row(2));
    let place = writer.opened(&opened(&first));
    assert_eq!(writer.low_water(), 1);
    let other = writer.opened(&opened(&second));
    writer.settled(Some(place), first.clone());
    assert_eq!(writer.low_water(), 2, "the second call is open");
    writer.write_out().unwrap();
    writer.settled(Some(other), second.clone());
    assert_eq!(writer.low_water(), 5);
    writer.write_out().unwrap();
    let records = read_all(folder.path(), writer.id());
    let sequences: Vec<u64> = records.iter().map(|(sequence, _)| *sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4]);
    assert_eq!(records[2].1, Record::Settled(Box::new(first)));
    assert_eq!(records[3].1, Record::Settled(Box::new(second)));
    let handed: Vec<u64> = writer
        .take_settled()
        .iter()
        .map(|row| row.sequence)
        .collect();
    assert_eq!(handed, [3, 4]);
    let found = journals(folder.path()).unwrap();
    assert_eq!(found.get(&writer.id()), Some(&vec![0]));
}

#[test]
fn a_torn_tail_is_cut_wherever_it_tears() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path());
    writer.settled(None, row(1));
    writer.write_out().unwrap();
    let path = Segments::path(folder.path(), &writer.id(), 0);
    let whole = fs::metadata(&path).unwrap().len() as usize;
    writer.settled(None, row(2));
    writer.write_out().unwrap();
    let bytes = fs::read(&path).unwrap();
    for length in 0..=bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        let expected = usize::from(length >= whole) + usize::from(length == bytes.len());
        assert_eq!(
            read_all(folder.path(), writer.id()).len(),
            expected,
            "cut at {length}"
        );
    }
    // A flipped bit ends the journal there.
    let mut damaged = bytes.clone();
    damaged[whole + 20] ^= 1;
    fs::write(&path, &damaged).unwrap();
    assert_eq!(read_all(folder.path(), writer.id()).len(), 1);
}

#[test]
fn a_long_call_does_not_pin_the_segments_since_it_began() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path());
    let long = row(1);
    let place = writer.opened(&opened(&long));
    writer.write_out().unwrap();
    writer.fill_segment();
    writer.settled(None, row(2));
    writer.write_out().unwrap();
    assert_eq!(journals(folder.path()).unwrap()[&writer.id()], [0, 1]);
    assert!(
        writer.low_water() > 2,
        "the call was opened again in the second segment"
    );
    writer.settled(Some(place), long.clone());
    writer.write_out().unwrap();
    // The first segment is not needed to know how the call ended.
    let mut second = Segments::open(folder.path(), writer.id(), 1);
    let mut seen = Vec::new();
    while let Some((_, record)) = second.read().unwrap() {
        seen.push(match record {
            Record::Opened(opened) => ("opened", opened.ledger_id),
            Record::Settled(row) => ("settled", row.ledger_id),
        });
    }
    assert!(seen.contains(&("opened", long.ledger_id)), "{seen:?}");
    assert_eq!(seen.last(), Some(&("settled", long.ledger_id)));
}

#[test]
fn a_disk_that_refuses_keeps_the_records() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("gone");
    let mut writer = writer(&missing);
    writer.settled(None, row(1));
    assert!(writer.write_out().is_err());
    assert!(
        writer
            .health()
            .failing
            .load(std::sync::atomic::Ordering::Relaxed)
    );
    fs::create_dir(&missing).unwrap();
    writer.write_out().unwrap();
    assert!(
        !writer
            .health()
            .failing
            .load(std::sync::atomic::Ordering::Relaxed)
    );
    assert_eq!(read_all(&missing, writer.id()).len(), 1);
}

/// Journals of the version before are read by this one: nothing is lost at an upgrade.
#[test]
fn rows_that_name_no_budgets_are_read() {
    use super::record::{FRAME, body_length, read, write_settled};
    let sent = row(7);
    let mut bytes = Vec::new();
    write_settled(&mut bytes, 3, &sent);
    // The last byte is the empty list of budgets; the kind stands behind the sequence number.
    bytes.pop();
    bytes[FRAME + 8] = 3;
    let length = (bytes.len() - FRAME) as u32;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    let crc = crc32fast::hash(&bytes[FRAME..]);
    bytes[4..FRAME].copy_from_slice(&crc.to_le_bytes());
    let (frame, body) = bytes.split_first_chunk::<FRAME>().unwrap();
    assert_eq!(body_length(*frame), Some(body.len()));
    assert_eq!(
        read(*frame, body),
        Some((3, Record::Settled(Box::new(sent))))
    );
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let folder = tempfile::tempdir().unwrap();
        let id = [7; 16];
        fs::write(Segments::path(folder.path(), &id, 0), bytes).unwrap();
        read_all(folder.path(), id);
    }
}
