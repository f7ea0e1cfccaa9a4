//! The gatekeeper's mailbox. Admissions do not pass through it: the router asks the shared state directly, on the same thread.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Context, Handler, Message};

use super::entity::{EntityIx, ScopeKind, Standing};
use super::gatekeeper::{Gatekeeper, MAX_SCOPES};
use crate::types::Scope;

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

/// Makes the scopes of a caller known; answers their places.
#[derive(Message)]
#[rtype(result = "[Option<EntityIx>; MAX_SCOPES]")]
pub struct Enroll {
    /// In the order key, user, team.
    pub scopes: [Option<Scope>; MAX_SCOPES],
}

impl Handler<Enroll> for GatekeeperActor {
    type Result = actix::MessageResult<Enroll>;

    fn handle(&mut self, message: Enroll, _: &mut Self::Context) -> Self::Result {
        let mut state = self.state.borrow_mut();
        let kinds = [ScopeKind::Key, ScopeKind::User, ScopeKind::Team];
        let mut places = [None; MAX_SCOPES];
        for ((place, kind), scope) in places.iter_mut().zip(kinds).zip(message.scopes) {
            *place = scope.map(|scope| state.enroll(kind, &scope.id, scope.limits, scope.spend));
        }
        actix::MessageResult(places)
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
        actix::MessageResult(Reported {
            standing: message.entity.and_then(|(kind, id)| state.find(kind, &id)),
            open_holds: state.open_holds(),
            held: state.held().0,
            overshoot: state.overshoot().0,
        })
    }
}
