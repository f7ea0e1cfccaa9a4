//! A request body as awc wants it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use awc::body::{BodySize, MessageBody};
use bytes::Bytes;

use crate::types::Pieces;

/// What is handed to the connection at once. awc copies it into a buffer of its own, which it makes anew for each request:
/// with its head this stays within 32 KB, the largest size that the allocator keeps at hand.
const AT_ONCE: usize = 24 * 1024;

pub struct Body {
    left: Pieces,
}

impl From<Pieces> for Body {
    fn from(left: Pieces) -> Self {
        Self { left }
    }
}

impl MessageBody for Body {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.left.len() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(self.left.take(AT_ONCE).map(Ok))
    }
}
