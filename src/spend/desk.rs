//! A worker's side of the ledger: its journal, written once an event-loop turn.

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::Addr;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use super::journal::{Appended, JournalWriter, Opened};
use super::logger::{Gauges, Record, SpendLogger};
use crate::steps;
use crate::types::SpendRow;

/// Rows are handed to the spend logger this often, or when so many wait.
const HAND_OVER: Duration = Duration::from_millis(100);
const HAND_OVER_ROWS: usize = 1_000;
/// A database that lags so many seconds is away.
const BEHIND: f64 = 10.0;
/// Between two tries to write when the disk refuses.
const WRITE_AGAIN: Duration = Duration::from_millis(50);

/// One a worker thread, cheap to clone.
#[derive(Clone)]
pub struct Desk {
    inner: Rc<Inner>,
}

struct Inner {
    writer: RefCell<JournalWriter>,
    waiters: RefCell<Vec<oneshot::Sender<()>>>,
    wake: Notify,
    most_bytes: u64,
    gauges: Arc<Gauges>,
}

impl Desk {
    /// Starts the local task that writes this thread's journal. New calls are refused while all journals together hold
    /// `most_bytes` and the database is behind.
    pub fn open(
        writer: JournalWriter,
        logger: Addr<SpendLogger>,
        gauges: Arc<Gauges>,
        most_bytes: u64,
    ) -> Self {
        let inner = Inner {
            writer: RefCell::new(writer),
            waiters: RefCell::default(),
            wake: Notify::new(),
            most_bytes,
            gauges,
        };
        let desk = Self {
            inner: Rc::new(inner),
        };
        let pump = desk.clone();
        actix_rt::spawn(async move {
            loop {
                let ended = pump.clone().pump(logger.clone());
                steps::contained_future("desk.pump", pin!(ended)).await;
                // What has been journalled meanwhile is not to wait for the next entry.
                pump.inner.wake.notify_one();
            }
        });
        desk
    }

    /// Whether a new call may begin: the journal can be written and has room.
    pub fn is_open(&self) -> bool {
        let writer = self.inner.writer.borrow();
        let health = writer.health();
        // Segments that are being written count although they may be booked: only with a database that lags are they full.
        let full = || {
            health.bytes.load(Ordering::Relaxed) >= self.inner.most_bytes
                && self.inner.gauges.lag_seconds() > BEHIND
        };
        !health.failing.load(Ordering::Relaxed) && !full()
    }

    /// Journals that a call goes upstream.
    pub fn opened(&self, opened: &Opened) -> Appended {
        let place = self.inner.writer.borrow_mut().opened(opened);
        self.inner.wake.notify_one();
        place
    }

    /// Journals how a call ended. Never waits, so that it can be called from a `Drop`; await [`Self::written`] to know that
    /// it is on disk.
    pub fn settled(&self, opened: Option<Appended>, row: SpendRow) {
        self.inner.writer.borrow_mut().settled(opened, row);
        self.inner.wake.notify_one();
    }

    /// Resolves when everything journalled so far is written.
    pub async fn written(&self) {
        let (tell, told) = oneshot::channel();
        self.inner.waiters.borrow_mut().push(tell);
        self.inner.wake.notify_one();
        let _ = told.await;
    }

    async fn pump(self, logger: Addr<SpendLogger>) {
        let mut hand_over_at: Option<Instant> = None;
        loop {
            match hand_over_at {
                None => self.inner.wake.notified().await,
                Some(at) => tokio::select! {
                    () = self.inner.wake.notified() => {}
                    () = sleep_until(at) => {}
                },
            }
            steps::point("desk.pump");
            self.write_out().await;
            let waiting = self.inner.writer.borrow().settled_waiting();
            if waiting == 0 {
                hand_over_at = None;
                continue;
            }
            let due = *hand_over_at.get_or_insert_with(|| Instant::now() + HAND_OVER);
            if waiting >= HAND_OVER_ROWS || due <= Instant::now() {
                let mut writer = self.inner.writer.borrow_mut();
                let rows = writer.take_settled();
                logger.do_send(Record {
                    journal: writer.id(),
                    rows,
                    low_water: writer.low_water(),
                });
                hand_over_at = None;
            }
        }
    }

    async fn write_out(&self) {
        loop {
            // Taken before the write: who asks during it belongs to the next one.
            let waiters = self.inner.waiters.take();
            let outcome = self.inner.writer.borrow_mut().write_out();
            match outcome {
                Ok(()) => {
                    for waiter in waiters {
                        let _ = waiter.send(());
                    }
                    return;
                }
                Err(error) => {
                    log::error!("journal: cannot write, new calls are refused: {error}");
                    self.inner.waiters.borrow_mut().extend(waiters);
                    sleep(WRITE_AGAIN).await;
                }
            }
        }
    }
}
