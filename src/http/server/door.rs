//! A client's connection: its bytes pass through, and what happens to them is noted.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::visitors::Visit;

/// See the module.
pub struct Door {
    stream: Stream,
    pub visit: Rc<Visit>,
}

pub enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Door {
    pub fn new(stream: Stream, visit: Rc<Visit>) -> Self {
        Self { stream, visit }
    }

    /// An error once the connection has to go.
    fn stay(&self, context: &Context<'_>) -> io::Result<()> {
        if self.visit.is_over(context) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    fn noted(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending => self.visit.stalled(),
            Poll::Ready(_) => self.visit.told(),
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
        let before = buffer.filled().len();
        let read = stream!(self.poll_read(context, buffer));
        let came = buffer.filled().len() - before;
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
        self.noted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stay(context)?;
        let written = stream!(self.poll_write_vectored(context, slices));
        self.noted(written)
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
