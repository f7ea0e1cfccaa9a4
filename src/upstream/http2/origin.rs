//! Whom to reach: what is spoken there, and the connections to it.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::connection::{Connection, MOST_STREAMS, Slot};
use crate::upstream::dial::{DialError, Target};
use crate::upstream::transport::Transport;
use crate::upstream::wire::Wire;

/// Who speaks HTTP/1.1 is asked again after so long.
const ASK_AGAIN: Duration = Duration::from_secs(15 * 60);
/// Connections that turned out to speak HTTP/1.1, kept until somebody needs them.
const MOST_SPARE: usize = 16;

/// A host and a port that TLS is spoken with.
pub struct Origin {
    pub host: String,
    pub port: u16,
    /// Until when HTTP/1.1 is taken to be spoken.
    http1_until: Cell<Option<Instant>>,
    connections: RefCell<Vec<Rc<Connection>>>,
    /// Streams that connections to here allow, as far as is known.
    usual_limit: Cell<usize>,
    dialing: Cell<usize>,
    waiting: Cell<usize>,
    /// Failed attempts so far, and why the last one did.
    failures: Cell<u64>,
    last_failure: RefCell<Option<Rc<DialError>>>,
    changed: Notify,
    spare: RefCell<Vec<Wire>>,
}

/// What a call to an origin speaks.
pub enum Spoken {
    Http1,
    Http2(Slot),
}

impl Origin {
    pub fn new(target: Target<'_>) -> Self {
        Self {
            host: target.host.to_owned(),
            port: target.port,
            http1_until: Cell::default(),
            connections: RefCell::default(),
            usual_limit: Cell::new(MOST_STREAMS),
            dialing: Cell::default(),
            waiting: Cell::default(),
            failures: Cell::default(),
            last_failure: RefCell::default(),
            changed: Notify::new(),
            spare: RefCell::default(),
        }
    }

    /// How the next call goes, once there is a place for it. A call of HTTP/2 comes with its place.
    pub async fn way(self: &Rc<Self>, transport: &Rc<Transport>) -> Result<Spoken, Rc<DialError>> {
        let failures = self.failures.get();
        loop {
            // Before anything is looked at, so that no change is missed.
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(until) = self.http1_until.get() {
                if Instant::now() < until {
                    return Ok(Spoken::Http1);
                }
                self.http1_until.set(None);
            }
            if let Some(slot) = self.slot() {
                return Ok(Spoken::Http2(slot));
            }
            if self.failures.get() > failures
                && let Some(error) = self.last_failure.borrow().clone()
            {
                return Err(error);
            }
            let _waiting = Counted::new(&self.waiting);
            if self.waiting.get() > self.hopes() {
                self.open(transport);
            }
            changed.await;
        }
    }

    /// From now on HTTP/1.1 is spoken here.
    pub fn speak_http1(&self) {
        self.http1_until.set(Some(Instant::now() + ASK_AGAIN));
        self.tell();
    }

    /// A connection that was opened to ask, and speaks HTTP/1.1.
    pub fn spare(&self) -> Option<Wire> {
        self.spare.borrow_mut().pop()
    }

    /// Something has changed that calls may be waiting for.
    pub fn tell(&self) {
        self.changed.notify_waiters();
    }

    fn slot(self: &Rc<Self>) -> Option<Slot> {
        let mut connections = self.connections.borrow_mut();
        let now = Instant::now();
        connections.retain(|connection| connection.is_usable(now));
        if let Some(limit) = connections.iter().filter_map(|one| one.limit()).next_back() {
            self.usual_limit.set(limit.max(1));
        }
        connections
            .iter()
            .find_map(|connection| Connection::slot(connection, self))
    }

    /// Places that will be there without doing anything.
    fn hopes(&self) -> usize {
        let usual = self.usual_limit.get();
        let connections = self.connections.borrow();
        let unsettled: usize = connections.iter().map(|one| one.hopes(usual)).sum();
        unsettled + self.dialing.get() * usual
    }

    /// Opens another connection, on a task of its own: others may be waiting for it when this caller leaves.
    fn open(self: &Rc<Self>, transport: &Rc<Transport>) {
        let origin = self.clone();
        let transport = transport.clone();
        origin.dialing.set(origin.dialing.get() + 1);
        actix_rt::spawn(async move {
            let outcome = origin.connected(transport.dial_either(&origin).await).await;
            origin.dialing.set(origin.dialing.get().saturating_sub(1));
            if let Err(error) = outcome {
                log::debug!("upstream: {}: {error}", origin.host);
                origin.last_failure.replace(Some(Rc::new(error)));
                origin.failures.set(origin.failures.get() + 1);
            }
            origin.tell();
        });
    }

    async fn connected(self: &Rc<Self>, wire: Result<Wire, DialError>) -> Result<(), DialError> {
        let wire = wire?;
        if !wire.is_http2() {
            let mut spare = self.spare.borrow_mut();
            if spare.len() < MOST_SPARE {
                spare.push(wire);
            }
            drop(spare);
            self.speak_http1();
            return Ok(());
        }
        let connection = Connection::begin(wire, Rc::downgrade(self)).await;
        let connection = connection.map_err(|error| DialError::Io(std::io::Error::other(error)))?;
        self.connections.borrow_mut().push(Rc::new(connection));
        Ok(())
    }
}

/// One more, until it is dropped.
struct Counted<'a>(&'a Cell<usize>);

impl<'a> Counted<'a> {
    fn new(count: &'a Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}
