//! The gatekeeper's mailbox. Admissions do not pass through it: the router asks the shared state directly, on the same thread.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Context, Handler, Message};

use super::entity::{EntityIx, ScopeKind, Standing};
use super::gatekeeper::{Gatekeeper, MAX_SCOPES, SpentChange};
use super::resets::Renewal;
use crate::steps;
use crate::types::{NanoUsd, Scope};

/// The mailbox of a [`Gatekeeper`] that lives on this thread.
pub struct GatekeeperActor {
    state: Rc<RefCell<Gatekeeper>>,
}

impl GatekeeperActor {
    pub fn new(state: Rc<RefCell<Gatekeeper>>) -> Self {
        Self { state }
    }
}

impl Actor for GatekeeperActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(1024);
    }
}

/// Makes the scopes of a caller known; answers their places, or `None` when the step failed.
#[derive(Message)]
#[rtype(result = "Option<[Option<EntityIx>; MAX_SCOPES]>")]
pub struct Enroll {
    /// In the order key, user, team.
    pub scopes: [Option<Scope>; MAX_SCOPES],
}

impl Handler<Enroll> for GatekeeperActor {
    type Result = actix::MessageResult<Enroll>;

    fn handle(&mut self, message: Enroll, _: &mut Self::Context) -> Self::Result {
        actix::MessageResult(steps::contained("gatekeeper.enroll", || {
            let mut state = self.state.borrow_mut();
            let kinds = [ScopeKind::Key, ScopeKind::User, ScopeKind::Team];
            let mut places = [None; MAX_SCOPES];
            for ((place, kind), scope) in places.iter_mut().zip(kinds).zip(message.scopes) {
                *place = scope.map(|scope| state.enroll(kind, &scope));
            }
            places
        }))
    }
}

/// An entity has another id from now on.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Rename {
    pub kind: ScopeKind,
    pub from: Arc<str>,
    pub to: Arc<str>,
}

impl Handler<Rename> for GatekeeperActor {
    type Result = ();

    fn handle(&mut self, message: Rename, _: &mut Self::Context) {
        steps::insisted("gatekeeper.rename", || {
            let mut state = self.state.borrow_mut();
            state.rename(message.kind, &message.from, &message.to);
        });
    }
}

/// An entity was deleted.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Forget {
    pub kind: ScopeKind,
    pub id: Arc<str>,
}

impl Handler<Forget> for GatekeeperActor {
    type Result = ();

    fn handle(&mut self, message: Forget, _: &mut Self::Context) {
        steps::insisted("gatekeeper.forget", || {
            self.state.borrow_mut().forget(message.kind, &message.id);
        });
    }
}

/// Changes what an enrolled entity has spent; answers by how much that is more than before.
#[derive(Message)]
#[rtype(result = "Option<NanoUsd>")]
pub struct SetSpent {
    pub kind: ScopeKind,
    pub id: Arc<str>,
    pub change: SpentChange,
}

impl Handler<SetSpent> for GatekeeperActor {
    type Result = Option<NanoUsd>;

    fn handle(&mut self, message: SetSpent, _: &mut Self::Context) -> Self::Result {
        let set = steps::insisted("gatekeeper.set_spent", || {
            let mut state = self.state.borrow_mut();
            state.set_spent(message.kind, &message.id, message.change)
        });
        set.flatten()
    }
}

/// Begins anew what is due at this time (milliseconds since the Unix epoch), and answers all budgets that have begun anew and
/// were not told yet.
#[derive(Message)]
#[rtype(result = "Vec<Renewal>")]
pub struct TakeRenewals {
    pub now_ms: i64,
}

impl Handler<TakeRenewals> for GatekeeperActor {
    type Result = Vec<Renewal>;

    fn handle(&mut self, message: TakeRenewals, _: &mut Self::Context) -> Self::Result {
        let taken = steps::contained("gatekeeper.renewals", || {
            let mut state = self.state.borrow_mut();
            state.reset_due(message.now_ms);
            state.take_renewals()
        });
        taken.unwrap_or_default()
    }
}

/// Whether an entity is counted here; then its budget is this room's.
#[derive(Message)]
#[rtype(result = "bool")]
pub struct Knows {
    pub kind: ScopeKind,
    pub id: Arc<str>,
}

impl Handler<Knows> for GatekeeperActor {
    type Result = bool;

    fn handle(&mut self, message: Knows, _: &mut Self::Context) -> bool {
        self.state.borrow().knows(message.kind, &message.id)
    }
}

/// Asks where one entity stands, and how the whole does.
#[derive(Message)]
#[rtype(result = "Reported")]
pub struct Report {
    pub entity: Option<(ScopeKind, Arc<str>)>,
}

/// Answer to [`Report`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Reported {
    /// `None` when the entity has not called since the start.
    pub standing: Option<Standing>,
    pub open_holds: usize,
    /// Nano-dollars held over all entities, and spent beyond budgets since the start.
    pub held: i64,
    pub overshoot: i64,
}

impl Handler<Report> for GatekeeperActor {
    type Result = actix::MessageResult<Report>;

    fn handle(&mut self, message: Report, _: &mut Self::Context) -> Self::Result {
        let state = self.state.borrow();
        let reported = steps::contained("gatekeeper.report", || Reported {
            standing: message.entity.and_then(|(kind, id)| state.find(kind, &id)),
            open_holds: state.open_holds(),
            held: state.held().0,
            overshoot: state.overshoot().0,
        });
        actix::MessageResult(reported.unwrap_or_default())
    }
}
