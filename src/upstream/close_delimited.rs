//! Answers of HTTP/1.1 that only the end of their connection ends.
//!
//! Without `Content-Length` and `Transfer-Encoding` a body goes on until the connection ends (RFC 9112, 6.3). actix-http
//! takes such an answer to have none, as it would be for a request, but reads those of HTTP/1.0 to the end and then closes
//! the connection, which is what has to be done. So their heads are shown to it as 1.0: one digit. Interim answers
//! (`100 Continue`, `103 Early Hints`), which actix-http takes for the final one, are left out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_rt::net::{ActixStream, Ready};
use memchr::memchr_iter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::wire::Wire;

/// Longer heads are handed on as they are: actix-http refuses them.
const MOST_HEAD_BYTES: usize = 128 * 1024;

/// A connection of HTTP/1.1 whose heads are looked at.
#[derive(Debug)]
pub struct Watched {
    wire: Wire,
    /// The next bytes are a head: a request was sent, and no answer has come.
    in_head: bool,
    /// What came of a head that is not whole, or what is to be handed on before all else.
    held: Vec<u8>,
    /// Bytes of `held` that were handed on; 0 while it is gathered.
    given: usize,
}

impl Watched {
    pub fn new(wire: Wire) -> Self {
        Self {
            wire,
            in_head: true,
            held: Vec::new(),
            given: 0,
        }
    }

    /// Hands on what is held.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) {
        let left = self.held.get(self.given..).unwrap_or_default();
        let now = left.len().min(buffer.remaining());
        buffer.put_slice(&left[..now]);
        self.given += now;
        if self.given >= self.held.len() {
            self.held = Vec::new();
            self.given = 0;
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if !this.in_head {
                if !this.held.is_empty() {
                    this.give(buffer);
                    return Poll::Ready(Ok(()));
                }
                return Pin::new(&mut this.wire).poll_read(context, buffer);
            }
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.wire).poll_read(context, buffer))?;
            let came = buffer.filled_mut().get_mut(before..).unwrap_or_default();
            // The usual case: nothing is held, and the head came whole.
            if this.held.is_empty() && looked_at(came) {
                this.in_head = false;
                return Poll::Ready(Ok(()));
            }
            let is_end = came.is_empty();
            this.held.extend_from_slice(came);
            buffer.set_filled(before);
            drop_interim(&mut this.held);
            if looked_at(&mut this.held) || is_end || this.held.len() > MOST_HEAD_BYTES {
                this.in_head = false;
            }
            if is_end && this.held.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// Whether a whole final head is at the beginning of `bytes`, which is then as actix-http wants it.
fn looked_at(bytes: &mut [u8]) -> bool {
    let Some(end) = head_end(bytes) else {
        return false;
    };
    let Some(status) = status(bytes) else {
        return true;
    };
    if is_interim(status) {
        return false;
    }
    let has_body = !matches!(status, 101 | 204 | 304);
    let head = bytes.get_mut(..end).unwrap_or_default();
    if has_body && !is_framed(head) && head.starts_with(b"HTTP/1.1") {
        head[7] = b'0';
    }
    true
}

/// Takes whole interim heads off the front.
fn drop_interim(bytes: &mut Vec<u8>) {
    while let Some(end) = head_end(bytes)
        && status(bytes).is_some_and(is_interim)
    {
        bytes.drain(..end);
    }
}

fn is_interim(status: u16) -> bool {
    (100..200).contains(&status) && status != 101
}

/// Where the first head ends: behind its empty line.
fn head_end(bytes: &[u8]) -> Option<usize> {
    memchr_iter(b'\n', bytes).find_map(|at| match bytes.get(at + 1..)? {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

fn status(head: &[u8]) -> Option<u16> {
    let digits = head.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Whether a header says where the body ends.
fn is_framed(head: &[u8]) -> bool {
    let mut line_starts = memchr_iter(b'\n', head).map(|at| at + 1);
    line_starts.any(|start| {
        let line = head.get(start..).unwrap_or_default();
        [&b"content-length"[..], b"transfer-encoding"]
            .iter()
            .any(|name| {
                let begins = line
                    .get(..name.len())
                    .is_some_and(|begin| begin.eq_ignore_ascii_case(name));
                let after = line.get(name.len()..).unwrap_or_default();
                begins && after.trim_ascii_start().starts_with(b":")
            })
    })
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.in_head = true;
        Pin::new(&mut self.wire).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.in_head = true;
        Pin::new(&mut self.wire).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }
}

impl ActixStream for Watched {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        self.wire.poll_read_ready(context)
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        self.wire.poll_write_ready(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::upstream::wire::Path;

    /// What a reader sees of `sent`, which comes in pieces of `size`.
    async fn seen(sent: &[u8], size: usize) -> Vec<u8> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mine = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (mut theirs, _) = listener.accept().await.unwrap();
        theirs.set_nodelay(true).unwrap();
        let sent = sent.to_vec();
        let sending = actix_rt::spawn(async move {
            for piece in sent.chunks(size) {
                theirs.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let mut watched = Watched::new(Wire::Plain(Path::Tcp(mine)));
        let mut seen = Vec::new();
        watched.read_to_end(&mut seen).await.unwrap();
        sending.await.unwrap();
        seen
    }

    #[actix_web::test]
    async fn heads_without_a_length() {
        for (sent, expected) in [
            (
                "HTTP/1.1 200 OK\r\na: b\r\n\r\nbody",
                "HTTP/1.0 200 OK\r\na: b\r\n\r\nbody",
            ),
            (
                "HTTP/1.1 200 OK\na: b\n\nbody\r\n\r\nHTTP/1.1",
                "HTTP/1.0 200 OK\na: b\n\nbody\r\n\r\nHTTP/1.1",
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-LENGTH : 4\r\n\r\nbody",
                "HTTP/1.1 200 OK\r\ncontent-LENGTH : 4\r\n\r\nbody",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
                "HTTP/1.1 200 OK\r\nTransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            ),
            (
                "HTTP/1.1 200 OK\r\nx: content-length: 4\r\n\r\nbody",
                "HTTP/1.0 200 OK\r\nx: content-length: 4\r\n\r\nbody",
            ),
            (
                "HTTP/1.1 204 No\r\na: b\r\n\r\n",
                "HTTP/1.1 204 No\r\na: b\r\n\r\n",
            ),
            (
                "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 H\r\nlink: x\r\n\r\nHTTP/1.1 500 E\r\na: b\r\n\r\nx",
                "HTTP/1.0 500 E\r\na: b\r\n\r\nx",
            ),
            ("HTTP/1.1 100 C\r\n\r\n", ""),
            ("HTTP/1.1 200 OK\r\na", "HTTP/1.1 200 OK\r\na"),
            ("SSH-2.0-x\r\n\r\n", "SSH-2.0-x\r\n\r\n"),
            ("", ""),
        ] {
            for size in [1, 3, 17, 1000] {
                let seen = seen(sent.as_bytes(), size).await;
                assert_eq!(
                    String::from_utf8_lossy(&seen),
                    expected,
                    "{sent:?} by {size}"
                );
            }
        }
    }

    #[actix_web::test]
    async fn endless_heads() {
        let sent = "x".repeat(MOST_HEAD_BYTES * 2);
        assert_eq!(seen(sent.as_bytes(), 10_000).await, sent.as_bytes());
    }
}
