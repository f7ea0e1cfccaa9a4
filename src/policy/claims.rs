//! Who went where: what calls share, and the deployment that the first of them went to. Kept for a while, and bounded.

use std::collections::{HashMap, VecDeque};

/// Claims that are kept at most; of more the oldest go. Some 10 MB.
const MOST: usize = 100_000;
/// So few are not worth a look at which of them have been renewed.
const SOME: usize = 64;

/// What calls share, and in which group: the same session may be somewhere else in another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    pub group: u32,
    pub kind: Kind,
    /// A hash of it.
    pub of: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Session,
    Caller,
    Beginning,
}

/// A deployment, and which of those that have had its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub deployment: u32,
    pub generation: u32,
}

/// See the module. `now` and ends are milliseconds of a monotonic clock.
#[derive(Debug, Default)]
pub struct Claims {
    places: HashMap<Claim, (Place, u64)>,
    /// In the order they were made; those that are renewed stand here again.
    oldest_first: VecDeque<(Claim, u64)>,
}

impl Claims {
    /// Where the calls of a claim go.
    pub fn place(&self, claim: &Claim, now: u64) -> Option<Place> {
        let (place, until) = self.places.get(claim)?;
        (now < *until).then_some(*place)
    }

    /// The calls of a claim go there from now on, until then.
    pub fn make(&mut self, claim: Claim, place: Place, now: u64, until: u64) {
        self.places.insert(claim, (place, until));
        self.oldest_first.push_back((claim, until));
        if self.oldest_first.len() > 2 * self.places.len().max(SOME) {
            let places = &self.places;
            let is_current = |(claim, until): &(Claim, u64)| {
                places
                    .get(claim)
                    .is_some_and(|(_, current)| current == until)
            };
            self.oldest_first.retain(is_current);
        }
        while let Some((oldest, until)) = self.oldest_first.front().copied() {
            let current = self.places.get(&oldest).map(|(_, until)| *until);
            let is_renewed = current != Some(until);
            if !is_renewed && now < until && self.places.len() <= MOST {
                break;
            }
            self.oldest_first.pop_front();
            if !is_renewed {
                self.places.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(of: u64) -> Claim {
        Claim {
            group: 0,
            kind: Kind::Session,
            of,
        }
    }

    fn place(deployment: u32) -> Place {
        Place {
            deployment,
            generation: 0,
        }
    }

    #[test]
    fn the_last_one_counts_until_it_is_over() {
        let mut claims = Claims::default();
        claims.make(claim(1), place(1), 0, 10);
        assert_eq!(claims.place(&claim(1), 9), Some(place(1)));
        assert_eq!(claims.place(&claim(1), 10), None);
        claims.make(claim(1), place(2), 10, 20);
        assert_eq!(claims.place(&claim(1), 10), Some(place(2)));
        claims.make(claim(1), place(3), 11, 30);
        assert_eq!(claims.place(&claim(1), 29), Some(place(3)));
    }

    #[test]
    fn they_are_bounded_and_forgotten() {
        let mut claims = Claims::default();
        for of in 0..2 * MOST as u64 {
            claims.make(claim(of), place(0), of, of + 1_000_000);
        }
        assert_eq!(claims.places.len(), MOST);
        assert_eq!(claims.place(&claim(0), 5), None);
        claims.make(claim(1), place(0), 9_000_000, 9_000_001);
        assert_eq!((claims.places.len(), claims.oldest_first.len()), (1, 1));
    }

    #[test]
    fn renewing_takes_no_room() {
        let mut claims = Claims::default();
        for now in 0..10_000 {
            claims.make(claim(now % 3), place(0), now, now + 1_000_000);
        }
        assert!(claims.oldest_first.len() <= 2 * SOME + 1);
        assert!((0..3).all(|of| claims.place(&claim(of), 10_000).is_some()));
    }
}
