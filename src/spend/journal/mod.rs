//! The journal: what was spent, on disk before the answer's last byte leaves, long before the database knows.
//!
//! Each worker thread appends to its own journal (`writer`), named by a random id and split into segments. A record has a
//! length, a CRC and a sequence number (`record`); a torn tail is cut when a journal is read (`reader`). Content never enters
//! it. `Opened` tells that a call went upstream, `Settled` carries its spend row; an `Opened` that found no `Settled` before
//! the process died becomes a row with status `interrupted`.

mod reader;
mod record;
mod sync;
#[cfg(test)]
pub(super) mod tests;
mod writer;

pub use reader::{Segments, Unread, Unreadable, damaged, damaged_name, journals};
pub use record::{Opened, Record};
pub use sync::{JournalHealth, Syncer};
pub use writer::{Appended, JournalWriter, Settled};

/// Names one journal: random, so that a checkpoint in the database can never mean another one.
pub type JournalId = [u8; 16];

/// A segment is closed when it reaches this size.
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// The folder of the journals inside the data directory.
pub const FOLDER: &str = "journal";

pub(super) fn hex(id: &JournalId) -> String {
    uuid::Uuid::from_bytes(*id).simple().to_string()
}
