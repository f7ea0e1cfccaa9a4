//! Which models stand for a deployment that serves many by a star.

use crate::catalog::{self, Kind, ModelEntry as CatalogEntry};
use crate::policy::access::matches_pattern;

/// The first, and two that are asked when it does not answer (LiteLLM 1.106.2).
const MOST: usize = 3;

/// The cheapest models of a provider that the catalogue knows and `pattern` (a provider's own name of a model, with stars)
/// stands for; those that will be switched off come last.
pub(super) fn cheapest(provider: &str, pattern: &str, mode: &str) -> Vec<String> {
    let named = |row: CatalogEntry| {
        let key = row.key;
        let own = key
            .strip_prefix(provider)
            .and_then(|key| key.strip_prefix('/'));
        let name = own.unwrap_or(key);
        // What is fine-tuned belongs to somebody.
        let is_somebodys = name.contains('*') || name.starts_with("ft:");
        let is_meant = matches_pattern(pattern, name) && !is_somebodys;
        let price = price(&row).filter(|_| is_meant)?;
        Some((row.deprecation_date.is_some(), price, name.to_owned()))
    };
    let mut models: Vec<_> = catalog::of_mode(provider, mode).filter_map(named).collect();
    models.sort_unstable();
    models.dedup_by(|one, other| one.2 == other.2);
    models.truncate(MOST);
    models.into_iter().map(|(_, _, name)| name).collect()
}

/// Of a token in and one out.
fn price(row: &CatalogEntry) -> Option<i64> {
    let price = |kind| row.prices.base(kind).map(|price| price.0);
    let (input, output) = (price(Kind::Input)?, price(Kind::Output));
    Some(input.saturating_add(output.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheapest_come_first_and_belong_to_the_provider() {
        let price_of = |provider: &str, model: &str| {
            let row = catalog::find(provider, model).unwrap();
            (row.deprecation_date.is_some(), price(&row).unwrap())
        };
        for (provider, pattern, mode) in [
            ("openai", "*", "chat"),
            ("openai", "gpt-4*", "chat"),
            ("anthropic", "claude-*", "chat"),
            ("groq", "*", "chat"),
            ("openai", "*", "embedding"),
        ] {
            let models = cheapest(provider, pattern, mode);
            assert!(
                (1..=MOST).contains(&models.len()),
                "{provider} {pattern} {mode}: {models:?}"
            );
            assert!(
                models.iter().all(|model| matches_pattern(pattern, model)),
                "{models:?}"
            );
            let prices: Vec<_> = models
                .iter()
                .map(|model| price_of(provider, model))
                .collect();
            assert!(prices.is_sorted(), "{models:?} {prices:?}");
            assert!(
                models.iter().all(|model| !model.starts_with("ft:")),
                "{models:?}"
            );
        }
        assert!(cheapest("nobody", "*", "chat").is_empty());
    }
}
