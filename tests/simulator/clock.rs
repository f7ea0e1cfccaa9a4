//! Waiting to some ten microseconds. tokio's timer counts whole milliseconds, ten times what a gateway may add to a request, and
//! would hide or invent that. One thread sleeps until the next deadline and wakes the tasks that are due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

struct Alarm {
    due: Instant,
    wake: oneshot::Sender<()>,
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Alarm {}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

#[derive(Default)]
struct Clock {
    alarms: Mutex<BinaryHeap<Reverse<Alarm>>>,
    earlier: Condvar,
}

/// Returns at `due`, or at once if that is past.
pub async fn sleep_until(due: Instant) {
    if due <= Instant::now() {
        return;
    }
    let (wake, woken) = oneshot::channel();
    clock().set(Alarm { due, wake });
    // An error would mean that the clock's thread died; then nobody waits any longer.
    let _ = woken.await;
}

fn clock() -> &'static Clock {
    static CLOCK: OnceLock<&'static Clock> = OnceLock::new();
    CLOCK.get_or_init(|| {
        let clock: &'static Clock = Box::leak(Box::default());
        std::thread::Builder::new()
            .name("sim-clock".into())
            .spawn(move || clock.run())
            .expect("a thread for the clock");
        clock
    })
}

// === impl Clock ===

impl Clock {
    fn set(&self, alarm: Alarm) {
        let mut alarms = self.alarms.lock().unwrap_or_else(PoisonError::into_inner);
        let first = alarms
            .peek()
            .is_none_or(|Reverse(next)| alarm.due < next.due);
        alarms.push(Reverse(alarm));
        if first {
            self.earlier.notify_one();
        }
    }

    fn run(&self) {
        let mut alarms = self.alarms.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let now = Instant::now();
            while alarms.peek().is_some_and(|Reverse(next)| next.due <= now) {
                if let Some(Reverse(alarm)) = alarms.pop() {
                    // Nobody may be waiting any more: the peer left.
                    let _ = alarm.wake.send(());
                }
            }
            alarms = match alarms.peek() {
                Some(Reverse(next)) => {
                    let pause = next.due.saturating_duration_since(Instant::now());
                    self.earlier
                        .wait_timeout(alarms, pause)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self
                    .earlier
                    .wait(alarms)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}
