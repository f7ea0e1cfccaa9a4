//! Asking for the configuration to be read again, and how that went the last time. Who reads it is decided where the process
//! is put together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use actix::Message;
use arc_swap::ArcSwap;

use crate::config::Difference;

/// Reads the configuration and puts it in force, as a whole or not at all.
#[derive(Message)]
#[rtype(result = "Result<Arc<Difference>, Rejected>")]
pub struct ReloadConfig {
    /// For the log: who asked.
    pub by: &'static str,
}

/// The configuration in force stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// One a problem, with file and line where there is one. No secrets.
    pub complaints: Vec<String>,
}

/// Readable from any thread. Times are seconds since the Unix epoch.
#[derive(Debug)]
pub struct ReloadStatus {
    /// When what is in force was read.
    accepted_at: AtomicU64,
    accepted: AtomicU64,
    rejected_at: AtomicU64,
    rejected: AtomicU64,
    /// What is wrong with the newest file; empty: it is in force.
    complaints: ArcSwap<Vec<String>>,
}

impl ReloadStatus {
    /// The configuration of the start is in force.
    pub fn new() -> Self {
        Self {
            accepted_at: AtomicU64::new(now()),
            accepted: AtomicU64::new(0),
            rejected_at: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            complaints: ArcSwap::default(),
        }
    }

    pub fn accept(&self) {
        self.accepted_at.store(now(), Ordering::Relaxed);
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.complaints.store(Arc::default());
    }

    pub fn reject(&self, rejected: &Rejected) {
        self.rejected_at.store(now(), Ordering::Relaxed);
        self.rejected.fetch_add(1, Ordering::Relaxed);
        self.complaints.store(Arc::new(rejected.complaints.clone()));
    }

    pub fn accepted_at(&self) -> u64 {
        self.accepted_at.load(Ordering::Relaxed)
    }

    /// 0: never.
    pub fn rejected_at(&self) -> u64 {
        self.rejected_at.load(Ordering::Relaxed)
    }

    /// Reloads since the start that took effect, or changed nothing.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    pub fn rejected(&self) -> u64 {
        self.rejected.load(Ordering::Relaxed)
    }

    /// What is wrong with the newest file; empty: it is in force.
    pub fn complaints(&self) -> Arc<Vec<String>> {
        self.complaints.load_full()
    }
}

impl Default for ReloadStatus {
    fn default() -> Self {
        Self::new()
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
