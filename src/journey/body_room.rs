//! How many bytes of request bodies the whole process holds at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The room for bodies, shared by all threads.
#[derive(Debug)]
pub struct BodyRoom {
    free: AtomicUsize,
}

/// There is no room left.
#[derive(Debug, PartialEq, Eq)]
pub struct NoRoom;

/// What one body has taken; given back on drop.
#[derive(Debug)]
pub struct Share {
    room: Arc<BodyRoom>,
    taken: usize,
}

impl BodyRoom {
    /// Room for `bytes`.
    pub fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            free: AtomicUsize::new(bytes),
        })
    }

    /// A share of nothing.
    pub fn share(self: &Arc<Self>) -> Share {
        Share {
            room: self.clone(),
            taken: 0,
        }
    }
}

impl Share {
    /// Takes `bytes` more, or nothing.
    pub fn grow(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let less = |free: usize| free.checked_sub(bytes);
        // The figure alone is shared, no other memory: no order is needed.
        self.room
            .free
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .map_err(|_| NoRoom)?;
        self.taken += bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.taken > 0 {
            self.room.free.fetch_add(self.taken, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_and_given_back() {
        let room = BodyRoom::new(100);
        let (mut one, mut other) = (room.share(), room.share());
        one.grow(60).unwrap();
        assert_eq!(other.grow(41), Err(NoRoom));
        other.grow(40).unwrap();
        assert_eq!(one.grow(1), Err(NoRoom));
        drop(one);
        other.grow(60).unwrap();
        assert_eq!(other.grow(usize::MAX), Err(NoRoom));
        drop(other);
        assert_eq!(room.free.load(Ordering::Relaxed), 100);
    }
}
