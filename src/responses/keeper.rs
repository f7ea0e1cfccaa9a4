//! The Keeper: turns of conversations, in memory until the store has them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseActFuture,
    ResponseFuture, WrapFuture,
};
use tokio::sync::oneshot;

use crate::steps;
use crate::store::messages::{ForgetExpired, ForgetTurn, KeepTurns, ReadTurns};
use crate::store::queries::MOST_TURNS;
use crate::store::{KeptTurn, Store, StoreError, ask};
use crate::types::LedgerId;
use crate::vault::Vault;

/// Turns wait this long for others of their transaction.
const GATHERING: Duration = Duration::from_millis(50);
/// Between two tries while the database is away.
const PAUSE: Duration = Duration::from_secs(1);
/// Turns and bytes of one transaction.
const BATCH: usize = 64;
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Bytes that wait for the database at most; what comes then is not kept.
const MOST_WAITING: usize = 64 * 1024 * 1024;
/// How often what is too old is looked for.
const CLEANING: Duration = Duration::from_secs(600);
/// Between two warnings about turns that were not kept.
const WARNING: Duration = Duration::from_secs(10);

/// See the module.
pub struct Keeper {
    store: Store,
    vault: Arc<Vault>,
    /// Not written down yet.
    waiting: HashMap<LedgerId, Arc<KeptTurn>>,
    /// The same, oldest first; some may be forgotten meanwhile.
    queue: VecDeque<LedgerId>,
    bytes: usize,
    /// A write is under way, or will be soon.
    busy: bool,
    /// Turns of one write; one, after the database has refused several together.
    at_once: usize,
    flushed: Vec<oneshot::Sender<()>>,
    warned: Option<Instant>,
}

/// Keeps a turn: whoever asks after this was sent finds it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Keep(pub KeptTurn);

/// A turn and all that it follows, newest first; empty when there is none, or its time is over. Where the last one names a
/// `previous`, the conversation is not whole any more.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<Arc<KeptTurn>>, StoreError>")]
pub struct Recall(pub LedgerId);

/// Forgets a turn; answers whether there was one.
#[derive(Debug, Message)]
#[rtype(result = "Result<bool, StoreError>")]
pub struct Forget(pub LedgerId);

/// Answers when everything is written down that was kept before.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct FlushTurns;

impl Keeper {
    pub fn new(store: Store, vault: Arc<Vault>) -> Self {
        Self {
            store,
            vault,
            waiting: HashMap::new(),
            queue: VecDeque::new(),
            bytes: 0,
            busy: false,
            at_once: BATCH,
            flushed: Vec::new(),
            warned: None,
        }
    }

    fn keep(&mut self, turn: KeptTurn, context: &mut Context<Self>) {
        if self.bytes.saturating_add(turn.size()) > MOST_WAITING {
            self.warn("the database is too far behind");
            return;
        }
        self.bytes += turn.size();
        self.queue.push_back(turn.id);
        self.waiting.insert(turn.id, Arc::new(turn));
        if !self.busy {
            self.write_after(GATHERING, context);
        }
    }

    fn warn(&mut self, why: &str) {
        let is_due = self.warned.is_none_or(|warned| warned.elapsed() > WARNING);
        if is_due {
            log::warn!("responses are not kept, so that nobody can refer to them: {why}");
            self.warned = Some(Instant::now());
        }
    }

    fn write_after(&mut self, pause: Duration, context: &mut Context<Self>) {
        self.busy = true;
        context.run_later(pause, |keeper, context| {
            if steps::contained("responses.write", || keeper.write(context)).is_none() {
                keeper.write_after(PAUSE, context);
            }
        });
    }

    /// What is written next; it stays in memory until it is there.
    fn batch(&mut self) -> Vec<Arc<KeptTurn>> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        self.queue.retain(|id| self.waiting.contains_key(id));
        for turn in self.queue.iter().filter_map(|id| self.waiting.get(id)) {
            if batch.len() >= self.at_once || (bytes > 0 && bytes + turn.size() > BATCH_BYTES) {
                break;
            }
            bytes += turn.size();
            batch.push(turn.clone());
        }
        batch
    }

    fn write(&mut self, context: &mut Context<Self>) {
        let turns = self.batch();
        if turns.is_empty() {
            self.busy = false;
            self.at_once = BATCH;
            for waiter in self.flushed.drain(..) {
                let _ = waiter.send(());
            }
            return;
        }
        let (executor, vault, sent) = (self.store.admin.clone(), self.vault.clone(), turns.clone());
        let writing = async move { ask(&executor, KeepTurns { vault, turns: sent }).await };
        context.spawn(
            writing
                .into_actor(self)
                .map(move |outcome, keeper, context| {
                    keeper.written(&turns, outcome, context);
                }),
        );
    }

    fn written(
        &mut self,
        turns: &[Arc<KeptTurn>],
        outcome: Result<(), StoreError>,
        context: &mut Context<Self>,
    ) {
        let pause = match outcome {
            Ok(()) => {
                self.drop_all(turns);
                Duration::ZERO
            }
            Err(StoreError::Unavailable(why)) => {
                log::debug!("kept responses wait for the database: {why}");
                PAUSE
            }
            Err(_) if turns.len() > 1 => {
                self.at_once = 1;
                Duration::ZERO
            }
            Err(error) => {
                self.warn(&error.to_string());
                self.drop_all(turns);
                Duration::ZERO
            }
        };
        self.write_after(pause, context);
    }

    fn drop_all(&mut self, turns: &[Arc<KeptTurn>]) {
        for turn in turns {
            self.take_out(turn.id);
        }
    }

    fn take_out(&mut self, id: LedgerId) -> bool {
        let found = self.waiting.remove(&id);
        if let Some(turn) = &found {
            self.bytes = self.bytes.saturating_sub(turn.size());
        }
        found.is_some()
    }

    fn clean(&mut self, context: &mut Context<Self>) {
        let executor = self.store.admin.clone();
        let cleaning = async move {
            loop {
                match ask(&executor, ForgetExpired { now_ms: now_ms() }).await {
                    Ok(0) => return,
                    // Others want the database too.
                    Ok(_) => tokio::time::sleep(GATHERING).await,
                    Err(error) => {
                        log::debug!("old responses stay for now: {error}");
                        return;
                    }
                }
            }
        };
        context.spawn(cleaning.into_actor(self));
    }
}

impl Actor for Keeper {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // As many as there are requests; their bytes are bounded. actix allows so many senders as the capacity leaves of its
        // range, so that the largest capacity would leave none.
        context.set_mailbox_capacity(1 << 20);
        self.clean(context);
        context.run_interval(CLEANING, Self::clean);
    }
}

impl Handler<Keep> for Keeper {
    type Result = ();

    fn handle(&mut self, Keep(turn): Keep, context: &mut Context<Self>) {
        steps::contained("responses.keep", || self.keep(turn, context));
    }
}

impl Handler<Recall> for Keeper {
    type Result = ResponseFuture<Result<Vec<Arc<KeptTurn>>, StoreError>>;

    fn handle(&mut self, Recall(id): Recall, _: &mut Context<Self>) -> Self::Result {
        let mut turns: Vec<Arc<KeptTurn>> = Vec::new();
        let mut next = Some(id);
        while let Some(turn) = next.and_then(|id| self.waiting.get(&id)) {
            next = turn.previous;
            turns.push(turn.clone());
            if turns.len() >= MOST_TURNS as usize {
                next = None;
            }
        }
        let (executor, vault) = (self.store.auth.clone(), self.vault.clone());
        Box::pin(async move {
            if let Some(id) = next {
                let written = ask(&executor, ReadTurns { vault, id }).await?;
                turns.extend(written.into_iter().map(Arc::new));
            }
            let is_over = |turn: &Arc<KeptTurn>| turn.expires_at <= now_ms();
            if turns.first().is_some_and(is_over) {
                turns.clear();
            }
            Ok(turns)
        })
    }
}

impl Handler<Forget> for Keeper {
    type Result = ResponseFuture<Result<bool, StoreError>>;

    fn handle(&mut self, Forget(id): Forget, _: &mut Context<Self>) -> Self::Result {
        let was_here = self.take_out(id);
        // Behind a write that may be under way: the same thread does both.
        let executor = self.store.admin.clone();
        Box::pin(async move {
            let was_there = ask(&executor, ForgetTurn { id }).await?;
            Ok(was_here || was_there)
        })
    }
}

impl Handler<FlushTurns> for Keeper {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: FlushTurns, _: &mut Context<Self>) -> Self::Result {
        let (told, flushed) = oneshot::channel();
        if self.waiting.is_empty() {
            let _ = told.send(());
        } else {
            self.flushed.push(told);
        }
        Box::pin(
            async move {
                let _ = flushed.await;
            }
            .into_actor(self),
        )
    }
}

/// Milliseconds since the Unix epoch.
fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis() as i64
}
