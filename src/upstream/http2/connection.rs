//! One connection: how many streams it may carry, whether it lives.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{Ping, PingPong};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::origin::Origin;
use crate::upstream::wire::Wire;

/// Streams on one connection at most, whatever the peer allows: what is lost on the way holds all of them up.
pub const MOST_STREAMS: usize = 100;
/// What a peer may send on one stream before we have read it: so much a client that stops reading costs.
const STREAM_WINDOW: u32 = 128 * 1024;
/// All streams may be full without holding another up.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * MOST_STREAMS as u32;
const MOST_HEADER_BYTES: u32 = 128 * 1024;
/// Streams we have ended early and of which frames may still be on their way.
const RESET_STREAMS: usize = 1024;
/// How often a connection with calls on it is asked whether it lives; it has as long to answer.
const PING: Duration = Duration::from_secs(15);
/// Idle connections are closed, as those of HTTP/1.1.
const IDLE: Duration = Duration::from_secs(55);
/// Old ones take no new calls, so that changes of names take effect.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// See the module.
pub struct Connection {
    pub sender: SendRequest<Bytes>,
    state: Rc<State>,
}

struct State {
    born: Instant,
    used: Cell<Instant>,
    streams: Cell<usize>,
    /// What the peer allows. 1 until it has said so.
    limit: Cell<usize>,
    is_settled: Cell<bool>,
    /// No new calls: the peer goes away, or the connection has died.
    is_closing: Cell<bool>,
    /// Calls so far.
    served: Cell<u64>,
}

/// A stream's place on a connection, given back on drop.
pub struct Slot {
    pub connection: Rc<Connection>,
    origin: Weak<Origin>,
    /// Earlier calls have used the connection, so that it may have died unnoticed.
    pub is_reused: bool,
}

impl Connection {
    /// Speaks first and starts what keeps the connection going. Ends with the last handle.
    pub async fn begin(wire: Wire, origin: Weak<Origin>) -> Result<Self, h2::Error> {
        let mut builder = Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MOST_HEADER_BYTES)
            .initial_max_send_streams(MOST_STREAMS)
            .max_concurrent_reset_streams(RESET_STREAMS)
            .max_local_error_reset_streams(None);
        let (sender, mut connection) = builder.handshake(wire).await?;
        let now = Instant::now();
        let state = Rc::new(State {
            born: now,
            used: Cell::new(now),
            streams: Cell::new(0),
            limit: Cell::new(1),
            is_settled: Cell::new(false),
            is_closing: Cell::new(false),
            served: Cell::new(0),
        });
        let mut ticks = interval(PING);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.reset();
        actix_rt::spawn(Driver {
            pings: connection.ping_pong(),
            connection,
            state: state.clone(),
            origin,
            ticks,
            is_asked: false,
        });
        Ok(Self { sender, state })
    }

    /// Takes a place, if there is one.
    pub fn slot(connection: &Rc<Self>, origin: &Rc<Origin>) -> Option<Slot> {
        let state = &connection.state;
        if state.is_closing.get() || state.streams.get() >= state.limit.get() {
            return None;
        }
        state.streams.set(state.streams.get() + 1);
        let served = state.served.get();
        state.served.set(served + 1);
        Some(Slot {
            connection: connection.clone(),
            origin: Rc::downgrade(origin),
            is_reused: served > 0,
        })
    }

    /// Places there will be once the peer has told its limit, when others allow `usual`.
    pub fn hopes(&self, usual: usize) -> usize {
        if self.state.is_settled.get() || self.state.is_closing.get() {
            0
        } else {
            usual.saturating_sub(self.state.streams.get())
        }
    }

    /// What the peer allows, once it has said so.
    pub fn limit(&self) -> Option<usize> {
        let state = &self.state;
        state.is_settled.get().then(|| state.limit.get())
    }

    /// Whether new calls may come.
    pub fn is_usable(&self, now: Instant) -> bool {
        let state = &self.state;
        let is_idle = state.streams.get() == 0 && now.duration_since(state.used.get()) > IDLE;
        !state.is_closing.get() && !is_idle && now.duration_since(state.born) < LIFETIME
    }

    /// Takes no new calls from now on.
    pub fn retire(&self) {
        self.state.is_closing.set(true);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let state = &self.connection.state;
        state.streams.set(state.streams.get().saturating_sub(1));
        state.used.set(Instant::now());
        if let Some(origin) = self.origin.upgrade() {
            origin.tell();
        }
    }
}

/// Moves the frames of a connection, on a task of its own.
struct Driver {
    connection: h2::client::Connection<Wire, Bytes>,
    pings: Option<PingPong>,
    state: Rc<State>,
    origin: Weak<Origin>,
    ticks: Interval,
    /// A ping is on its way.
    is_asked: bool,
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if !this.is_asked && !this.state.is_settled.get() {
            // Its answer comes after the peer's settings.
            this.ask();
        }
        loop {
            if let Poll::Ready(outcome) = Pin::new(&mut this.connection).poll(context) {
                if let Err(error) = outcome {
                    log::debug!("upstream: HTTP/2 connection: {error}");
                }
                return Poll::Ready(());
            }
            if let Some(pings) = &mut this.pings
                && let Poll::Ready(Ok(_)) = pings.poll_pong(context)
            {
                this.is_asked = false;
                this.state.is_settled.set(true);
            }
            this.follow_limit();
            ready!(this.ticks.poll_tick(context));
            if this.is_asked {
                log::debug!("upstream: an HTTP/2 connection does not answer any more");
                return Poll::Ready(());
            }
            if this.state.streams.get() > 0 {
                this.ask();
            } else if !this.state.is_closing.get() && this.state.used.get().elapsed() > IDLE {
                return Poll::Ready(());
            }
        }
    }
}

impl Driver {
    fn ask(&mut self) {
        if let Some(pings) = &mut self.pings
            && pings.send_ping(Ping::opaque()).is_ok()
        {
            self.is_asked = true;
        }
    }

    fn follow_limit(&self) {
        let state = &self.state;
        if !state.is_settled.get() {
            return;
        }
        let limit = self.connection.max_concurrent_send_streams();
        let limit = limit.min(MOST_STREAMS);
        if state.limit.replace(limit) != limit
            && let Some(origin) = self.origin.upgrade()
        {
            origin.tell();
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.state.is_closing.set(true);
        if let Some(origin) = self.origin.upgrade() {
            origin.tell();
        }
    }
}
