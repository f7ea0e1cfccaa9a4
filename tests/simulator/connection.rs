//! One connection: reads requests, plays the scripts of their answers, and notices at any moment when the peer leaves.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::CutWith;
use super::clock;
use super::ids::Stamp;
use super::record::{Hangup, Recorded};
use super::request::{self, BodyLength, Chunked, RequestHead};
use super::script::{Script, Step};
use super::shared::{InFlight, Planned, Shared};

const READ: usize = 16 << 10;

/// Serves a connection until either side ends it.
pub async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let number = shared.accepted.fetch_add(1, Ordering::Relaxed) + 1;
    shared.open.fetch_add(1, Ordering::Relaxed);
    let _open = Open(Arc::clone(&shared));
    let mut connection = Connection {
        stream,
        number,
        shared,
        inbox: Vec::new(),
        outbox: Vec::new(),
    };
    // An error here is a peer that left or spoke no HTTP; there is nobody to tell.
    while let Ok(End::KeepAlive) = connection.next().await {}
}

struct Connection {
    stream: TcpStream,
    number: u64,
    shared: Arc<Shared>,
    /// Bytes received and not yet used up.
    inbox: Vec<u8>,
    outbox: Vec<u8>,
}

/// How a request ended for its connection.
enum End {
    KeepAlive,
    Close,
    Reset,
}

/// Counts the connection as open while it lives.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts a request as held while it lives.
struct Held<'a>(&'a Shared);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl Connection ===

impl Connection {
    /// Reads one request and answers it.
    async fn next(&mut self) -> io::Result<End> {
        let (head, recording) = loop {
            let recording = self.shared.recording.load(Ordering::Relaxed);
            match request::head(&self.inbox, recording) {
                Ok(Some(head)) => break (head, recording),
                Ok(None) => self.read(READ).await?,
                Err(request::NotHttp) => return Ok(End::Close),
            }
        };
        if head.expects {
            self.stream
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
                .await?;
        }
        let keep_alive = head.keep_alive;
        let (chunked, end) = self.body(&head).await?;
        let body = chunked.as_deref().unwrap_or(&self.inbox[head.length..end]);
        let at = Instant::now();
        let number = self.shared.received.fetch_add(1, Ordering::Relaxed) + 1;
        let stamp = Stamp::new(number);
        let planned = self.shared.answer(&head, body, &stamp);
        if recording {
            self.shared.records.request(Recorded {
                number,
                method: head.method,
                path: head.path,
                headers: head.headers,
                body: body.to_vec(),
                connection: self.number,
                at,
                model: planned.model.clone(),
            });
        }
        self.inbox.drain(..end);
        let _in_flight = InFlight::new(planned.gauge.clone());
        let mut sent = 0;
        match self.play(&planned.script, &stamp, &mut sent).await {
            Ok(End::KeepAlive) if keep_alive && planned.script.keep_alive => Ok(End::KeepAlive),
            // Closing is what resets: an orderly shutdown before it would reach the peer first.
            Ok(End::Reset) => SockRef::from(&self.stream)
                .set_linger(Some(Duration::ZERO))
                .map(|()| End::Reset),
            Ok(_) => {
                self.stream.shutdown().await?;
                Ok(End::Close)
            }
            Err(gone) => {
                self.hung_up(&planned, number, at, sent);
                Err(gone)
            }
        }
    }

    /// Reads the whole body: what it decodes to if it is chunked, and where the request ends in the inbox.
    async fn body(&mut self, head: &RequestHead) -> io::Result<(Option<Vec<u8>>, usize)> {
        match head.body {
            BodyLength::Known(length) => {
                let end = head.length.saturating_add(length);
                while self.inbox.len() < end {
                    self.read(end - self.inbox.len()).await?;
                }
                Ok((None, end))
            }
            BodyLength::Chunked => {
                let mut chunked = Chunked::default();
                while !chunked
                    .advance(&self.inbox[head.length..])
                    .map_err(|_| io::ErrorKind::InvalidData)?
                {
                    self.read(READ).await?;
                }
                Ok((Some(chunked.body), head.length + chunked.taken))
            }
        }
    }

    async fn read(&mut self, expected: usize) -> io::Result<()> {
        self.inbox.reserve(expected.clamp(READ, 1 << 20));
        match self.stream.read_buf(&mut self.inbox).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Plays an answer; an error means that the peer left, `sent` counts what it was given until then.
    async fn play(&mut self, script: &Script, stamp: &Stamp, sent: &mut usize) -> io::Result<End> {
        let mut outbox = std::mem::take(&mut self.outbox);
        outbox.clear();
        outbox.extend_from_slice(&script.wire);
        script.marks.renew(&mut outbox, stamp);
        let mut due = Instant::now();
        for step in &script.steps {
            match step {
                Step::Send(range) => {
                    self.stream.write_all(&outbox[range.clone()]).await?;
                    *sent = range.end;
                    if *sent < outbox.len() {
                        // Others have their turn between two writes, as if each came from a machine of its own.
                        tokio::task::yield_now().await;
                    }
                }
                Step::Wait(pause) => {
                    due += *pause;
                    self.meanwhile(clock::sleep_until(due)).await?;
                }
                Step::Hold => {
                    self.hold().await?;
                    due = Instant::now();
                }
                Step::Silence => self.meanwhile(std::future::pending()).await?,
                Step::Close(CutWith::Fin) => return Ok(End::Close),
                Step::Close(CutWith::Rst) => return Ok(End::Reset),
            }
        }
        self.outbox = outbox;
        Ok(End::KeepAlive)
    }

    async fn hold(&mut self) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let mut releases = shared.releases.subscribe();
        shared.held.fetch_add(1, Ordering::Relaxed);
        let _held = Held(&shared);
        self.meanwhile(async {
            // An error would mean that the simulator is gone, and this task with it.
            let _ = releases.changed().await;
        })
        .await
    }

    /// Waits for `what`, unless the peer leaves first. What it sends meanwhile is its next request.
    async fn meanwhile(&mut self, what: impl Future<Output = ()>) -> io::Result<()> {
        let mut what = pin!(what);
        poll_fn(|cx| {
            if what.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            while self.stream.poll_read_ready(cx)?.is_ready() {
                self.inbox.reserve(READ);
                match self.stream.try_read_buf(&mut self.inbox) {
                    Ok(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            Poll::Pending
        })
        .await
    }

    fn hung_up(&self, planned: &Planned, request: u64, since: Instant, sent: usize) {
        let at = Instant::now();
        self.shared.records.hangup(Hangup {
            request,
            connection: self.number,
            model: planned.model.clone(),
            at,
            after: at - since,
            sent,
        });
    }
}
