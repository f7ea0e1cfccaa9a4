//! A set of small numbers, one bit each.

/// See the module. Numbers beyond what it was made for are not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits(Box<[u64]>);

impl Bits {
    /// The set of these numbers.
    pub fn of(numbers: impl IntoIterator<Item = u32>) -> Self {
        let mut words = Vec::new();
        for number in numbers {
            let word = (number / u64::BITS) as usize;
            if words.len() <= word {
                words.resize(word + 1, 0);
            }
            words[word] |= 1u64 << (number % u64::BITS);
        }
        Self(words.into())
    }

    pub fn holds(&self, number: u32) -> bool {
        let word = self.0.get((number / u64::BITS) as usize);
        word.is_some_and(|word| word & (1 << (number % u64::BITS)) != 0)
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// The smallest number that is in both.
    pub fn first_shared(&self, other: &Self) -> Option<u32> {
        first((0..).zip(self.0.iter().zip(&other.0).map(|(own, other)| own & other)))
    }

    /// The smallest number of `others` that is not in this set.
    pub fn first_missing(&self, others: &Self) -> Option<u32> {
        let own = self.0.iter().copied().chain(std::iter::repeat(0));
        first((0..).zip(others.0.iter().zip(own).map(|(other, own)| other & !own)))
    }
}

fn first(words: impl Iterator<Item = (u32, u64)>) -> Option<u32> {
    let mut found = words.filter(|(_, word)| *word != 0);
    found
        .next()
        .map(|(place, word)| place * u64::BITS + word.trailing_zeros())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn as_a_set(a in proptest::collection::btree_set(0u32..200, 0..20), b in proptest::collection::btree_set(0u32..200, 0..20)) {
            let (x, y) = (Bits::of(a.iter().copied()), Bits::of(b.iter().copied()));
            for number in 0..260 {
                prop_assert_eq!(x.holds(number), a.contains(&number));
            }
            prop_assert_eq!(x.is_empty(), a.is_empty());
            prop_assert_eq!(x.first_shared(&y), a.intersection(&b).next().copied());
            let missing: BTreeSet<u32> = b.difference(&a).copied().collect();
            prop_assert_eq!(x.first_missing(&y), missing.first().copied());
        }
    }
}
