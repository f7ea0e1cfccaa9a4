//! Budgets that begin anew, written down.
//!
//! The Gatekeeper begins a budget anew in the turn in which it is due; this actor tells the store, a second later at most.
//! It also looks for budgets of entities that have not called since the start: nobody else would. A crash in between loses
//! nothing: at start the store computes from the ledger what is due.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, ResponseActFuture,
    WrapFuture,
};

use crate::limits::{GatekeeperActor, Knows, Renewal, ScopeKind, TakeRenewals};
use crate::policy::duration::Span;
use crate::steps;
use crate::store::messages::{BookReset, DueResets};
use crate::store::queries::{DueReset, ResetBooking};
use crate::store::{OwnerType, Store, StoreError, ask};

/// How often the Gatekeeper is asked.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often the store is asked for what is due of entities that do not call.
const IDLE_EVERY: u32 = 30;

/// See the module.
pub struct BudgetRenewals {
    gatekeeper: Addr<GatekeeperActor>,
    store: Store,
    /// Not booked yet, oldest first.
    waiting: VecDeque<ResetBooking>,
    busy: bool,
    ticks: u32,
}

impl BudgetRenewals {
    pub fn new(gatekeeper: Addr<GatekeeperActor>, store: Store) -> Self {
        Self {
            gatekeeper,
            store,
            waiting: VecDeque::new(),
            busy: false,
            ticks: 0,
        }
    }

    fn tick(&mut self, context: &mut Context<Self>) {
        if self.busy {
            return;
        }
        // Before anything is taken in hand: the next tick does it.
        if steps::contained("budgets.tick", || ()).is_none() {
            return;
        }
        self.busy = true;
        let looks_for_idle = self.ticks.is_multiple_of(IDLE_EVERY);
        self.ticks = self.ticks.wrapping_add(1);
        let waiting = std::mem::take(&mut self.waiting);
        let work = work(
            self.gatekeeper.clone(),
            self.store.clone(),
            waiting,
            looks_for_idle,
        );
        context.spawn(work.into_actor(self).map(|left, actor, _| {
            actor.busy = false;
            actor.waiting.extend(left);
        }));
    }
}

impl Actor for BudgetRenewals {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(INTERVAL, Self::tick);
    }
}

/// Books what has begun anew until now, before somebody gives a budget another rhythm.
#[derive(Message)]
#[rtype(result = "()")]
pub struct BookRenewals;

impl Handler<BookRenewals> for BudgetRenewals {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: BookRenewals, _: &mut Self::Context) -> Self::Result {
        let waiting = std::mem::take(&mut self.waiting);
        let work = work(self.gatekeeper.clone(), self.store.clone(), waiting, false);
        Box::pin(
            work.into_actor(self)
                .map(|left, actor: &mut Self, _| actor.waiting.extend(left)),
        )
    }
}

/// Asks for what has begun anew and books it; answers what could not be booked.
async fn work(
    gatekeeper: Addr<GatekeeperActor>,
    store: Store,
    mut waiting: VecDeque<ResetBooking>,
    looks_for_idle: bool,
) -> VecDeque<ResetBooking> {
    let now_ms = now_ms();
    match gatekeeper.send(TakeRenewals { now_ms }).await {
        Ok(renewals) => waiting.extend(renewals.into_iter().map(booking)),
        Err(error) => log::error!("budgets: the gatekeeper does not answer: {error}"),
    }
    if looks_for_idle {
        match idle(&gatekeeper, &store, now_ms).await {
            Ok(bookings) => waiting.extend(bookings),
            Err(error) => log::warn!("budgets: what is due cannot be read: {error}"),
        }
    }
    while let Some(reset) = waiting.pop_front() {
        let booked = ask(
            &store.admin,
            BookReset {
                reset: reset.clone(),
            },
        )
        .await;
        match booked {
            Ok(()) => {}
            Err(error @ (StoreError::Unavailable(_) | StoreError::Panicked(_))) => {
                log::warn!("budgets: a reset is booked later: {error}");
                waiting.push_front(reset);
                break;
            }
            Err(error) => log::error!("budgets: {reset:?} cannot be booked: {error}"),
        }
    }
    waiting
}

/// Due budgets of entities that the gatekeeper does not know.
async fn idle(
    gatekeeper: &Addr<GatekeeperActor>,
    store: &Store,
    now_ms: i64,
) -> Result<Vec<ResetBooking>, StoreError> {
    let mut bookings = Vec::new();
    for due in ask(&store.admin, DueResets { now_ms }).await? {
        let kind = kind(due.owner);
        let id = due.id.as_str().into();
        // One that is enrolled just now begins anew there too, with the same amount: only one of the two is booked.
        if gatekeeper.send(Knows { kind, id }).await.unwrap_or(true) {
            continue;
        }
        let DueReset {
            owner,
            id,
            every,
            at,
            spend,
        } = due;
        let window = every.parse().ok();
        let Some((_, next)) = window.and_then(|span: Span| span.window_at(at, now_ms)) else {
            continue;
        };
        bookings.push(ResetBooking {
            owner,
            id,
            spent: spend,
            was_due: at,
            next,
        });
    }
    Ok(bookings)
}

fn booking(renewal: Renewal) -> ResetBooking {
    ResetBooking {
        owner: match renewal.kind {
            ScopeKind::Key => OwnerType::Key,
            ScopeKind::User => OwnerType::User,
            ScopeKind::Team => OwnerType::Team,
        },
        id: renewal.id.to_string(),
        spent: renewal.spent,
        was_due: renewal.was_due,
        next: renewal.next,
    }
}

fn kind(owner: OwnerType) -> ScopeKind {
    match owner {
        OwnerType::Key => ScopeKind::Key,
        OwnerType::User => ScopeKind::User,
        OwnerType::Team => ScopeKind::Team,
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_millis() as i64
}
