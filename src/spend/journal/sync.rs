//! `fdatasync` of the journals, at most every 100 ms, on a thread of its own so that no worker waits for a disk.

use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

/// A power failure loses at most this much.
const INTERVAL: Duration = Duration::from_millis(100);

/// What the door asks before it lets a call in.
#[derive(Debug, Default)]
pub struct JournalHealth {
    /// The last write failed (disk full, …).
    pub failing: AtomicBool,
    /// Bytes in all journals on disk.
    pub bytes: AtomicU64,
    /// Journals that may still be written.
    pub writers: AtomicU64,
}

/// Knows the files that are being written.
#[derive(Debug, Default)]
pub struct Syncer {
    health: JournalHealth,
    dirty: AtomicBool,
    // Locked by the thread below and when a segment begins: never on the way of a request.
    files: Mutex<Vec<Weak<File>>>,
    /// Finished segments that still need their last sync.
    retired: Mutex<Vec<Arc<File>>>,
}

impl Syncer {
    /// Starts the thread; it ends when the last writer is gone.
    pub fn start() -> std::io::Result<Arc<Self>> {
        let syncer = Arc::new(Self::default());
        let watched = Arc::downgrade(&syncer);
        thread::Builder::new()
            .name("journal-sync".to_owned())
            .spawn(move || {
                while let Some(syncer) = watched.upgrade() {
                    syncer.sync();
                    drop(syncer);
                    thread::sleep(INTERVAL);
                }
            })?;
        Ok(syncer)
    }

    pub fn health(&self) -> &JournalHealth {
        &self.health
    }

    pub(super) fn watch(&self, file: &Arc<File>) {
        self.files
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::downgrade(file));
    }

    pub(super) fn retire(&self, file: Arc<File>) {
        self.retired
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(file);
    }

    pub(super) fn written(&self) {
        self.dirty.store(true, Ordering::Release);
    }

    /// Syncs what was written since the last time.
    pub fn sync(&self) {
        if !self.dirty.swap(false, Ordering::Acquire) {
            return;
        }
        let current: Vec<Arc<File>> = {
            let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            files.retain(|file| file.strong_count() > 0);
            files.iter().filter_map(Weak::upgrade).collect()
        };
        let retired =
            std::mem::take(&mut *self.retired.lock().unwrap_or_else(PoisonError::into_inner));
        for file in current.into_iter().chain(retired) {
            if let Err(error) = file.sync_data() {
                log::error!("journal: fdatasync failed: {error}");
            }
        }
    }
}
