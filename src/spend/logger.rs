//! The SpendLogger: batches rows into the database, one transaction a batch.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use tokio::sync::oneshot;

use super::backlog::Backlog;
use super::journal::{FOLDER, JournalId, Settled, Syncer};
use super::recovery::tell_refused;
use crate::steps;
use crate::store::messages::FlushSpend;
use crate::store::{FlushBatch, FlushReport, Store, StoreError, ask};

/// Rows of one transaction at most.
const BATCH: usize = 1_000;
/// Rows wait this long at most while the database is there, unless `proxy_batch_write_at` says otherwise.
pub const INTERVAL: Duration = Duration::from_secs(1);
/// Between two tries while it is away.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How far the database is behind, readable from any thread.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Rows in memory that are not booked.
    pub queue_depth: AtomicU64,
    /// When the oldest of them ended, in microseconds since the Unix epoch; 0 when there is none.
    pub oldest_at: AtomicU64,
    pub rows_booked: AtomicU64,
    pub rows_refused: AtomicU64,
    pub flushes: AtomicU64,
    pub failures: AtomicU64,
}

impl Gauges {
    /// Seconds since the oldest row that is not booked ended.
    pub fn lag_seconds(&self) -> f64 {
        let oldest = self.oldest_at.load(Ordering::Relaxed);
        if oldest == 0 {
            return 0.0;
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_micros() as u64;
        now.saturating_sub(oldest) as f64 / 1e6
    }
}

/// See the module.
pub struct SpendLogger {
    store: Store,
    syncer: Arc<Syncer>,
    backlog: Backlog,
    /// The batch that is under way or must be tried again, whole: a commit whose answer was lost is told by the checkpoint.
    in_hand: Option<Arc<FlushBatch>>,
    busy: bool,
    interval: Duration,
    pause: Duration,
    waiting: Vec<oneshot::Sender<()>>,
    gauges: Arc<Gauges>,
}

impl SpendLogger {
    pub fn new(
        store: Store,
        data_dir: &std::path::Path,
        syncer: Arc<Syncer>,
        gauges: Arc<Gauges>,
        interval: Duration,
    ) -> Self {
        Self {
            backlog: Backlog::new(data_dir.join(FOLDER)),
            store,
            syncer,
            in_hand: None,
            busy: false,
            interval,
            pause: FIRST_PAUSE,
            waiting: Vec::new(),
            gauges,
        }
    }

    fn flush(&mut self, context: &mut Context<Self>) {
        if self.busy {
            return;
        }
        if steps::contained("spend.flush", || self.flush_now(context)).is_none() {
            self.busy = false;
            self.try_again(context);
        }
    }

    fn flush_now(&mut self, context: &mut Context<Self>) {
        let batch = match self.next_batch() {
            Ok(Some(batch)) => batch,
            Ok(None) => {
                self.gauges.oldest_at.store(0, Ordering::Relaxed);
                for waiter in self.waiting.drain(..) {
                    let _ = waiter.send(());
                }
                return;
            }
            Err(error) => {
                log::error!("journal: rows cannot be read back, trying again: {error}");
                self.try_again(context);
                return;
            }
        };
        if let Some(first) = batch.items.first() {
            self.gauges
                .oldest_at
                .store(first.row.ended_at.max(0) as u64, Ordering::Relaxed);
        }
        self.busy = true;
        let executor = self.store.ledger.clone();
        let sent = batch.clone();
        let booking = async move { ask(&executor, FlushSpend { batch: sent }).await };
        context.spawn(
            booking
                .into_actor(self)
                .map(move |outcome, logger, context| {
                    logger.busy = false;
                    logger.booked(&batch, outcome, context);
                }),
        );
    }

    fn next_batch(&mut self) -> io::Result<Option<Arc<FlushBatch>>> {
        if self.in_hand.is_none() {
            let items = self.backlog.take(BATCH)?;
            if items.is_empty() {
                return Ok(None);
            }
            self.in_hand = Some(Arc::new(FlushBatch {
                items,
                checkpoints: Vec::new(),
            }));
        }
        Ok(self.in_hand.clone())
    }

    fn try_again(&mut self, context: &mut Context<Self>) {
        self.gauges.failures.fetch_add(1, Ordering::Relaxed);
        context.run_later(self.pause, |logger, context| logger.flush(context));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    fn booked(
        &mut self,
        batch: &FlushBatch,
        outcome: Result<FlushReport, StoreError>,
        context: &mut Context<Self>,
    ) {
        match outcome {
            Ok(report) => {
                self.in_hand = None;
                self.pause = FIRST_PAUSE;
                self.gauges.flushes.fetch_add(1, Ordering::Relaxed);
                self.gauges
                    .rows_booked
                    .fetch_add(report.applied as u64, Ordering::Relaxed);
                self.gauges
                    .rows_refused
                    .fetch_add(report.refused.len() as u64, Ordering::Relaxed);
                tell_refused(&batch.items, &report);
                let freed = self.backlog.booked(&batch.items);
                self.syncer
                    .health()
                    .bytes
                    .fetch_sub(freed, Ordering::Relaxed);
                self.publish();
                if self.backlog.in_memory() >= BATCH
                    || !self.waiting.is_empty()
                    || !self.backlog.is_empty() && self.behind()
                {
                    self.flush(context);
                } else if self.backlog.is_empty() {
                    self.gauges.oldest_at.store(0, Ordering::Relaxed);
                }
            }
            Err(error) => {
                log::warn!(
                    "ledger: {} rows could not be booked, trying again: {error}",
                    batch.items.len()
                );
                self.try_again(context);
            }
        }
    }

    /// Rows were dropped from memory and must be read back without waiting for the next tick.
    fn behind(&self) -> bool {
        self.backlog.in_memory() == 0
    }

    fn publish(&self) {
        let in_hand = self.in_hand.as_ref().map_or(0, |batch| batch.items.len());
        self.gauges.queue_depth.store(
            (self.backlog.in_memory() + in_hand) as u64,
            Ordering::Relaxed,
        );
    }
}

impl Actor for SpendLogger {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let _ = rustix::thread::set_name(c"spend-logger");
        context.set_mailbox_capacity(4096);
        context.run_interval(self.interval, |logger, context| {
            if logger.in_hand.is_none() {
                logger.flush(context);
            }
        });
    }
}

/// Rows that a worker has journalled.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Record {
    pub journal: JournalId,
    /// In the order of the journal.
    pub rows: Vec<Settled>,
    /// Nothing below this sequence number is open.
    pub low_water: u64,
}

impl Handler<Record> for SpendLogger {
    type Result = ();

    fn handle(&mut self, message: Record, context: &mut Self::Context) {
        if let Some(first) = message.rows.first()
            && self.gauges.oldest_at.load(Ordering::Relaxed) == 0
        {
            self.gauges
                .oldest_at
                .store(first.row.ended_at.max(0) as u64, Ordering::Relaxed);
        }
        self.backlog
            .add(message.journal, message.rows, message.low_water);
        self.publish();
        if self.backlog.in_memory() >= BATCH && self.in_hand.is_none() {
            self.flush(context);
        }
    }
}

/// Books everything handed over so far; answers when it is booked.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Flush;

impl Handler<Flush> for SpendLogger {
    type Result = actix::ResponseFuture<()>;

    fn handle(&mut self, _: Flush, context: &mut Self::Context) -> Self::Result {
        let (tell, told) = oneshot::channel();
        self.waiting.push(tell);
        self.flush(context);
        Box::pin(async move {
            let _ = told.await;
        })
    }
}
