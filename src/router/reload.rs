//! Another configuration while calls are under way: the message that puts its table in the place of the present one, and the
//! tables that are still held.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use actix::{Handler, Message};

use super::actor::RouterActor;
use super::table::{Earlier, RoutingTable};

/// Decides by `table` from now on.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Reload {
    pub table: Arc<RoutingTable>,
    /// Tells the workers: done on the control thread before another turn is answered, so that whoever is answered with a
    /// number can find the table that has it.
    pub publish: Box<dyn FnOnce() + Send>,
}

impl Handler<Reload> for RouterActor {
    type Result = ();

    fn handle(&mut self, reload: Reload, _: &mut Self::Context) {
        self.replace(reload.table);
        (reload.publish)();
    }
}

/// An answer that is under way names numbers of a table that nobody may hold any more; so the last few are held here.
const RECENT: usize = 4;

/// The tables that somebody still holds: the one in force, and those of calls that began under an earlier one.
pub struct Tables {
    present: Arc<RoutingTable>,
    /// Newest last.
    recent: VecDeque<Arc<RoutingTable>>,
    before: Vec<Weak<RoutingTable>>,
}

impl Tables {
    pub fn new(present: Arc<RoutingTable>) -> Self {
        Self {
            present,
            recent: VecDeque::new(),
            before: Vec::new(),
        }
    }

    /// For compiling the next one.
    pub fn earlier(&mut self, settings_are_kept: bool) -> Earlier {
        self.before.retain(|table| table.strong_count() > 0);
        let before = self.before.iter().filter_map(Weak::upgrade);
        Earlier {
            tables: before.chain([self.present.clone()]).collect(),
            settings_are_kept,
        }
    }

    /// `next` is in force.
    pub fn advance(&mut self, next: Arc<RoutingTable>) {
        let before = std::mem::replace(&mut self.present, next);
        self.before.push(Arc::downgrade(&before));
        self.recent.push_back(before);
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }
}
