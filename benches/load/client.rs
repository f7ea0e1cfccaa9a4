//! A lean HTTP/1.1 client: prepared bytes out, the least parsing in. One keep-alive connection.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const READ: usize = 16 << 10;
const MAX_HEADERS: usize = 64;

pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are used up.
    used: usize,
    /// Counts reads, so that a caller can tell what came together.
    reads: u64,
}

/// An answer's head.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    pub status: u16,
    /// `None` is chunked.
    length: Option<usize>,
}

// === impl Client ===

impl Client {
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
            used: 0,
            reads: 0,
        })
    }

    /// Sends a request and reads its whole answer; a status other than 200 is an error.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream_answer(request, |_, _| true).await
    }

    /// The same; `each` sees every piece of the body and the number of the read it came with, and may end it.
    pub async fn stream_answer(
        &mut self,
        request: &[u8],
        each: impl FnMut(&[u8], u64) -> bool,
    ) -> io::Result<()> {
        self.stream.write_all(request).await?;
        let head = self.head().await?;
        if head.status != 200 {
            return Err(io::Error::other(format!("status {}", head.status)));
        }
        self.body(head, each).await
    }

    async fn head(&mut self) -> io::Result<Head> {
        loop {
            let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut parsed = httparse::Response::new(&mut fields);
            let status = parsed.parse(&self.buffer[self.used..]).map_err(invalid)?;
            if let httparse::Status::Complete(length) = status {
                let known = parsed
                    .headers
                    .iter()
                    .find(|field| field.name.eq_ignore_ascii_case("content-length"));
                let known = known.map(|field| {
                    str::from_utf8(field.value)
                        .map_err(invalid)?
                        .parse()
                        .map_err(invalid)
                });
                let head = Head {
                    status: parsed.code.unwrap_or_default(),
                    length: known.transpose()?,
                };
                self.used += length;
                return Ok(head);
            }
            self.read().await?;
        }
    }

    async fn body(
        &mut self,
        head: Head,
        mut each: impl FnMut(&[u8], u64) -> bool,
    ) -> io::Result<()> {
        if let Some(length) = head.length {
            self.piece(length, &mut each).await?;
            return Ok(());
        }
        loop {
            let size = self.chunk_size().await?;
            if size > 0 && !self.piece(size, &mut each).await? {
                return Ok(());
            }
            // The line end after the chunk.
            self.piece(2, &mut |_, _| true).await?;
            if size == 0 {
                return Ok(());
            }
        }
    }

    /// Passes on `length` bytes as they come; whether the caller wants more.
    async fn piece(
        &mut self,
        length: usize,
        each: &mut impl FnMut(&[u8], u64) -> bool,
    ) -> io::Result<bool> {
        let mut left = length;
        while left > 0 {
            if self.used == self.buffer.len() {
                self.read().await?;
            }
            let here = &self.buffer[self.used..];
            let taken = here.len().min(left);
            let more = each(&here[..taken], self.reads);
            self.used += taken;
            left -= taken;
            if !more {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn chunk_size(&mut self) -> io::Result<usize> {
        loop {
            let parsed = httparse::parse_chunk_size(&self.buffer[self.used..]);
            match parsed.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))? {
                httparse::Status::Complete((start, size)) => {
                    self.used += start;
                    return usize::try_from(size).map_err(invalid);
                }
                httparse::Status::Partial => self.read().await?,
            }
        }
    }

    async fn read(&mut self) -> io::Result<()> {
        if self.used == self.buffer.len() {
            self.buffer.clear();
            self.used = 0;
        }
        self.buffer.reserve(READ);
        self.reads += 1;
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

fn invalid(why: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
