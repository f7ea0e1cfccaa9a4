//! The connections of one worker, and which of them have to go.
//!
//! A connection goes when its client does not take what it is given, when a request's head does not become whole, when nothing
//! comes at all, and when it is idle while there is hardly room for others. That is looked at for all of them together every
//! now and then, so that a request costs no timer.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

/// Idle connections go after this long when room is short.
const IDLE_IN_NEED: Duration = Duration::from_secs(5);

/// Bytes that may come while no request is being answered: more than the largest head, and so what is left of a body that
/// nobody reads.
const MOST_UNASKED: usize = 512 * 1024;

/// How patient the server is.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// A request's head must be whole so long after its first byte.
    pub head: Duration,
    /// A client may take nothing for so long.
    pub write: Duration,
    /// Idle connections are kept for so long.
    pub keep_alive: Duration,
    /// Connections of one worker.
    pub most: usize,
}

/// See the module.
pub struct Visitors {
    patience: Patience,
    /// The time at the last look: what happens in between needs no clock.
    now: Cell<Instant>,
    all: RefCell<HashMap<u64, Rc<Visit>>>,
    next: Cell<u64>,
}

/// One connection.
pub struct Visit {
    /// A request is being answered.
    is_busy: Cell<bool>,
    /// Since when it is not, or since the connection is there.
    idle_since: Cell<Instant>,
    /// Since when a part of a request's head is there.
    head_since: Cell<Option<Instant>>,
    /// Bytes that came since.
    unasked: Cell<usize>,
    /// Since when nothing can be written.
    stalled_since: Cell<Option<Instant>>,
    is_over: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    visitors: Weak<Visitors>,
    number: u64,
}

impl Visitors {
    /// Begins to look after the connections of this thread.
    pub fn new(patience: Patience) -> Rc<Self> {
        let visitors = Rc::new(Self {
            patience,
            now: Cell::new(Instant::now()),
            all: RefCell::default(),
            next: Cell::default(),
        });
        let looked_after = Rc::downgrade(&visitors);
        let shortest = patience.head.min(patience.write);
        let pause = (shortest / 4).clamp(Duration::from_millis(50), Duration::from_secs(1));
        actix_web::rt::spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                let Some(visitors) = looked_after.upgrade() else {
                    return;
                };
                visitors.look(Instant::now());
            }
        });
        visitors
    }

    /// A new connection.
    pub fn enter(self: &Rc<Self>) -> Rc<Visit> {
        let number = self.next.get();
        self.next.set(number + 1);
        let visit = Rc::new(Visit {
            is_busy: Cell::new(false),
            idle_since: Cell::new(self.now.get()),
            head_since: Cell::default(),
            unasked: Cell::default(),
            stalled_since: Cell::default(),
            is_over: Cell::new(false),
            waker: RefCell::default(),
            visitors: Rc::downgrade(self),
            number,
        });
        self.all.borrow_mut().insert(number, visit.clone());
        visit
    }

    /// Ends what has to end.
    fn look(&self, now: Instant) {
        self.now.set(now);
        let all = self.all.borrow();
        let is_short = all.len() > self.patience.most - self.patience.most / 8;
        let over: Vec<Rc<Visit>> = all
            .values()
            .filter(|visit| visit.why_over(&self.patience, is_short, now).is_some())
            .cloned()
            .collect();
        drop(all);
        for visit in over {
            visit.end();
        }
    }
}

/// Why a connection has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    TakesNothing,
    SlowHead,
    Idle,
}

impl Visit {
    /// A request begins.
    pub fn begin(&self) {
        self.is_busy.set(true);
        self.head_since.set(None);
        self.unasked.set(0);
    }

    /// Its answer is written, or given up.
    pub fn finish(&self) {
        self.is_busy.set(false);
        self.idle_since.set(self.now());
    }

    /// Bytes came.
    pub fn heard(&self, bytes: usize) {
        if self.is_busy.get() {
            return;
        }
        if self.head_since.get().is_none() {
            self.head_since.set(Some(self.now()));
        }
        self.unasked.set(self.unasked.get() + bytes);
        if self.unasked.get() > MOST_UNASKED {
            self.is_over.set(true);
        }
    }

    /// Bytes could be written.
    pub fn told(&self) {
        self.stalled_since.set(None);
    }

    /// No byte could be written.
    pub fn stalled(&self) {
        if self.stalled_since.get().is_none() {
            self.stalled_since.set(Some(self.now()));
        }
    }

    /// A request is being answered.
    pub fn is_busy(&self) -> bool {
        self.is_busy.get()
    }

    /// Nothing can be written.
    pub fn is_stalled(&self) -> bool {
        self.stalled_since.get().is_some()
    }

    /// Whether the connection has to go; if not, `context` is woken when it has to.
    pub fn is_over(&self, context: &Context<'_>) -> bool {
        let mut waker = self.waker.borrow_mut();
        if !waker
            .as_ref()
            .is_some_and(|own| own.will_wake(context.waker()))
        {
            *waker = Some(context.waker().clone());
        }
        self.is_over.get()
    }

    /// The connection is gone.
    pub fn leave(&self) {
        if let Some(visitors) = self.visitors.upgrade() {
            visitors.all.borrow_mut().remove(&self.number);
        }
    }

    fn now(&self) -> Instant {
        let visitors = self.visitors.upgrade();
        visitors.map_or_else(Instant::now, |visitors| visitors.now.get())
    }

    fn why_over(&self, patience: &Patience, is_short: bool, now: Instant) -> Option<Why> {
        let longer = |since: Option<Instant>, limit: Duration| {
            since.is_some_and(|since| now.duration_since(since) > limit)
        };
        if longer(self.stalled_since.get(), patience.write) {
            return Some(Why::TakesNothing);
        }
        if self.is_busy.get() {
            return None;
        }
        if longer(self.head_since.get(), patience.head) {
            return Some(Why::SlowHead);
        }
        // A part of a head that came with the request before is not seen as one: then this is its limit.
        let idle = if is_short {
            IDLE_IN_NEED
        } else {
            patience.keep_alive + patience.head
        };
        longer(Some(self.idle_since.get()), idle).then_some(Why::Idle)
    }

    fn end(&self) {
        self.is_over.set(true);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        head: Duration::from_secs(30),
        write: Duration::from_secs(60),
        keep_alive: Duration::from_secs(75),
        most: 16,
    };

    #[actix_web::test]
    async fn who_has_to_go() {
        let visitors = Visitors::new(PATIENCE);
        let visit = visitors.enter();
        let start = visitors.now.get();
        let why = |seconds| visit.why_over(&PATIENCE, false, start + Duration::from_secs(seconds));
        assert_eq!((why(105), why(106)), (None, Some(Why::Idle)));
        visit.heard(1);
        assert_eq!((why(30), why(31)), (None, Some(Why::SlowHead)));
        visit.heard(MOST_UNASKED - 1);
        assert!(!visit.is_over.get());
        visit.begin();
        visit.heard(MOST_UNASKED);
        assert_eq!(why(10_000), None);
        visit.stalled();
        assert_eq!((why(60), why(61)), (None, Some(Why::TakesNothing)));
        visit.told();
        assert_eq!(why(61), None);
        visit.stalled();
        visit.finish();
        assert_eq!(why(61), Some(Why::TakesNothing));
        visit.told();
        assert_eq!(why(61), None);
        visit.heard(MOST_UNASKED + 1);
        assert!(visit.is_over.get());
        visit.leave();
        assert!(visitors.all.borrow().is_empty());
    }

    #[actix_web::test]
    async fn the_idle_make_room() {
        let visitors = Visitors::new(PATIENCE);
        let (idle, busy) = (visitors.enter(), visitors.enter());
        busy.begin();
        let later = visitors.now.get() + Duration::from_secs(6);
        visitors.look(later);
        assert!(!idle.is_over.get());
        let many: Vec<_> = (0..13).map(|_| visitors.enter()).collect();
        visitors.look(later);
        assert!(idle.is_over.get() && !busy.is_over.get());
        assert!(many.iter().all(|new| !new.is_over.get()));
    }
}
