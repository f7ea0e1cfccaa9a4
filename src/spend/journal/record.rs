//! The form of a record: `length u32, crc u32, sequence u64, kind u8, body`, little-endian, the body in postcard.
//!
//! The length counts everything behind the CRC, and the CRC covers it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::types::{KeyHash, LedgerId, NanoUsd, SpendRow};

/// A call went upstream. Carries what a row `interrupted` needs should its end never be written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    pub ledger_id: LedgerId,
    pub key_hash: KeyHash,
    pub user_id: Option<Arc<str>>,
    pub team_id: Option<Arc<str>>,
    /// Microseconds since the Unix epoch.
    pub started_at: i64,
    pub model: Arc<str>,
    pub model_group: Arc<str>,
    pub model_id: Arc<str>,
    pub provider: Arc<str>,
    pub api_base: Arc<str>,
    pub call_id: Arc<str>,
    /// As in a spend row.
    pub call_type: Arc<str>,
    /// What the budgets held for this call.
    pub hold: NanoUsd,
}

/// One entry of a journal.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    Opened(Opened),
    Settled(Box<SpendRow>),
}

const OPENED: u8 = 1;
/// 2 was a row without user agent and labels.
const SETTLED: u8 = 4;
/// A row that does not name its budgets.
const SETTLED_WITHOUT_BUDGETS: u8 = 3;
/// How an empty list of them is written.
const NO_BUDGETS: u8 = 0;
/// Sequence number and kind.
const PREFIX: usize = 9;
/// Length and CRC.
pub const FRAME: usize = 8;
/// No record comes near this; a larger length is a torn or foreign file.
const MAX_RECORD: usize = 1024 * 1024;

/// Appends an `Opened` record to `out`.
pub fn write_opened(out: &mut Vec<u8>, sequence: u64, opened: &Opened) {
    write(out, sequence, OPENED, opened);
}

/// Appends a `Settled` record to `out`.
pub fn write_settled(out: &mut Vec<u8>, sequence: u64, row: &SpendRow) {
    write(out, sequence, SETTLED, row);
}

fn write(out: &mut Vec<u8>, sequence: u64, kind: u8, body: &impl Serialize) {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME]);
    out.extend_from_slice(&sequence.to_le_bytes());
    out.push(kind);
    // Rows hold nothing that postcard refuses, and a Vec does not run full.
    if postcard::to_io(body, &mut *out).is_err() {
        out.truncate(start);
        return;
    }
    let length = out.len() - start - FRAME;
    debug_assert!(length <= MAX_RECORD, "texts in rows are bounded");
    let crc = crc32fast::hash(&out[start + FRAME..]);
    out[start..start + 4].copy_from_slice(&(length as u32).to_le_bytes());
    out[start + 4..start + FRAME].copy_from_slice(&crc.to_le_bytes());
}

/// The length of the record that begins with `frame`, without the frame itself; `None` when no record can have it.
pub fn body_length(frame: [u8; FRAME]) -> Option<usize> {
    let length = u32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]) as usize;
    (PREFIX..=MAX_RECORD).contains(&length).then_some(length)
}

/// Reads the record behind `frame`: `None` when it is torn or damaged.
pub fn read(frame: [u8; FRAME], bytes: &[u8]) -> Option<(u64, Record)> {
    let crc = u32::from_le_bytes([frame[4], frame[5], frame[6], frame[7]]);
    if crc32fast::hash(bytes) != crc {
        return None;
    }
    let (sequence, rest) = bytes.split_first_chunk::<8>()?;
    let (kind, body) = rest.split_first()?;
    let record = match *kind {
        OPENED => Record::Opened(postcard::from_bytes(body).ok()?),
        SETTLED => Record::Settled(postcard::from_bytes(body).ok()?),
        SETTLED_WITHOUT_BUDGETS => {
            let whole = [body, &[NO_BUDGETS]].concat();
            Record::Settled(postcard::from_bytes(&whole).ok()?)
        }
        _ => return None,
    };
    Some((u64::from_le_bytes(*sequence), record))
}
