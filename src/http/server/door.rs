//! A client's connection: its bytes pass through, and what happens to them is noted.
//!
//! A client is read no faster than it takes its answers: what is read of requests that nobody answers yet is kept in memory, a
//! hundred times as large as on the wire.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::visitors::Visit;

/// Bytes that are read at a time while no request is being answered: requests that came together are answered before more are
/// read.
const AT_ONCE: usize = 16 * 1024;

/// See the module.
pub struct Door {
    stream: Stream,
    pub visit: Rc<Visit>,
    /// Bytes read since the reader was last told to wait.
    read: usize,
    /// The reader waits until something can be written.
    waits_for_writing: bool,
}

pub enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Door {
    pub fn new(stream: Stream, visit: Rc<Visit>) -> Self {
        Self {
            stream,
            visit,
            read: 0,
            waits_for_writing: false,
        }
    }

    /// An error once the connection has to go.
    fn stay(&self, context: &Context<'_>) -> io::Result<()> {
        if self.visit.is_over(context) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    /// Whether it is not the time to read; then the reader is woken when it is.
    fn holds_back(&mut self, context: &Context<'_>) -> bool {
        if self.visit.is_stalled() {
            self.waits_for_writing = true;
            return true;
        }
        let is_much = self.read >= AT_ONCE && !self.visit.is_busy();
        if is_much {
            self.read = 0;
            context.waker().wake_by_ref();
        }
        is_much
    }

    fn noted(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending => self.visit.stalled(),
            Poll::Ready(_) => {
                self.visit.told();
                if std::mem::take(&mut self.waits_for_writing) {
                    context.waker().wake_by_ref();
                }
            }
        }
        written
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.visit.leave();
    }
}

/// Calls a method of the stream that is there.
macro_rules! stream {
    ($door:ident.$method:ident($($argument:expr),*)) => {
        match &mut $door.stream {
            Stream::Plain(stream) => Pin::new(stream).$method($($argument),*),
            Stream::Tls(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Door {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stay(context)?;
        if self.holds_back(context) {
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = stream!(self.poll_read(context, buffer));
        let came = buffer.filled().len() - before;
        self.read = match read {
            Poll::Ready(_) => self.read + came,
            Poll::Pending => 0,
        };
        if came > 0 {
            self.visit.heard(came);
        }
        read
    }
}

impl AsyncWrite for Door {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stay(context)?;
        let written = stream!(self.poll_write(context, bytes));
        self.noted(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stay(context)?;
        let written = stream!(self.poll_write_vectored(context, slices));
        self.noted(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        stream!(self.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        stream!(self.poll_shutdown(context))
    }
}
