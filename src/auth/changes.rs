//! What has changed in the store, told to every worker thread.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::types::KeyHash;

/// Changes that are remembered. A thread that missed more forgets all it knows.
const REMEMBERED: usize = 1024;

/// Something that callers are made of was written: the next request must see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A key was made, changed, regenerated or deleted.
    Key(KeyHash),
    User(Arc<str>),
    Team(Arc<str>),
}

/// A numbered log of changes, shared by all threads. Looking whether there is a new one costs one load; the lock is taken
/// only when there is.
#[derive(Debug, Default)]
pub struct Changes {
    count: AtomicU64,
    recent: Mutex<VecDeque<Change>>,
}

impl Changes {
    /// Tells all threads. Call it when the change is committed, before answering whoever asked for it.
    pub fn tell(&self, change: Change) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == REMEMBERED {
            recent.pop_front();
        }
        recent.push_back(change);
        self.count.fetch_add(1, Ordering::Release);
    }

    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// The changes after the first `seen`, and their number now; `None` in place of the changes when they are too many.
    pub(super) fn since(&self, seen: u64) -> (Option<Vec<Change>>, u64) {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        // Only whoever holds the lock counts on.
        let count = self.count();
        let missed = usize::try_from(count.saturating_sub(seen)).unwrap_or(usize::MAX);
        let changes = recent
            .len()
            .checked_sub(missed)
            .map(|known| recent.iter().skip(known).cloned().collect());
        (changes, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: usize) -> Change {
        Change::Key(KeyHash::of(&n.to_string()))
    }

    #[test]
    fn each_change_is_told_once_and_too_many_mean_all() {
        let changes = Changes::default();
        assert_eq!(changes.since(0), (Some(vec![]), 0));
        changes.tell(key(1));
        changes.tell(Change::Team("t".into()));
        assert_eq!(
            changes.since(0),
            (Some(vec![key(1), Change::Team("t".into())]), 2)
        );
        assert_eq!(changes.since(1), (Some(vec![Change::Team("t".into())]), 2));
        assert_eq!(changes.since(2), (Some(vec![]), 2));
        for n in 0..REMEMBERED {
            changes.tell(key(n));
        }
        assert_eq!(changes.since(1).0, None);
        assert_eq!(changes.since(2).0.map(|all| all.len()), Some(REMEMBERED));
    }
}
