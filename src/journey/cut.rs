//! The end of what is still under way on a thread when the process has no more time for it.
//!
//! Every future of a request that may wait long is polled through here. When the time is over each is woken once and gives
//! way, so that its client is told and its call is charged, instead of both being cut off with the process.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::sync::watch;

/// How far the end of the process has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    #[default]
    Serving,
    /// Readiness says no, and everybody who comes all the same is served.
    Leaving,
    /// Told to stop: calls under way may end.
    Draining,
    /// What is left is cut short now.
    Cut,
    /// Threads drop what they have.
    Over,
}

/// Tells all threads how far it has come.
#[derive(Debug, Default)]
pub struct Ending {
    phase: watch::Sender<Phase>,
}

impl Ending {
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Never back.
    pub fn advance(&self, phase: Phase) {
        self.phase.send_if_modified(|now| {
            let is_later = phase > *now;
            *now = phase.max(*now);
            is_later
        });
    }

    /// Resolves when it has come so far. Never, when it is dropped before.
    pub fn reached(&self, phase: Phase) -> impl Future<Output = ()> + use<> {
        let mut told = self.phase.subscribe();
        async move {
            if told.wait_for(|now| *now >= phase).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// One a thread.
#[derive(Default)]
pub struct Cut {
    is_over: Cell<bool>,
    /// Of those who wait; free places are listed in `free`.
    waiting: RefCell<Vec<Option<Waker>>>,
    free: RefCell<Vec<usize>>,
}

impl Cut {
    /// What is under way here has no more time.
    pub fn is_over(&self) -> bool {
        self.is_over.get()
    }

    /// Wakes all who wait; whoever waits later gives way at once.
    pub fn cut(&self) {
        self.is_over.set(true);
        let waiting = self.waiting.borrow().clone();
        waiting.into_iter().flatten().for_each(Waker::wake);
    }

    /// A place to wait at, kept for as long as a request takes.
    pub fn place(self: &Rc<Self>) -> Place {
        let number = self.free.borrow_mut().pop().unwrap_or_else(|| {
            let mut waiting = self.waiting.borrow_mut();
            waiting.push(None);
            waiting.len() - 1
        });
        Place {
            cut: self.clone(),
            number,
        }
    }
}

/// See [`Cut::place`].
pub struct Place {
    cut: Rc<Cut>,
    number: usize,
}

impl Place {
    /// What `future` gives, or `None` when the time is over before. Pinned by the caller: taken by value, a future has room
    /// for itself twice.
    pub async fn wait<T>(&self, mut future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        poll_fn(|context| {
            if self.cut.is_over() {
                return Poll::Ready(None);
            }
            self.remember(context);
            future.as_mut().poll(context).map(Some)
        })
        .await
    }

    fn remember(&self, context: &Context<'_>) {
        let mut waiting = self.cut.waiting.borrow_mut();
        if let Some(kept) = waiting.get_mut(self.number) {
            match kept {
                // The same task nearly always: nothing to be done.
                Some(waker) if waker.will_wake(context.waker()) => {}
                kept => *kept = Some(context.waker().clone()),
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(kept) = self.cut.waiting.borrow_mut().get_mut(self.number) {
            *kept = None;
        }
        self.cut.free.borrow_mut().push(self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[test]
    fn there_is_no_way_back() {
        let ending = Ending::default();
        for (told, now) in [
            (Phase::Leaving, Phase::Leaving),
            (Phase::Draining, Phase::Draining),
            (Phase::Leaving, Phase::Draining),
        ] {
            ending.advance(told);
            assert_eq!(ending.phase(), now);
        }
    }

    #[actix_web::test]
    async fn who_waits_gives_way() {
        let cut = Rc::new(Cut::default());
        let place = cut.place();
        assert_eq!(place.wait(pin!(async { 7 })).await, Some(7));
        let waiting =
            actix_web::rt::spawn(
                async move { place.wait(pin!(std::future::pending::<()>())).await },
            );
        let other = cut.place();
        actix_web::rt::task::yield_now().await;
        cut.cut();
        assert_eq!(waiting.await.unwrap(), None);
        assert_eq!(other.wait(pin!(async { 7 })).await, None, "too late");
        // Places are used again.
        drop(other);
        assert_eq!(cut.free.borrow().len(), 2);
        let again = cut.place();
        assert!(again.number < 2);
    }
}
