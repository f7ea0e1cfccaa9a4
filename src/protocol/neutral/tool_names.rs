//! Names of tools that another protocol does not allow.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

/// Which names a protocol allows: ASCII letters, digits, `_` and `-`, at least one and at most so many.
#[derive(Clone, Copy, Debug)]
pub struct NameRule {
    pub longest: usize,
}

impl NameRule {
    fn allows(self, name: &str) -> bool {
        (1..=self.longest).contains(&name.len()) && name.bytes().all(is_allowed)
    }

    /// A name that is allowed: other characters become `_`; a long one ends in eight digits of its hash.
    fn fit(self, name: &str) -> String {
        let mut fit: String = name
            .chars()
            .map(|letter| match u8::try_from(letter) {
                Ok(byte) if is_allowed(byte) => letter,
                _ => '_',
            })
            .collect();
        if fit.is_empty() {
            fit.push_str("tool");
        }
        if fit.len() > self.longest {
            let hash = Sha256::digest(name.as_bytes());
            fit.truncate(self.longest.saturating_sub(9));
            fit.push('_');
            for byte in hash.iter().take(4) {
                fit.push_str(&format!("{byte:02x}"));
            }
        }
        fit
    }
}

fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// Which names were changed on the way out. Names that are allowed stay, so most requests have an empty table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolNames {
    sent: HashMap<String, String>,
    original: HashMap<String, String>,
}

impl ToolNames {
    /// The table for all names of a request: its tools', its history's, its choice's.
    ///
    /// No two names become one: a name that is taken gets `_2`, `_3` ….
    pub fn fit<'n>(names: impl Iterator<Item = &'n str> + Clone, rule: NameRule) -> Self {
        let mut table = Self::default();
        if names.clone().all(|name| rule.allows(name)) {
            return table;
        }
        let mut taken: std::collections::HashSet<String> = names
            .clone()
            .filter(|name| rule.allows(name))
            .map(str::to_owned)
            .collect();
        for name in names {
            if rule.allows(name) || table.sent.contains_key(name) {
                continue;
            }
            let fit = rule.fit(name);
            let mut free = fit.clone();
            let mut number = 2_u32;
            while taken.contains(&free) {
                let ending = format!("_{number}");
                let kept = fit.len().min(rule.longest.saturating_sub(ending.len()));
                free = format!("{}{ending}", fit.get(..kept).unwrap_or_default());
                number += 1;
            }
            taken.insert(free.clone());
            table.original.insert(free.clone(), name.to_owned());
            table.sent.insert(name.to_owned(), free);
        }
        table
    }

    /// The name as it goes out.
    pub fn sent<'n>(&'n self, name: &'n str) -> &'n str {
        self.sent.get(name).map_or(name, String::as_str)
    }

    /// The name as the client knows it.
    pub fn original<'n>(&'n self, name: &'n str) -> &'n str {
        self.original.get(name).map_or(name, String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULE: NameRule = NameRule { longest: 64 };

    #[test]
    fn names_are_fitted() {
        let long = "x".repeat(70);
        let names = ["a.b", "a b", "a_b", "", "ok", long.as_str()];
        let table = ToolNames::fit(names.iter().copied(), RULE);
        let sent: Vec<_> = names.iter().map(|name| table.sent(name)).collect();
        assert_eq!(sent[..5], ["a_b_2", "a_b_3", "a_b", "tool", "ok"]);
        assert_eq!(sent[5].len(), 64);
        assert!(sent[5].starts_with(&"x".repeat(55)));
        assert_eq!(
            ToolNames::fit(["a", "b"].into_iter(), RULE),
            ToolNames::default()
        );
    }

    proptest! {
        #[test]
        fn every_name_comes_back(names in prop::collection::vec("[a-c. é_2]{0,6}", 0..12), longest in 12_usize..20) {
            let rule = NameRule { longest };
            let table = ToolNames::fit(names.iter().map(String::as_str), rule);
            let mut sent = std::collections::HashMap::new();
            for name in &names {
                let out = table.sent(name);
                prop_assert!(rule.allows(out));
                prop_assert_eq!(table.original(out), name);
                prop_assert_eq!(sent.insert(out.to_owned(), name).unwrap_or(name), name);
            }
        }
    }
}
