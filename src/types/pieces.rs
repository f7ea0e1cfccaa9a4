//! Bytes in pieces, so that what is only forwarded is not copied.

use bytes::{Bytes, BytesMut};

/// Below this size a range is copied: a piece of its own costs more.
const LEAST_SHARED: usize = 8 * 1024;

/// A text in order, some of it shared with where it came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pieces {
    pieces: Vec<Bytes>,
}

impl Pieces {
    /// Length of all pieces together, in bytes.
    pub fn len(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Everything as one buffer; shared when there is one piece only.
    pub fn to_bytes(&self) -> Bytes {
        match self.pieces.as_slice() {
            [one] => one.clone(),
            many => many.concat().into(),
        }
    }

    /// The next `most` bytes at most, taken off the front; `None` at the end.
    pub fn take(&mut self, most: usize) -> Option<Bytes> {
        // Few pieces: shifting them costs nothing.
        let first = self.pieces.first_mut()?;
        if first.len() > most {
            return Some(first.split_to(most));
        }
        Some(self.pieces.remove(0))
    }
}

impl From<Bytes> for Pieces {
    fn from(bytes: Bytes) -> Self {
        Self {
            pieces: if bytes.is_empty() {
                Vec::new()
            } else {
                vec![bytes]
            },
        }
    }
}

/// Puts [`Pieces`] together: small texts are gathered, large ranges of a buffer shared.
#[derive(Debug)]
pub struct PiecesBuilder {
    done: Vec<Bytes>,
    open: BytesMut,
}

impl PiecesBuilder {
    /// `copied` is about how many bytes will be copied.
    pub fn with_capacity(copied: usize) -> Self {
        Self {
            done: Vec::new(),
            open: BytesMut::with_capacity(copied),
        }
    }

    /// Appends a copy of `text`.
    pub fn put(&mut self, text: &[u8]) {
        self.open.extend_from_slice(text);
    }

    /// Appends a range of `source`, which must lie within it; large ones are shared.
    pub fn keep(&mut self, source: &Bytes, range: std::ops::Range<usize>) {
        if range.len() < LEAST_SHARED {
            return self.put(&source[range]);
        }
        self.close();
        self.done.push(source.slice(range));
    }

    /// The last byte.
    pub fn last(&self) -> Option<u8> {
        let last = self.open.last();
        last.or_else(|| self.done.last()?.last()).copied()
    }

    /// Takes the last byte off.
    pub fn pop(&mut self) {
        if !self.open.is_empty() {
            self.open.truncate(self.open.len() - 1);
        } else if let Some(last) = self.done.last_mut() {
            last.truncate(last.len().saturating_sub(1));
            if last.is_empty() {
                self.done.pop();
            }
        }
    }

    pub fn finish(mut self) -> Pieces {
        self.close();
        Pieces { pieces: self.done }
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.done.push(self.open.split().freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_large_range_is_shared_and_a_small_one_is_not() {
        let source = Bytes::from(vec![b'x'; 3 * LEAST_SHARED]);
        let mut builder = PiecesBuilder::with_capacity(16);
        builder.put(b"{");
        builder.keep(&source, 0..2 * LEAST_SHARED);
        builder.keep(&source, 0..10);
        let pieces = builder.finish();
        assert_eq!(pieces.pieces.len(), 3);
        assert_eq!(pieces.pieces[1].as_ptr(), source.as_ptr());
        assert_eq!(pieces.len(), 1 + 2 * LEAST_SHARED + 10);
    }

    proptest! {
        #[test]
        fn pieces_are_the_text_however_it_is_put_and_taken(
            steps in prop::collection::vec((any::<bool>(), 0_usize..20_000, 0_usize..20_000), 0..8),
            most in 1_usize..30_000,
            pops in 0_usize..3,
        ) {
            let source: Bytes = (0..40_000_u32).map(|n| n as u8).collect();
            let mut builder = PiecesBuilder::with_capacity(0);
            let mut expected = Vec::new();
            for (shared, from, length) in steps {
                let range = from..from + length;
                expected.extend_from_slice(&source[range.clone()]);
                if shared { builder.keep(&source, range) } else { builder.put(&source[range]) }
                for _ in 0..pops {
                    prop_assert_eq!(builder.last(), expected.last().copied());
                    builder.pop();
                    expected.pop();
                }
            }
            let mut pieces = builder.finish();
            prop_assert_eq!(&pieces.to_bytes()[..], &expected[..]);
            let mut taken = Vec::new();
            while let Some(piece) = pieces.take(most) {
                prop_assert!(!piece.is_empty() && piece.len() <= most);
                taken.extend_from_slice(&piece);
            }
            prop_assert_eq!(taken, expected);
        }
    }
}
