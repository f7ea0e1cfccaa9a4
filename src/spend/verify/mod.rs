//! Whether the ledger holds what it promises: nothing lost, nothing twice, all sums the same.
//!
//! Called by `pointsman ledger verify` and by tests. Reads the whole database and all journals of a data directory and writes
//! nothing. A gateway may run meanwhile: the database is read first and in one snapshot, so that journals can only be further
//! than it, and what looks wrong because a segment was deleted under the reader is looked at again.

mod fault;
mod survey;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;

use super::journal::{FOLDER, JournalId, damaged, journals};
use crate::store::queries::{self, LedgerTotals};
use crate::store::{AnyConnection, StoreError};

pub use fault::{Fault, usd};
pub use survey::JournalState;
use survey::Survey;

/// Looks at a journal whose segments are being deleted.
const LOOKS: usize = 3;

/// The ledger could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("the journal folder cannot be read: {0}")]
    Journal(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Everything that was found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    pub totals: LedgerTotals,
    pub journals: Vec<JournalState>,
    pub faults: Vec<Fault>,
}

/// Looks the ledger of a data directory over. `conn` may have no statement time-out: every row is read.
pub fn verify(conn: &mut AnyConnection, data_dir: &Path) -> Result<Findings, VerifyError> {
    let totals = queries::ledger_totals(conn)?;
    let mut findings = Findings {
        faults: of_the_books(&totals),
        totals,
        ..Findings::default()
    };
    let folder = data_dir.join(FOLDER);
    let ids: Vec<JournalId> = match journals(&folder) {
        Ok(found) => found.into_keys().collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    if folder.is_dir() {
        let aside = damaged(&folder)?.into_iter();
        findings.faults.extend(aside.map(|path| Fault::SetAside {
            file: path.display().to_string(),
        }));
    }
    for id in ids {
        let checkpoint = findings.totals.checkpoints.get(&id).copied();
        for look in 1..=LOOKS {
            let found = journals(&folder)?;
            // Booked as a whole and deleted meanwhile.
            let Some(segments) = found.get(&id) else {
                break;
            };
            let mut survey = Survey::of(&folder, id, segments, checkpoint);
            survey.read(conn)?;
            if survey.faults.is_empty() || look == LOOKS {
                findings.journals.push(survey.state);
                findings.faults.append(&mut survey.faults);
                break;
            }
        }
    }
    Ok(findings)
}

fn of_the_books(totals: &LedgerTotals) -> Vec<Fault> {
    let mut faults = Vec::new();
    if totals.nameless > 0 {
        faults.push(Fault::Nameless {
            count: totals.nameless,
        });
    }
    faults.extend(totals.mismatches.iter().map(|found| Fault::Entity {
        entity: found.entity,
        id: found.id.clone(),
        booked: found.booked.0,
        logged: found.logged.0,
    }));
    faults.extend(totals.days.iter().map(|found| Fault::Day {
        day: date(found.day),
        summed: found.summed.0,
        logged: found.logged.0,
        counted: found.counted,
        rows: found.rows,
    }));
    faults
}

fn date(day: i64) -> String {
    let epoch = time::OffsetDateTime::UNIX_EPOCH;
    epoch
        .checked_add(time::Duration::days(day))
        .map_or_else(|| day.to_string(), |time| time.date().to_string())
}
