//! What a dead process left behind: journals whose rows may not be booked, calls that never ended.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::backlog::remove;
use super::journal::{
    FOLDER, JournalId, Opened, Record, Segments, Unreadable, damaged_name, journals,
};
use crate::store::messages::{FlushSpend, ForgetCheckpoints, ReadCheckpoints};
use crate::store::{FlushBatch, FlushItem, FlushReport, Store, StoreError, ask};
use crate::types::{CallStatus, SpendRow, Usage};

/// Rows of one transaction at most.
const BATCH: usize = 1_000;

/// The ledger cannot be brought up to date, so nothing may be served.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    #[error("the journal folder cannot be read: {0}")]
    Journal(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Books what the journals of dead processes hold and deletes them. Call it before serving; answers the rows booked.
///
/// Idempotent: rows are numbered by their journal, and the database remembers how far it got.
pub async fn recover(store: &Store, data_dir: &Path) -> Result<u64, RecoveryError> {
    let folder = data_dir.join(FOLDER);
    let found = journals(&folder)?;
    let ids: Vec<JournalId> = found.keys().copied().collect();
    let replayed = replay_all(store, data_dir, &found, Open::IsInterrupted).await?;
    for (journal, segments) in &found {
        for segment in segments {
            let path = Segments::path(&folder, journal, *segment);
            if replayed.damaged.contains(&(*journal, *segment)) {
                set_aside(&path);
            } else {
                remove(&path);
            }
        }
    }
    if !ids.is_empty() {
        ask(&store.ledger, ForgetCheckpoints { journals: ids }).await?;
    }
    Ok(replayed.rows)
}

/// Books the settled rows of journals that may still be written: nothing is deleted, and a call that is open may yet end.
pub async fn book_settled(store: &Store, data_dir: &Path) -> Result<u64, RecoveryError> {
    let found = journals(&data_dir.join(FOLDER))?;
    Ok(replay_all(store, data_dir, &found, Open::MayEnd)
        .await?
        .rows)
}

/// Keeps a segment that holds what is no record: bytes of a ledger are not deleted because they cannot be read.
fn set_aside(path: &Path) {
    let aside = damaged_name(path);
    log::error!(
        "journal: {} is damaged; what follows the damage was not booked, and the file is kept as {}",
        path.display(),
        aside.display()
    );
    if let Err(error) = std::fs::rename(path, &aside) {
        log::error!("journal: {} cannot be renamed: {error}", path.display());
    }
}

/// What an `Opened` without its `Settled` means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    IsInterrupted,
    MayEnd,
}

async fn replay_all(
    store: &Store,
    data_dir: &Path,
    found: &BTreeMap<JournalId, Vec<u32>>,
    open: Open,
) -> Result<Replayed, RecoveryError> {
    let journals = found.keys().copied().collect();
    let booked: BTreeMap<JournalId, u64> = ask(&store.ledger, ReadCheckpoints { journals })
        .await?
        .into_iter()
        .collect();
    let mut replayed = Replayed::default();
    for (journal, segments) in found {
        let first = segments.first().copied().unwrap_or(0);
        let from = booked.get(journal).copied().unwrap_or(0);
        replay(store, data_dir, *journal, first, from, open, &mut replayed).await?;
    }
    Ok(replayed)
}

/// What came of reading journals.
#[derive(Default)]
struct Replayed {
    /// Rows booked.
    rows: u64,
    /// Segments with bytes that are no records, other than a last one that is not whole.
    damaged: BTreeSet<(JournalId, u32)>,
}

async fn replay(
    store: &Store,
    data_dir: &Path,
    journal: JournalId,
    first: u32,
    from: u64,
    when_open: Open,
    replayed: &mut Replayed,
) -> Result<(), RecoveryError> {
    let mut segments = Segments::open(&data_dir.join(FOLDER), journal, first);
    let mut open: BTreeMap<[u8; 16], (u64, Opened)> = BTreeMap::new();
    let mut batch = Vec::new();
    let mut last = 0;
    while let Some((seq, record)) = segments.read()? {
        last = seq;
        match record {
            Record::Opened(opened) => {
                open.insert(*opened.ledger_id.as_bytes(), (seq, opened));
            }
            Record::Settled(row) => {
                open.remove(row.ledger_id.as_bytes());
                if seq > from {
                    batch.push(FlushItem {
                        journal,
                        seq,
                        row: *row,
                    });
                }
            }
        }
        if batch.len() == BATCH {
            replayed.rows += book(store, std::mem::take(&mut batch)).await?;
        }
    }
    // Numbered behind everything that was written, in the order they began: the same numbers should this be repeated.
    let mut interrupted: Vec<(u64, Opened)> = match when_open {
        Open::IsInterrupted => open.into_values().collect(),
        Open::MayEnd => Vec::new(),
    };
    interrupted.sort_by_key(|(seq, _)| *seq);
    for (_, opened) in interrupted {
        last += 1;
        if last > from {
            batch.push(FlushItem {
                journal,
                seq: last,
                row: interrupted_row(opened),
            });
        }
    }
    for chunk in batch.chunks(BATCH) {
        replayed.rows += book(store, chunk.to_vec()).await?;
    }
    let damaged = segments
        .unread()
        .iter()
        .filter(|end| end.why == Unreadable::Damaged);
    replayed
        .damaged
        .extend(damaged.map(|end| (journal, end.segment)));
    Ok(())
}

async fn book(store: &Store, items: Vec<FlushItem>) -> Result<u64, StoreError> {
    if items.is_empty() {
        return Ok(0);
    }
    let batch = Arc::new(FlushBatch {
        items,
        checkpoints: Vec::new(),
    });
    let report = ask(
        &store.ledger,
        FlushSpend {
            batch: batch.clone(),
        },
    )
    .await?;
    tell_refused(&batch.items, &report);
    Ok(report.applied as u64)
}

/// A call whose end nobody saw: what it cost is not known, so nothing is charged.
fn interrupted_row(opened: Opened) -> SpendRow {
    SpendRow {
        ledger_id: opened.ledger_id,
        key_hash: opened.key_hash,
        user_id: opened.user_id,
        team_id: opened.team_id,
        end_user: None,
        started_at: opened.started_at,
        ended_at: opened.started_at,
        first_token_at: None,
        call_type: opened.call_type,
        status: CallStatus::Interrupted,
        model: opened.model,
        model_group: opened.model_group,
        model_id: opened.model_id,
        provider: opened.provider,
        api_base: opened.api_base,
        spend: crate::types::NanoUsd(0),
        cost: Default::default(),
        usage: Usage::default(),
        usage_estimated: true,
        request_id: opened.call_id.clone(),
        call_id: opened.call_id,
        retries: 0,
        http_status: 0,
        error_class: None,
        client_ip: None,
        user_agent: None,
        labels: None,
        budgets: Vec::new(),
    }
}

/// Tells of rows that the database refused; it keeps them in a table of their own.
pub(super) fn tell_refused(items: &[FlushItem], report: &FlushReport) {
    for refused in &report.refused {
        if let Some(item) = items.get(refused.index) {
            log::error!(
                "ledger: row {} was refused and is kept in rejected_spend, its money {}: {}",
                item.row.ledger_id,
                if refused.booked {
                    "is booked"
                } else {
                    "is not booked"
                },
                refused.reason
            );
        }
    }
}
