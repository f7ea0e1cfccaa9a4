//! One request's way from group to group.

use std::sync::Arc;

use super::lists::{Target, Targets};

/// A step of the way; `P` is what a name leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop<P> {
    pub to: P,
    pub target: Target,
}

/// Where a request has been, and what is left to try: depth first, as LiteLLM 1.106.2 goes. When a fallback fails, its own
/// fallbacks come before those that are left of the group before it.
///
/// Ends always: a list is entered once, a group is asked once (again only with other fields), and `max_fallbacks` bounds the
/// steps.
#[derive(Clone, Debug)]
pub struct Walk<P> {
    /// Lists under way, innermost last, each with the place of its next target.
    open: Vec<(Targets, usize)>,
    entered: Vec<Targets>,
    asked: Vec<P>,
    hops: u32,
}

impl<P: Clone + PartialEq> Walk<P> {
    /// A request that asks for `place`.
    pub fn from(place: P) -> Self {
        Self {
            open: Vec::new(),
            entered: Vec::new(),
            asked: vec![place],
            hops: 0,
        }
    }

    /// Groups asked after the first.
    pub fn hops(&self) -> u32 {
        self.hops
    }

    /// The group that was asked last has failed, and these are its fallbacks.
    pub fn enter(&mut self, targets: &Targets) {
        if self.entered.iter().any(|known| Arc::ptr_eq(known, targets)) {
            return;
        }
        self.entered.push(targets.clone());
        self.open.push((targets.clone(), 0));
    }

    /// The next group, at most `most` in all. `resolve` answers where a name leads; names that lead nowhere, or where
    /// the request may not go, are passed over.
    pub fn next(&mut self, most: u32, resolve: impl Fn(&Target) -> Option<P>) -> Option<Hop<P>> {
        if self.hops >= most {
            return None;
        }
        while let Some((targets, place)) = self.open.last_mut() {
            let Some(target) = targets.get(*place).cloned() else {
                self.open.pop();
                continue;
            };
            *place += 1;
            let Some(to) = resolve(&target) else {
                continue;
            };
            if self.asked.contains(&to) && target.overrides.is_empty() {
                continue;
            }
            self.asked.push(to.clone());
            self.hops += 1;
            return Some(Hop { to, target });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(names: &str) -> Targets {
        names.split_whitespace().map(Target::plain).collect()
    }

    /// `a` is group 0, `b` is 1 …; `-` leads nowhere.
    fn group(target: &Target) -> Option<u32> {
        let letter = target.model.bytes().next()?;
        letter.checked_sub(b'a').map(u32::from)
    }

    /// The way of a request for `a` when every group fails.
    fn way(lists: &[(&str, &str)], most: u32) -> String {
        let lists: Vec<(u32, Targets)> = lists
            .iter()
            .filter_map(|(of, names)| Some((group(&Target::plain(*of))?, targets(names))))
            .collect();
        let mut walk = Walk::from(0);
        let (mut at, mut way) = (0, String::new());
        loop {
            if let Some((_, targets)) = lists.iter().find(|(of, _)| *of == at) {
                walk.enter(targets);
            }
            let Some(hop) = walk.next(most, group) else {
                return way;
            };
            way.push_str(&hop.target.model);
            at = hop.to;
        }
    }

    #[test]
    fn depth_first_each_once() {
        for (lists, most, expected) in [
            (&[("a", "b c")][..], 5, "bc"),
            (&[("a", "b c"), ("b", "d")], 5, "bdc"),
            (&[("a", "b c"), ("b", "c d")], 5, "bcd"),
            // Itself, a group that was asked, a name of nobody.
            (&[("a", "a b b - c")], 5, "bc"),
            (&[("a", "b"), ("b", "a")], 5, "b"),
            (&[("a", "b c d e f g")], 5, "bcdef"),
            (&[("a", "b c")], 0, ""),
            (&[("b", "c")], 5, ""),
        ] {
            assert_eq!(way(lists, most), expected, "{lists:?}");
        }
    }

    #[test]
    fn the_same_group_with_other_fields_is_another_step() {
        let shorter = Target {
            overrides: vec![("messages".into(), b"[]".to_vec())],
            ..Target::plain("a")
        };
        let list: Targets = [shorter.clone(), shorter].into();
        let mut walk = Walk::from(0);
        for expected in [Some(0), Some(0), None] {
            walk.enter(&list);
            assert_eq!(walk.next(5, group).map(|hop| hop.to), expected);
        }
        assert_eq!(walk.hops(), 2);
    }
}
