//! Starting and stopping, and the test's handle.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use tokio::sync::oneshot;

use super::connection;
use super::shared::Shared;
use super::{Behaviour, Hangup, Recorded};

/// A test that opens a thousand connections at once must not lose some of them for a second.
const BACKLOG: i32 = 4096;
const POLL: Duration = Duration::from_millis(1);

/// A running simulator; it stops when this is dropped.
pub struct Simulator {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

// === impl Simulator ===

impl Simulator {
    /// Starts on a free port of 127.0.0.1, in a thread of its own.
    ///
    /// # Panics
    /// When there is no free port or no thread to be had.
    pub fn start() -> Self {
        let (mut simulator, server) = Self::prepare();
        let thread = std::thread::Builder::new()
            .name("simulator".into())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                runtime
                    .expect("a runtime for the simulator")
                    .block_on(server);
            })
            .expect("a thread for the simulator");
        simulator.thread = Some(thread);
        simulator
    }

    /// Starts within the runtime that the caller runs in. For load: two threads that share a core take turns of milliseconds,
    /// in which chunks pile up that were meant to be sent one by one.
    ///
    /// # Panics
    /// Outside a tokio runtime, and when there is no free port.
    pub fn start_here() -> Self {
        let (simulator, server) = Self::prepare();
        tokio::spawn(server);
        simulator
    }

    fn prepare() -> (Self, impl Future<Output = ()> + Send + 'static) {
        let listener = listen().expect("a port for the simulator");
        let address = listener.local_addr().expect("the simulator's address");
        let shared = Arc::new(Shared::new());
        let (stop, stopped) = oneshot::channel();
        let server = run(listener, Arc::clone(&shared), stopped);
        (
            Self {
                shared,
                address,
                stop: Some(stop),
                thread: None,
            },
            server,
        )
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT/v1`: a deployment's `api_base`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Answers every request for this (upstream) model like this.
    pub fn behave(&self, model: &str, behaviour: Behaviour) {
        self.shared.behave(model, Vec::new(), behaviour);
    }

    /// Answers the first requests for this model like the list, one each, and those after like `then`.
    pub fn behave_in_turn(&self, model: &str, first: Vec<Behaviour>, then: Behaviour) {
        self.shared.behave(model, first, then);
    }

    /// Answers requests for all other models like this.
    pub fn behave_by_default(&self, behaviour: Behaviour) {
        self.shared.behave_by_default(behaviour);
    }

    /// Refuses requests that do not carry this key, as `Authorization: Bearer`, `x-api-key` or `api-key`; `None` lets
    /// everybody in.
    pub fn expect_key(&self, key: Option<&str>) {
        self.shared.expect_key(key.map(str::to_owned));
    }

    /// Refuses chats that OpenAI refuses: unknown fields, tools' results that answer no call, and so on. Messages and responses
    /// are always checked. `more` are fields that this provider knows besides, of the body and of an assistant's message.
    pub fn be_strict(&self, more: &'static [&'static str]) {
        self.shared.be_strict(more);
    }

    /// Is every provider of [`provider_rows`](super::provider_rows), each below a path that begins with its name.
    pub fn be_every_provider(&self) {
        self.shared.be_every_provider();
    }

    /// Whether requests are kept (as at the start). Hang-ups always are.
    pub fn record(&self, on: bool) {
        self.shared.recording.store(on, Ordering::Relaxed);
    }

    /// The requests so far, oldest first; the last 20,000 are kept.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.records.requests()
    }

    /// The same, and forgets them.
    pub fn take(&self) -> Vec<Recorded> {
        self.shared.records.take()
    }

    /// The peers that left before their answer was complete, oldest first.
    pub fn hangups(&self) -> Vec<Hangup> {
        self.shared.records.hangups()
    }

    /// Requests for this model that are being answered.
    pub fn in_flight(&self, model: &str) -> usize {
        self.shared.gauge(model).now.load(Ordering::Relaxed)
    }

    /// The most requests for this model that ever were in flight together.
    pub fn peak_in_flight(&self, model: &str) -> usize {
        self.shared.gauge(model).peak.load(Ordering::Relaxed)
    }

    /// Requests for this model so far, recorded or not.
    pub fn received(&self, model: &str) -> u64 {
        self.shared.gauge(model).total.load(Ordering::Relaxed)
    }

    /// Requests that wait for [`release`](Self::release).
    pub fn held(&self) -> usize {
        self.shared.held.load(Ordering::Relaxed)
    }

    /// Lets the requests go that are held now; later ones are held again.
    pub fn release(&self) {
        self.shared.releases.send_modify(|count| *count += 1);
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    pub fn open_connections(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// Waits until `condition` holds; false when it does not within `limit`. Blocks the thread.
    pub fn wait_until(&self, limit: Duration, condition: impl Fn(&Self) -> bool) -> bool {
        let deadline = Instant::now() + limit;
        while !condition(self) {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(POLL);
        }
        true
    }

    /// [`wait_until`](Self::wait_until) for async tests, whose client runs on the same thread.
    pub async fn until(&self, limit: Duration, condition: impl Fn(&Self) -> bool) -> bool {
        let deadline = Instant::now() + limit;
        while !condition(self) {
            if Instant::now() > deadline {
                return false;
            }
            tokio::time::sleep(POLL).await;
        }
        true
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed; a second one here would hide the test's own.
            let _ = thread.join();
        }
    }
}

fn listen() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Accepts until it is stopped; the connections end with the runtime.
async fn run(listener: TcpListener, shared: Arc<Shared>, stopped: oneshot::Receiver<()>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("the simulator's listener");
    let accepting = tokio::spawn(async move {
        loop {
            // Accepting fails when the process has no descriptors left: the next attempt may succeed.
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(POLL).await;
                continue;
            };
            if stream.set_nodelay(true).is_ok() {
                tokio::spawn(connection::serve(stream, Arc::clone(&shared)));
            }
        }
    });
    // An error says that the handle was dropped, which is how it stops.
    let _ = stopped.await;
    accepting.abort();
}
