//! What auto routers remember: the tier of a session, the router of Claude Code's sessions, and what users said of the groups
//! that an adaptive router has chosen.
//!
//! One actor writes; workers read what was learnt as it was published last. Sessions are forgotten when they are not used, or
//! when there are too many; what was learnt goes to the database every ten seconds, and what other instances have learnt comes
//! from there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseActFuture, WrapFuture,
};
use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use super::Chosen;
use crate::policy::auto_router::adaptive::Learnt;
use crate::policy::auto_router::complexity::Tier;
use crate::policy::auto_router::feedback::Feedback;
use crate::policy::auto_router::request_type::RequestType;
use crate::store::messages::{AddLearnt, ReadLearnt};
use crate::store::{LearntRow, Store, ask};

/// Sessions of one generation: when so many are known the older ones are forgotten, two generations at most.
const SESSIONS: usize = 10_000;
/// Groups of routers that anything is learnt of.
const MOST_GROUPS: usize = 2_000;
/// How often what was learnt is written down, or read.
const EXCHANGE: Duration = Duration::from_secs(10);
/// Nothing is said of an answer after so long.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What was learnt of one group: by kind of request.
type Cells = [Learnt; RequestType::ALL.len()];

/// What was learnt, as workers read it.
#[derive(Clone, Debug, Default)]
pub struct Learned(HashMap<Arc<str>, HashMap<Arc<str>, Cells>>);

impl Learned {
    pub fn of(&self, router: &str, group: &str, kind: RequestType) -> Learnt {
        let cells = self.0.get(router).and_then(|groups| groups.get(group));
        cells.map_or_else(Learnt::default, |cells| cells[kind as usize])
    }

    fn cell(&mut self, chosen: &Chosen) -> Option<&mut Learnt> {
        let known: usize = self.0.values().map(HashMap::len).sum();
        let groups = self.0.entry(chosen.router.clone()).or_default();
        if known >= MOST_GROUPS && !groups.contains_key(&chosen.group) {
            return None;
        }
        let cells = groups.entry(chosen.group.clone()).or_default();
        cells.get_mut(chosen.kind as usize)
    }
}

/// A session of Claude Code keeps its router for so long since it was last used (LiteLLM 1.106.2).
const BOUND: Duration = Duration::from_secs(60 * 60);

struct Session {
    used: Instant,
    tier: Option<Tier>,
    last: Option<Chosen>,
    /// Of Claude Code's sessions.
    router: Option<Arc<str>>,
}

/// See the module.
pub struct RouteMemory {
    store: Store,
    sessions: HashMap<u64, Session>,
    older: HashMap<u64, Session>,
    learned: Learned,
    published: Arc<ArcSwap<Learned>>,
    /// Learnt and not written down yet.
    unwritten: HashMap<(Arc<str>, Arc<str>, RequestType), Learnt>,
    /// What was learnt before this process is known here.
    has_read: bool,
    is_writing: bool,
    /// Dropped when the write under way has ended.
    waiting: Vec<oneshot::Sender<()>>,
    interval: Duration,
    /// Somebody was led since what was learnt was read last, so that others' experience is of use.
    is_used: bool,
}

/// The tier of a session, if it was used within this time.
#[derive(Debug, Message)]
#[rtype(result = "Option<Tier>")]
pub struct Recall {
    pub session: u64,
    pub time: Duration,
}

/// A session is in this tier from now on.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Stay {
    pub session: u64,
    pub tier: Tier,
}

/// The conversation of a session of Claude Code asks this router.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Bind {
    pub session: u64,
    pub router: Arc<str>,
}

/// The router that the conversation of a session of Claude Code asked last.
#[derive(Debug, Message)]
#[rtype(result = "Option<Arc<str>>")]
pub struct Bound {
    pub session: u64,
}

/// A group was chosen for a session's next answer, and what its user says now of the answer before.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Heard {
    pub session: u64,
    pub chosen: Chosen,
    pub feedback: Option<Feedback>,
}

/// The group that was chosen could not answer.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Unanswered(pub Chosen);

/// Answers when everything that was learnt before is written down, or could not be.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct FlushLearnt;

impl RouteMemory {
    pub fn new(store: Store, published: Arc<ArcSwap<Learned>>) -> Self {
        Self {
            store,
            sessions: HashMap::new(),
            older: HashMap::new(),
            learned: Learned::default(),
            published,
            unwritten: HashMap::new(),
            has_read: false,
            is_writing: false,
            waiting: Vec::new(),
            interval: EXCHANGE,
            is_used: false,
        }
    }

    fn session(&mut self, session: u64) -> &mut Session {
        if self.sessions.len() >= SESSIONS && !self.sessions.contains_key(&session) {
            self.older = std::mem::take(&mut self.sessions);
        }
        let older = self.older.remove(&session);
        let fresh = || Session {
            used: Instant::now(),
            tier: None,
            last: None,
            router: None,
        };
        self.sessions
            .entry(session)
            .or_insert_with(|| older.unwrap_or_else(fresh))
    }

    fn learn(&mut self, chosen: &Chosen, feedback: Feedback) {
        let Some(cell) = self.learned.cell(chosen) else {
            return;
        };
        let before = *cell;
        cell.add(feedback);
        if *cell == before {
            return;
        }
        let key = (chosen.router.clone(), chosen.group.clone(), chosen.kind);
        self.unwritten.entry(key).or_default().add(feedback);
        self.published.store(Arc::new(self.learned.clone()));
    }

    /// Writes down what was learnt, or else reads what other instances have. What was learnt before is read first: what is written
    /// down earlier would be counted twice.
    fn tick(&mut self, context: &mut Context<Self>) {
        if self.is_writing {
            return;
        }
        if self.has_read && !self.unwritten.is_empty() {
            let done = self.writing();
            context.spawn(done);
        } else if !self.has_read || std::mem::take(&mut self.is_used) {
            self.read(context);
        }
    }

    fn read(&mut self, context: &mut Context<Self>) {
        let store = self.store.admin.clone();
        let read = async move { ask(&store, ReadLearnt {}).await };
        context.spawn(read.into_actor(self).map(|rows, memory, _| match rows {
            // Some of it may be in the rows and some not: they are read again later.
            Ok(_) if memory.is_writing => memory.is_used = true,
            Ok(rows) => {
                memory.has_read = true;
                memory.take(rows);
            }
            Err(error) => {
                memory.is_used = true;
                log::warn!("what adaptive routers have learnt cannot be read yet: {error}")
            }
        }));
    }

    fn writing(&mut self) -> ResponseActFuture<Self, ()> {
        self.is_writing = true;
        let unwritten = std::mem::take(&mut self.unwritten);
        let rows = unwritten
            .iter()
            .map(|((router, group, kind), learnt)| LearntRow {
                router: router.to_string(),
                model_group: group.to_string(),
                request_type: kind.as_str().to_owned(),
                // Counts, and small ones.
                good: learnt.good as i64,
                bad: learnt.bad as i64,
            });
        let (store, rows) = (self.store.admin.clone(), rows.collect());
        let written = async move { ask(&store, AddLearnt { rows }).await };
        Box::pin(written.into_actor(self).map(move |written, memory, _| {
            memory.is_writing = false;
            memory.waiting.clear();
            // With it the rows have what others wrote.
            memory.is_used = true;
            if let Err(error) = written {
                log::warn!("what adaptive routers have learnt is not written down yet: {error}");
                for (key, learnt) in unwritten {
                    let waiting = memory.unwritten.entry(key).or_default();
                    waiting.good += learnt.good;
                    waiting.bad += learnt.bad;
                }
            }
        }))
    }

    /// Ends when nothing is to be written down any more, or could not be.
    fn flushed(&mut self) -> ResponseActFuture<Self, ()> {
        if self.is_writing {
            let (told, ended) = oneshot::channel();
            self.waiting.push(told);
            // An error is what tells.
            let ended = async move { drop(ended.await) };
            let rest = ended.into_actor(self);
            return Box::pin(rest.then(|(), memory, _| memory.flushed()));
        }
        match self.unwritten.is_empty() {
            true => Box::pin(std::future::ready(()).into_actor(self)),
            false => self.writing(),
        }
    }

    /// Believes what is written down, by this instance and by others, and what is not yet.
    fn take(&mut self, rows: Vec<LearntRow>) {
        self.learned = Learned::default();
        for row in rows {
            let Some(kind) = RequestType::named(&row.request_type) else {
                continue;
            };
            let chosen = Chosen {
                router: row.router.into(),
                group: row.model_group.into(),
                kind,
            };
            if let Some(cell) = self.learned.cell(&chosen) {
                *cell = Learnt::of_answers(row.good, row.bad);
            }
        }
        for ((router, group, kind), learnt) in &self.unwritten {
            let chosen = Chosen {
                router: router.clone(),
                group: group.clone(),
                kind: *kind,
            };
            if let Some(cell) = self.learned.cell(&chosen) {
                cell.good += learnt.good;
                cell.bad += learnt.bad;
            }
        }
        self.published.store(Arc::new(self.learned.clone()));
    }
}

impl Actor for RouteMemory {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(self.interval, Self::tick);
        self.read(context);
    }
}

impl Handler<Recall> for RouteMemory {
    type Result = Option<Tier>;

    fn handle(&mut self, message: Recall, _: &mut Self::Context) -> Self::Result {
        let known = self
            .sessions
            .get(&message.session)
            .or_else(|| self.older.get(&message.session))?;
        known.tier.filter(|_| known.used.elapsed() < message.time)
    }
}

impl Handler<Stay> for RouteMemory {
    type Result = ();

    fn handle(&mut self, message: Stay, _: &mut Self::Context) {
        let session = self.session(message.session);
        session.used = Instant::now();
        session.tier = Some(message.tier);
    }
}

impl Handler<Bind> for RouteMemory {
    type Result = ();

    fn handle(&mut self, message: Bind, _: &mut Self::Context) {
        let session = self.session(message.session);
        session.used = Instant::now();
        session.router = Some(message.router);
    }
}

impl Handler<Bound> for RouteMemory {
    type Result = Option<Arc<str>>;

    fn handle(&mut self, message: Bound, _: &mut Self::Context) -> Self::Result {
        let sessions = &mut self.sessions;
        let known = sessions.get_mut(&message.session);
        let known = known.or_else(|| self.older.get_mut(&message.session))?;
        if known.used.elapsed() >= BOUND {
            return None;
        }
        known.used = Instant::now();
        known.router.clone()
    }
}

impl Handler<Heard> for RouteMemory {
    type Result = ();

    fn handle(&mut self, message: Heard, _: &mut Self::Context) {
        self.is_used = true;
        let session = self.session(message.session);
        let is_fresh = session.used.elapsed() < LONGEST;
        session.used = Instant::now();
        let before = session.last.replace(message.chosen).filter(|_| is_fresh);
        if let (Some(before), Some(feedback)) = (before, message.feedback) {
            self.learn(&before, feedback);
        }
    }
}

impl Handler<Unanswered> for RouteMemory {
    type Result = ();

    fn handle(&mut self, Unanswered(chosen): Unanswered, _: &mut Self::Context) {
        self.learn(&chosen, Feedback::Bad);
    }
}

impl Handler<FlushLearnt> for RouteMemory {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: FlushLearnt, _: &mut Self::Context) -> Self::Result {
        self.flushed()
    }
}

#[cfg(test)]
mod tests;
