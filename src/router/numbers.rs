//! The numbers by which messages name deployments and groups.
//!
//! A request that began under an earlier table still speaks its numbers, so a number keeps its meaning for as long as anybody
//! holds a table in which it has one. What stays in the configuration keeps its number; one that nobody can mean any more is
//! given again, so that the arrays which they index stay short.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// Gives the numbers of a new table.
pub struct Numbers<K> {
    /// What each number means in the tables that are still held; of two that name a key the newer one counts.
    known: HashMap<K, u32>,
    /// Numbers that mean something there, or have been given since.
    used: HashSet<u32>,
    next: u32,
}

impl<K: Eq + Hash> Numbers<K> {
    /// `held` are the keys and numbers of all tables that are still held, oldest first.
    pub fn after(held: impl Iterator<Item = (K, u32)>) -> Self {
        let known: HashMap<K, u32> = held.collect();
        Self {
            used: known.values().copied().collect(),
            known,
            next: 0,
        }
    }

    /// The number of `key`, which must be asked for once.
    pub fn give(&mut self, key: &K) -> u32 {
        if let Some(number) = self.known.get(key) {
            return *number;
        }
        while !self.used.insert(self.next) {
            self.next += 1;
        }
        self.next
    }
}

/// Puts `value` at its number.
pub fn place<T>(values: &mut Vec<Option<T>>, number: u32, value: T) {
    let number = number as usize;
    if values.len() <= number {
        values.resize_with(number + 1, || None);
    }
    values[number] = Some(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_keeps_its_number_and_what_is_held_is_not_given_again() {
        let mut first = Numbers::after(std::iter::empty());
        assert_eq!(["a", "b", "c"].map(|key| first.give(&key)), [0, 1, 2]);
        // `b` has gone, but a table that knows it is held.
        let mut second = Numbers::after([("a", 0), ("b", 1), ("c", 2)].into_iter());
        assert_eq!(["c", "d", "a"].map(|key| second.give(&key)), [2, 3, 0]);
        // Now nobody can mean `b`.
        let mut third = Numbers::after([("c", 2), ("d", 3), ("a", 0)].into_iter());
        assert_eq!(["e", "f", "a"].map(|key| third.give(&key)), [1, 4, 0]);
        // It comes back while an old table is held: the same number.
        let mut fourth = Numbers::after([("a", 0), ("b", 1), ("a", 0)].into_iter());
        assert_eq!(["x", "b"].map(|key| fourth.give(&key)), [2, 1]);
    }
}
