//! What one thread has made for names that stars stand for: names come from outside, so only some are remembered.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;

/// Names that are remembered at a place.
const MOST: usize = 256;

/// See the module.
pub struct Concretes<K, V> {
    made: RefCell<HashMap<K, V>>,
}

impl<K, V> Default for Concretes<K, V> {
    fn default() -> Self {
        Self {
            made: RefCell::default(),
        }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Concretes<K, V> {
    /// What is known of `key`, or else is made of it. When there are too many, all are forgotten: who uses one keeps it.
    pub fn get_or_make(&self, key: &K, make: impl FnOnce() -> V) -> V {
        if let Some(known) = self.made.borrow().get(key) {
            return known.clone();
        }
        let new = make();
        let mut made = self.made.borrow_mut();
        if made.len() >= MOST {
            made.clear();
        }
        made.insert(key.clone(), new.clone());
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_and_bounded() {
        let concretes = Concretes::default();
        assert_eq!(concretes.get_or_make(&0, || 1), 1);
        assert_eq!(concretes.get_or_make(&0, || 2), 1);
        for key in 0..10 * MOST {
            concretes.get_or_make(&key, || key);
            assert!(concretes.made.borrow().len() <= MOST);
        }
    }
}
