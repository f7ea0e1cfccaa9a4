//! The control thread: how it begins, and how a lost mailbox is replaced.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use actix::{Actor, Addr, Arbiter, ArbiterHandle};
use arc_swap::ArcSwap;

use super::actor::RouterActor;
use super::control::Control;
use super::table::RoutingTable;
use crate::limits::{Gatekeeper, GatekeeperActor};
use crate::metrics::Cooldowns;
use crate::policy::spends::{BudgetName, SpendWindow};

thread_local! {
    /// The state outlives its mailboxes.
    static CONTROL: RefCell<Option<Rc<RefCell<Control>>>> = const { RefCell::new(None) };
}

/// What the rest of the process holds of the control thread.
pub struct ControlHandle {
    arbiter: ArbiterHandle,
    router: ArcSwap<Addr<RouterActor>>,
    gatekeeper: Addr<GatekeeperActor>,
}

/// The control thread did not start.
#[derive(Debug, thiserror::Error)]
#[error("the control thread did not start within 5 s")]
pub struct NotStarted;

/// Starts the control thread with its Router, Gatekeeper and Deployment actors.
///
/// `window` is the length of every limit window; `strict` is `budget_enforcement: strict`; `spent` is what earlier processes
/// have spent in budgets of providers, deployments and tags; what cools down is counted in `cooldowns`.
pub fn start(
    table: Arc<RoutingTable>,
    window: Duration,
    strict: bool,
    spent: Vec<(BudgetName, SpendWindow)>,
    cooldowns: Cooldowns,
) -> Result<Arc<ControlHandle>, NotStarted> {
    let arbiter = Arbiter::new();
    let (tell, told) = mpsc::sync_channel(1);
    arbiter.spawn_fn(move || {
        // Threads are named so that `top -H` and a profile tell them apart.
        let _ = rustix::thread::set_name(c"control");
        let keeper = Gatekeeper::new(window.as_millis().max(1) as u64, strict);
        let keeper = Rc::new(RefCell::new(keeper));
        let control = Rc::new(RefCell::new(
            Control::new(table, keeper.clone())
                .having_spent(spent)
                .counting(cooldowns),
        ));
        CONTROL.with_borrow_mut(|slot| *slot = Some(control.clone()));
        let _ = tell.send((
            RouterActor::attach(control),
            GatekeeperActor::new(keeper).start(),
        ));
    });
    let (router, gatekeeper) = told
        .recv_timeout(Duration::from_secs(5))
        .map_err(|_| NotStarted)?;
    Ok(Arc::new(ControlHandle {
        arbiter: arbiter.handle(),
        router: ArcSwap::from_pointee(router),
        gatekeeper,
    }))
}

impl ControlHandle {
    pub fn router(&self) -> Addr<RouterActor> {
        Addr::clone(&self.router.load())
    }

    pub fn gatekeeper(&self) -> &Addr<GatekeeperActor> {
        &self.gatekeeper
    }

    /// Attaches a new Router mailbox to the state of the control thread, when the old one has died.
    /// False when the thread itself is lost: then nothing can be decided any more.
    pub async fn revive(self: &Arc<Self>) -> bool {
        if self.router().connected() {
            return true;
        }
        log::error!("control: the router's mailbox was lost; attaching a new one to its state");
        let (tell, told) = tokio::sync::oneshot::channel();
        let handle = self.clone();
        let is_there = self.arbiter.spawn_fn(move || {
            if let Some(control) = CONTROL.with_borrow(Clone::clone) {
                handle.router.store(Arc::new(RouterActor::attach(control)));
            }
            let _ = tell.send(());
        });
        is_there && told.await.is_ok()
    }
}
