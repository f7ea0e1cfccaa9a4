//! Fallbacks that lead back to where they began.

use std::collections::HashMap;

/// A way that ends where it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circle {
    /// The groups in order, the first one once more at the end.
    pub groups: Vec<String>,
    /// Which list closes it, and which of its targets.
    pub entry: usize,
    pub target: usize,
}

/// The first circle of `lists`: each a group and the groups it falls back to, by one name a group. A group that names itself is
/// no circle: that target is passed over. Nor is one what begins at `*`, which stands for groups without a list of their own.
pub fn circle(lists: &[(String, Vec<String>)]) -> Option<Circle> {
    let mut by_group: HashMap<&str, usize> = HashMap::new();
    for (place, (group, _)) in lists.iter().enumerate() {
        // Of two lists of one group the first counts.
        by_group.entry(group).or_insert(place);
    }
    // 0 unseen, 1 on the way, 2 done. A stack of our own: a chain may be as long as a file.
    let mut state = vec![0_u8; lists.len()];
    for start in 0..lists.len() {
        if state.get(start) != Some(&0) {
            continue;
        }
        let mut way: Vec<(usize, usize)> = vec![(start, 0)];
        state[start] = 1;
        while let Some((entry, place)) = way.last_mut() {
            let (entry, target) = (*entry, *place);
            *place += 1;
            let Some((group, targets)) = lists.get(entry) else {
                break;
            };
            let Some(name) = targets.get(target) else {
                state[entry] = 2;
                way.pop();
                continue;
            };
            let Some(next) = by_group.get(name.as_str()).copied() else {
                continue;
            };
            if name == group || state.get(next) == Some(&2) {
                continue;
            }
            if state.get(next) == Some(&1) {
                let from = way.iter().position(|(entry, _)| *entry == next)?;
                let on_it = way[from..].iter().map(|(entry, _)| *entry);
                let groups = on_it
                    .chain([next])
                    .filter_map(|entry| lists.get(entry))
                    .map(|(group, _)| group.clone());
                return Some(Circle {
                    groups: groups.collect(),
                    entry,
                    target,
                });
            }
            state[next] = 1;
            way.push((next, 0));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lists: &[(&str, &str)]) -> Option<(String, usize, usize)> {
        let lists: Vec<(String, Vec<String>)> = lists
            .iter()
            .map(|(group, targets)| {
                let targets = targets.split_whitespace().map(str::to_owned);
                ((*group).to_owned(), targets.collect())
            })
            .collect();
        circle(&lists).map(|circle| (circle.groups.join(" "), circle.entry, circle.target))
    }

    #[test]
    fn circles_and_what_only_looks_like_one() {
        let some = |groups: &str, entry, target| Some((groups.to_owned(), entry, target));
        for (lists, expected) in [
            (&[("a", "b"), ("b", "c")][..], None),
            (&[("a", "b c"), ("b", "c d"), ("c", "d")], None),
            (&[("a", "a b")], None),
            (&[("*", "a b")], None),
            (&[("a", "b"), ("b", "a")], some("a b a", 1, 0)),
            (
                &[("x", "b"), ("a", "b"), ("b", "d c"), ("c", "a")],
                some("b c a b", 1, 0),
            ),
            // The second list of `a` never counts.
            (&[("a", "b"), ("b", "c"), ("a", "b"), ("c", "")], None),
        ] {
            assert_eq!(found(lists), expected, "{lists:?}");
        }
    }

    #[test]
    fn a_chain_as_long_as_a_file() {
        let mut lists: Vec<(String, Vec<String>)> = (0..100_000)
            .map(|n| (format!("g{n}"), vec![format!("g{}", n + 1)]))
            .collect();
        assert_eq!(circle(&lists), None);
        lists.push(("g100000".into(), vec!["g0".into()]));
        assert_eq!(
            circle(&lists).map(|circle| circle.groups.len()),
            Some(100_002)
        );
    }
}
