//! Large request bodies' memory, used again.

use std::cell::RefCell;

use bytes::{Bytes, BytesMut};

/// Smaller ones are the allocator's business: it keeps them at hand.
const LEAST: usize = 32 * 1024;
/// Larger ones are rare, and too much to keep.
const LARGEST: usize = 512 * 1024;
/// Most that one thread keeps.
const MOST: usize = 8;

/// One thread's buffers. A large buffer's pages would else be fetched from the system, zeroed, and given back, body by body:
/// that costs as much as filling them.
#[derive(Default)]
pub struct Buffers {
    idle: RefCell<Vec<BytesMut>>,
}

impl Buffers {
    /// An empty buffer with room for `size` bytes.
    pub fn take(&self, size: usize) -> BytesMut {
        if (LEAST..=LARGEST).contains(&size) {
            let mut idle = self.idle.borrow_mut();
            let fits = idle.iter().position(|buffer| buffer.capacity() >= size);
            if let Some(fits) = fits {
                return idle.swap_remove(fits);
            }
        }
        BytesMut::with_capacity(size)
    }

    /// Keeps the memory of `body`, unless somebody still reads it.
    pub fn give_back(&self, body: Bytes) {
        if body.len() < LEAST {
            return;
        }
        let Ok(mut buffer) = body.try_into_mut() else {
            return;
        };
        buffer.clear();
        let mut idle = self.idle.borrow_mut();
        if idle.len() < MOST && buffer.capacity() <= 2 * LARGEST {
            idle.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_serves_again_when_nobody_reads_it() {
        let buffers = Buffers::default();
        let mut first = buffers.take(100_000);
        first.resize(100_000, b'x');
        let body = first.freeze();
        let at = body.as_ptr();
        let reader = body.clone();
        buffers.give_back(body);
        assert_ne!(buffers.take(100_000).as_ptr(), at);
        buffers.give_back(reader);
        let again = buffers.take(90_000);
        assert_eq!((again.as_ptr(), again.len()), (at, 0));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let buffers = Buffers::default();
        for _ in 0..50 {
            buffers.give_back(BytesMut::zeroed(LEAST).freeze());
        }
        assert_eq!(buffers.idle.borrow().len(), MOST);
        buffers.give_back(BytesMut::zeroed(10).freeze());
        assert!(buffers.take(LARGEST).capacity() >= LARGEST);
    }
}
