//! The mailboxes of the control thread: the Router, supervisor of all the others, and one Deployment each.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, MessageResult};

use super::clock;
use super::control::Control;
use super::deployment::{DeploymentState, LastError};
use super::table::RoutingTable;
use super::trace::Trace;
use super::turn::{Begin, Turn};
use crate::policy::cooldown::{Fault, State};
use crate::steps;
use crate::types::DeploymentId;

/// Messages a mailbox holds before senders wait. Workers send one turn at a time, so this is never reached by them.
const MAILBOX: usize = 4096;

/// Dispatches requests: answers the workers' turns from the state of this thread, and supervises the Deployment actors.
pub struct RouterActor {
    state: Rc<RefCell<Control>>,
    /// By number.
    deployments: Vec<Option<Addr<DeploymentActor>>>,
    /// Somebody cools down, and his return will be told.
    watches: bool,
}

impl RouterActor {
    pub(super) fn new(state: Rc<RefCell<Control>>) -> Self {
        Self {
            state,
            deployments: Vec::new(),
            watches: false,
        }
    }
}

impl Actor for RouterActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
        self.supervise();
    }
}

impl Handler<Arc<Turn>> for RouterActor {
    type Result = MessageResult<Arc<Turn>>;

    fn handle(&mut self, turn: Arc<Turn>, context: &mut Self::Context) -> Self::Result {
        // Here a panic costs the mailbox; a worker that finds it gone has another one attached, and asks again.
        steps::point("router.mailbox");
        if steps::strikes("control.thread") {
            actix::Arbiter::current().stop();
        }
        let answer = self.state.borrow_mut().turn(&turn);
        if !self.watches && self.state.borrow().is_any_cooling() {
            self.watch(context);
        }
        MessageResult(answer)
    }
}

impl RouterActor {
    /// Tells of cooldowns that are over, now and for as long as there are any.
    fn watch(&mut self, context: &mut Context<Self>) {
        let soonest = self.state.borrow_mut().tell_returns(clock::now());
        self.watches = soonest.is_some();
        if let Some(wait) = soonest {
            let wait = Duration::from_millis(wait);
            context.run_later(wait, |router, context| router.watch(context));
        }
    }
}

/// Is the control thread alive?
#[derive(Message)]
#[rtype(result = "()")]
pub struct Ping;

impl Handler<Ping> for RouterActor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

/// What a health check found of a deployment.
#[derive(Clone, Debug)]
pub struct HealthFinding {
    pub number: u32,
    pub id: DeploymentId,
    /// Whether it is called only when nobody else of its group can be; `None`: what was found before stays.
    pub decides: Option<bool>,
    /// What went wrong, as far as it counts towards a cooldown; `None`: it works.
    pub fault: Option<Fault>,
}

/// Tells what health checks found, where that is to decide who is called.
#[derive(Message)]
#[rtype(result = "()")]
pub struct HealthFindings {
    pub findings: Vec<HealthFinding>,
    /// They count so long.
    pub fresh_for: Duration,
}

impl Handler<HealthFindings> for RouterActor {
    type Result = ();

    fn handle(&mut self, message: HealthFindings, context: &mut Self::Context) {
        let fresh_for = message.fresh_for.as_millis() as u64;
        steps::contained("router.findings", || {
            let mut state = self.state.borrow_mut();
            state.found(&message.findings, fresh_for, clock::now());
        });
        if !self.watches && self.state.borrow().is_any_cooling() {
            self.watch(context);
        }
    }
}

/// Asks how a decision about such a request would come about now, without making it.
#[derive(Message)]
#[rtype(result = "Option<Trace>")]
pub struct Explain(pub Begin);

impl Handler<Explain> for RouterActor {
    type Result = MessageResult<Explain>;

    fn handle(&mut self, message: Explain, _: &mut Self::Context) -> Self::Result {
        let mut state = self.state.borrow_mut();
        let trace = steps::contained("router.explain", || state.explain(&message.0));
        MessageResult(trace.flatten())
    }
}

/// Asks for the Deployment actor's own account of itself, by index in the routing table.
#[derive(Clone, Copy, Message)]
#[rtype(result = "Option<DeploymentReport>")]
pub struct DescribeDeployment(pub u32);

impl Handler<DescribeDeployment> for RouterActor {
    type Result = actix::ResponseFuture<Option<DeploymentReport>>;

    fn handle(&mut self, message: DescribeDeployment, _: &mut Self::Context) -> Self::Result {
        let deployment = self.deployments.get(message.0 as usize).cloned().flatten();
        Box::pin(async move { deployment?.send(Describe).await.ok().flatten() })
    }
}

/// The mailbox of one deployment's state, for whoever asks how it is doing. Turns, findings of health checks and reloads reach
/// the state directly, on the same thread.
pub struct DeploymentActor {
    state: Rc<RefCell<DeploymentState>>,
}

impl Actor for DeploymentActor {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "Option<DeploymentReport>")]
struct Describe;

/// How a deployment is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeploymentReport {
    pub in_flight: u32,
    pub slots: Option<u32>,
    pub successes: u64,
    pub failures: u64,
    /// Running means, in milliseconds.
    pub latency_ms: Option<f32>,
    pub first_token_ms: Option<f32>,
    pub last_error: Option<LastError>,
    pub state: State,
    /// Milliseconds until it takes calls again.
    pub cooling_for: Option<u64>,
}

impl Handler<Describe> for DeploymentActor {
    type Result = MessageResult<Describe>;

    fn handle(&mut self, _: Describe, _: &mut Self::Context) -> Self::Result {
        let (state, now) = (self.state.borrow(), clock::now());
        MessageResult(steps::contained("deployment.describe", || {
            DeploymentReport {
                in_flight: state.in_flight(),
                slots: state.slots(),
                successes: state.successes,
                failures: state.failures,
                latency_ms: state.latency_ms,
                first_token_ms: state.first_token_ms,
                last_error: state.last_error,
                state: state.state(now),
                cooling_for: state.cooling(now).map(|cooling| cooling.until - now),
            }
        }))
    }
}

impl RouterActor {
    /// Decides by `table` from now on.
    pub(super) fn replace(&mut self, table: Arc<RoutingTable>) {
        self.state.borrow_mut().replace(table);
        self.supervise();
    }

    /// Gives each deployment of the table its mailbox; those of states that are gone end.
    fn supervise(&mut self) {
        let state = self.state.borrow();
        let numbers = 0..state.table().deployment_places() as u32;
        self.deployments = numbers
            .map(|number| state.deployment(number).cloned())
            .map(|state| Some(DeploymentActor { state: state? }.start()))
            .collect();
    }

    /// Starts the router's mailbox on this thread.
    pub(super) fn attach(state: Rc<RefCell<Control>>) -> Addr<Self> {
        Self::new(state).start()
    }
}
