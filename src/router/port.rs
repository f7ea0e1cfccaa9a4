//! A worker's side of the control thread.
//!
//! A lone cross-thread message costs two wake-ups. So everything this worker has to say in one turn of its event loop goes
//! into one message, and while that one is under way the next fills.

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{Notify, oneshot};

use super::start::ControlHandle;
use super::turn::{Answer, Begin, Denied, End, Next, Outcome, Ticket, Turn, TurnAnswer};
use crate::steps;

/// How often a turn is sent while mailboxes die under it.
const ASKED: usize = 16;

type Waiter = oneshot::Sender<Answer>;

#[derive(Default)]
struct Gathering {
    turn: Turn,
    next_waiters: Vec<Waiter>,
    begin_waiters: Vec<Waiter>,
}

/// One a worker thread, cheap to clone.
#[derive(Clone)]
pub struct Port {
    gathering: Rc<RefCell<Gathering>>,
    wake: Rc<Notify>,
}

impl Port {
    /// Starts the local task that sends this thread's turns.
    pub fn open(control: Arc<ControlHandle>) -> Self {
        let port = Self {
            gathering: Rc::default(),
            wake: Rc::new(Notify::new()),
        };
        let pump = port.clone();
        actix_rt::spawn(async move {
            loop {
                let ended = pump.clone().pump(control.clone());
                steps::contained_future("port.pump", pin!(ended)).await;
                // What has been gathered meanwhile is not to wait for the next entry.
                pump.wake.notify_one();
            }
        });
        port
    }

    /// Asks for admission. When the caller drops this future before the answer, the ticket is given back.
    pub async fn begin(&self, begin: Begin) -> Answer {
        let (tell, told) = oneshot::channel();
        let group = begin.group;
        {
            let mut gathering = self.gathering.borrow_mut();
            gathering.turn.begins.push(begin);
            gathering.begin_waiters.push(tell);
        }
        self.wake.notify_one();
        self.wait(told, group, Opens::Hold).await
    }

    /// Reports a failure and asks for another deployment.
    pub async fn next(&self, next: Next) -> Answer {
        let (tell, told) = oneshot::channel();
        let group = next.group;
        {
            let mut gathering = self.gathering.borrow_mut();
            gathering.turn.nexts.push(next);
            gathering.next_waiters.push(tell);
        }
        self.wake.notify_one();
        self.wait(told, group, Opens::LeaseOnly).await
    }

    async fn wait(&self, told: oneshot::Receiver<Answer>, group: u32, opens: Opens) -> Answer {
        let mut waiting = Waiting {
            port: self,
            told,
            group,
            opens,
        };
        (&mut waiting.told).await.unwrap_or(Err(Denied::Failed))
    }

    /// Closes a request. Never waits, so that it can be called from a `Drop`.
    pub fn end(&self, end: End) {
        self.gathering.borrow_mut().turn.ends.push(end);
        self.wake.notify_one();
    }

    async fn pump(self, control: Arc<ControlHandle>) {
        let mut spare = Gathering::default();
        loop {
            // Woken by the first entry, this task runs after the tasks that are ready now: their entries come along.
            self.wake.notified().await;
            steps::point("port.pump");
            loop {
                let Gathering {
                    turn,
                    mut next_waiters,
                    mut begin_waiters,
                } = self.gathering.replace(std::mem::take(&mut spare));
                if turn.is_empty() {
                    break;
                }
                let turn = Arc::new(turn);
                let mut answer = ask(&control, &turn).await;
                let nexts = next_waiters.drain(..).zip(answer.nexts.drain(..));
                for ((waiter, answer), next) in nexts.zip(&turn.nexts) {
                    self.deliver(waiter, answer, next.group, Opens::LeaseOnly);
                }
                let begins = begin_waiters.drain(..).zip(answer.begins.drain(..));
                for ((waiter, answer), begin) in begins.zip(&turn.begins) {
                    self.deliver(waiter, answer, begin.group, Opens::Hold);
                }
                // What was allocated serves again, unless the control thread still looks at it.
                if let Ok(mut turn) = Arc::try_unwrap(turn) {
                    turn.clear();
                    spare = Gathering {
                        turn,
                        next_waiters,
                        begin_waiters,
                    };
                }
            }
        }
    }

    /// Hands an answer to its waiter; gives the ticket back when nobody waits any more.
    fn deliver(&self, waiter: Waiter, answer: Answer, group: u32, opens: Opens) {
        if let Err(Ok(ticket)) = waiter.send(answer) {
            self.give_back(ticket, group, opens);
        }
    }

    /// Closes what was admitted and did not begin.
    pub fn return_admission(&self, ticket: Ticket, group: u32) {
        self.give_back(ticket, group, Opens::Hold);
    }

    /// Frees what was given to a request under way and is not used.
    pub fn return_lease(&self, ticket: Ticket, group: u32) {
        self.give_back(ticket, group, Opens::LeaseOnly);
    }

    fn give_back(&self, ticket: Ticket, group: u32, opens: Opens) {
        self.end(End {
            hold: matches!(opens, Opens::Hold).then_some(ticket.hold),
            lease: Some((ticket.lease, Outcome::Neutral)),
            unmade: ticket.unmade,
            group,
            ..End::default()
        });
    }
}

/// What a ticket opens, and so what goes back with one that nobody takes.
#[derive(Clone, Copy)]
enum Opens {
    Hold,
    /// The hold is that of an earlier ticket: whoever has that one settles it.
    LeaseOnly,
}

/// Somebody who waits for an answer. The wait may be given up when the answer has been sent and not yet taken (its client left
/// in the same turn): then the ticket goes back from here.
struct Waiting<'a> {
    port: &'a Port,
    told: oneshot::Receiver<Answer>,
    group: u32,
    opens: Opens,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Ok(Ok(ticket)) = self.told.try_recv() {
            self.port.give_back(ticket, self.group, self.opens);
        }
    }
}

async fn ask(control: &Arc<ControlHandle>, turn: &Arc<Turn>) -> TurnAnswer {
    // What ends in this turn must be told, whatever becomes of the mailbox.
    for _ in 0..ASKED {
        match control.router().send(turn.clone()).await {
            Ok(answer) => return answer,
            Err(_) if control.revive().await => {}
            Err(_) => break,
        }
    }
    let failed = |count: usize| (0..count).map(|_| Err(Denied::Failed)).collect();
    TurnAnswer {
        nexts: failed(turn.nexts.len()),
        begins: failed(turn.begins.len()),
    }
}
