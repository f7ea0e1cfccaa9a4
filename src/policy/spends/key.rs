//! How the ledger knows a budget, by LiteLLM's names for what it keeps in Redis: `provider_spend:openai`, and with the length of
//! its windows `provider_spend:openai:1d`.

use crate::policy::duration::Span;
use crate::types::KeyHash;

/// Longer names of tags and deployments stand as their SHA-256: databases index texts of bounded length alone.
const LONGEST_NAME: usize = 200;

/// `of` is `provider`, `deployment` or `tag`.
pub fn key(of: &str, name: &str) -> String {
    match name.len() > LONGEST_NAME || name.contains('\0') {
        true => format!("{of}_spend:{}", KeyHash::of(name)),
        false => format!("{of}_spend:{name}"),
    }
}

/// A key and how long its windows are.
pub fn lasting(key: &str, length: Span) -> String {
    format!("{key}:{length}")
}

/// The other way.
pub fn parts(lasting: &str) -> Option<(&str, Span)> {
    let (key, length) = lasting.rsplit_once(':')?;
    Some((key, length.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_budgets_apart_and_fit() {
        let day: Span = "1d".parse().unwrap();
        assert_eq!(
            lasting(&key("provider", "openai"), day),
            "provider_spend:openai:1d"
        );
        let long = key("tag", &"x".repeat(9_000));
        assert!(long.len() < 100 && long != key("tag", &"x".repeat(9_001)));
        assert!(!key("tag", "a\0").contains('\0'));
        for name in ["openai", "a:b:1h", "", &long] {
            let key = key("tag", name);
            assert_eq!(parts(&lasting(&key, day)), Some((&*key, day)), "{name}");
        }
        assert_eq!(parts("tag_spend:never"), None);
    }
}
