//! Names with stars, found by what stands before their first star: a thousand of them cost as much as ten.

use std::collections::HashMap;

use crate::policy::wildcard::Wildcard;

/// See the module; each leads to a `T`.
pub struct Patterns<T> {
    /// Those that say more first, once they are sorted.
    all: Vec<(Wildcard, T)>,
    /// Places in the list by the beginning of each, in order.
    by_beginning: HashMap<Box<str>, Vec<usize>>,
    /// How long beginnings are, in bytes, each once.
    lengths: Vec<usize>,
}

impl<T> Default for Patterns<T> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            by_beginning: HashMap::new(),
            lengths: Vec::new(),
        }
    }
}

impl<T> Patterns<T> {
    /// Adds a name, if it has a star. It is found when all are sorted.
    pub fn add(&mut self, name: &str, leads_to: T) {
        if let Some(pattern) = Wildcard::parse(name) {
            self.all.push((pattern, leads_to));
        }
    }

    /// When all have been added.
    pub fn sort(&mut self) {
        self.all.sort_by_key(|(pattern, _)| pattern.rank());
        self.by_beginning.clear();
        for (place, (pattern, _)) in self.all.iter().enumerate() {
            let places = self.by_beginning.entry(pattern.beginning().into());
            places.or_default().push(place);
        }
        self.lengths = self.by_beginning.keys().map(|text| text.len()).collect();
        self.lengths.sort_unstable();
        self.lengths.dedup();
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The first that fits a name.
    pub fn find(&self, name: &str) -> Option<(&Wildcard, &T)> {
        let beginnings = self.lengths.iter().map_while(|length| {
            let is_short = *length <= name.len();
            is_short.then(|| name.get(..*length))
        });
        let lists = beginnings
            .flatten()
            .filter_map(|text| self.by_beginning.get(text));
        let fits = |place: &&usize| {
            let found = self.all.get(**place);
            found.is_some_and(|(pattern, _)| pattern.fits(name))
        };
        let first = lists.filter_map(|places| places.iter().find(fits)).min()?;
        let (pattern, leads_to) = self.all.get(*first)?;
        Some((pattern, leads_to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_one_after_another(
            names in prop::collection::vec("[abé*]{1,5}", 0..12),
            name in "[abé]{0,6}",
        ) {
            let mut patterns = Patterns::default();
            for (place, name) in names.iter().enumerate() {
                patterns.add(name, place);
            }
            patterns.sort();
            let mut all = patterns.all.iter();
            let expected = all.find(|(pattern, _)| pattern.fits(&name)).map(|(_, place)| *place);
            prop_assert_eq!(patterns.find(&name).map(|(_, place)| *place), expected);
        }
    }
}
