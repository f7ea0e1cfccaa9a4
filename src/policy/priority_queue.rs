//! Who is next when nobody takes calls: lower priorities first, and of equals who came first (LiteLLM's scheduler).
//!
//! A request that waits asks again and again; one that has not asked for a while has gone, and keeps nobody waiting.

use std::collections::BTreeMap;

/// Requests that wait for one group at most.
const MOST: usize = 1_000;
/// Who has not asked for so long has gone, in milliseconds.
const PATIENCE_MS: u64 = 1_000;

/// A place in a queue. Lower ones are next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    priority: i64,
    number: u64,
}

/// See the module. `now` is milliseconds of a monotonic clock.
#[derive(Debug, Default)]
pub struct PriorityQueue {
    /// With the moment at which each has asked last.
    waiting: BTreeMap<Place, u64>,
    next: u64,
}

impl PriorityQueue {
    /// Takes a place; `None`: too many wait.
    pub fn join(&mut self, priority: i64, now: u64) -> Option<Place> {
        if self.waiting.len() >= MOST {
            self.forget(now);
        }
        if self.waiting.len() >= MOST {
            return None;
        }
        let place = Place {
            priority,
            number: self.next,
        };
        self.next += 1;
        self.waiting.insert(place, now);
        Some(place)
    }

    /// Whoever has this place asks: whether it is its turn. One whose place was forgotten has it again.
    pub fn is_next(&mut self, place: Place, now: u64) -> bool {
        self.waiting.insert(place, now);
        loop {
            match self.waiting.first_key_value() {
                Some((first, seen)) if now.saturating_sub(*seen) >= PATIENCE_MS => {
                    let gone = *first;
                    self.waiting.remove(&gone);
                }
                Some((first, _)) => return *first == place,
                None => return true,
            }
        }
    }

    /// Its call was granted, or it waits no more.
    pub fn leave(&mut self, place: Place) {
        self.waiting.remove(&place);
    }

    /// Nobody waits.
    pub fn is_empty(&mut self, now: u64) -> bool {
        self.forget(now);
        self.waiting.is_empty()
    }

    fn forget(&mut self, now: u64) {
        self.waiting
            .retain(|_, seen| now.saturating_sub(*seen) < PATIENCE_MS);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lower_priorities_first_and_of_equals_who_came_first() {
        let mut queue = PriorityQueue::default();
        let [late, early, urgent] = [5, 5, 1].map(|priority| queue.join(priority, 0).unwrap());
        assert!(!queue.is_next(late, 10) && !queue.is_next(early, 10));
        assert!(queue.is_next(urgent, 10));
        queue.leave(urgent);
        assert!(queue.is_next(late, 20) && !queue.is_next(early, 20));
        // The first one has not asked for a second.
        assert!(queue.is_next(early, 1_020));
        assert!(!queue.is_empty(1_020) && queue.is_empty(2_020));
    }

    #[test]
    fn it_is_bounded() {
        let mut queue = PriorityQueue::default();
        assert!((0..MOST).all(|_| queue.join(0, 0).is_some()));
        assert_eq!(queue.join(0, 999), None);
        assert!(queue.join(0, 1_000).is_some());
    }

    proptest! {
        /// Exactly one of those that ask is next, and it is the lowest.
        #[test]
        fn one_is_next(priorities in prop::collection::vec(any::<i8>(), 1..40)) {
            let mut queue = PriorityQueue::default();
            let places: Vec<Place> = priorities.iter().map(|own| queue.join(i64::from(*own), 0).unwrap()).collect();
            let next: Vec<&Place> = places.iter().filter(|place| queue.is_next(**place, 1)).collect();
            prop_assert_eq!(next, vec![places.iter().min().unwrap()]);
        }
    }
}
