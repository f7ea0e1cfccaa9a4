//! The prices of one model, as the catalogue states them and users override them.

use super::{Kind, PriceKey, ServiceTier};
use crate::types::{Price, PriceError};

/// A sparse table of prices. A price that is not in it is not stated, which differs from a stated zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// Sorted by key.
    stated: Vec<(PriceKey, Price)>,
}

/// An entry of a list of prices by prompt size (`tiered_pricing`) cannot be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum TierError {
    #[error(
        "a price tier begins at {0} tokens; tiers begin at 0 or at a multiple of 1000 up to 65535000"
    )]
    Start(u64),
    #[error("`{field}` of the price tier that begins at {start} tokens: {source}")]
    Price {
        field: String,
        start: u64,
        source: PriceError,
    },
}

impl Prices {
    /// Reads the catalogue's form, `code=value;…`. The data is ours and tested as a whole, so what cannot be read is
    /// left out rather than reported.
    pub(super) fn of_row(text: &str) -> Self {
        let mut stated: Vec<_> = text
            .split(';')
            .filter_map(|part| {
                let (code, value) = part.split_once('=')?;
                let key = PriceKey::of_code(code)?;
                let read = if key.kind.is_factor() {
                    Price::parse
                } else {
                    Price::parse_per_million
                };
                Some((key, read(value).ok()?))
            })
            .collect();
        stated.sort_unstable_by_key(|(key, _)| *key);
        Self { stated }
    }

    /// The price stated for exactly this key; no fallback.
    pub fn get(&self, key: PriceKey) -> Option<Price> {
        let place = self
            .stated
            .binary_search_by_key(&key, |(key, _)| *key)
            .ok()?;
        self.stated.get(place).map(|(_, price)| *price)
    }

    /// The standard price of a unit, when stated.
    pub fn base(&self, kind: Kind) -> Option<Price> {
        self.get(PriceKey::base(kind))
    }

    /// States a price, in place of an earlier one.
    pub fn insert(&mut self, key: PriceKey, price: Price) {
        match self.stated.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(place) => {
                if let Some(slot) = self.stated.get_mut(place) {
                    slot.1 = price;
                }
            }
            Err(place) => self.stated.insert(place, (key, price)),
        }
    }

    /// States the price that a configuration field names, in dollars a unit (a plain number for the uplift factors).
    /// `Ok(false)` when the field is no price; then nothing is read. Of the object `search_context_cost_per_query` give
    /// the inner names; of `provider_specific_entry` the names with that prefix and a dot.
    pub fn set(&mut self, field: &str, decimal_text: &str) -> Result<bool, PriceError> {
        let Some(key) = PriceKey::of_field(field) else {
            return Ok(false);
        };
        self.insert(key, Price::parse(decimal_text)?);
        Ok(true)
    }

    /// States one price of a `tiered_pricing` entry whose range begins at `start` prompt tokens: it holds for whole
    /// requests above that, as a threshold does. A price that a higher tier leaves out stays that of the tier below.
    pub fn set_tier(
        &mut self,
        start: u64,
        field: &str,
        decimal_text: &str,
    ) -> Result<bool, TierError> {
        let Some(key) = PriceKey::of_field(field) else {
            return Ok(false);
        };
        let above_k = u16::try_from(start / 1000)
            .ok()
            .filter(|_| start.is_multiple_of(1000))
            .ok_or(TierError::Start(start))?;
        let price = Price::parse(decimal_text).map_err(|source| TierError::Price {
            field: field.to_owned(),
            start,
            source,
        })?;
        self.insert(PriceKey { above_k, ..key }, price);
        Ok(true)
    }

    /// Takes a price back, so that it is no longer stated.
    pub fn remove(&mut self, key: PriceKey) {
        self.stated.retain(|(stated, _)| *stated != key);
    }

    /// These prices with `over`'s laid on top: what a deployment overrides in part, field by field as LiteLLM does. A
    /// list's threshold or tier prices of a unit stay in force until they are overridden by their own names.
    pub fn overridden_by(&self, over: &Prices) -> Prices {
        let mut merged = self.clone();
        for (key, price) in over.iter() {
            merged.insert(key, price);
        }
        merged
    }

    /// Whether anything can be billed: some price, be it zero; factors alone are none.
    pub fn is_priced(&self) -> bool {
        self.stated.iter().any(|(key, _)| !key.kind.is_factor())
    }

    /// All stated prices, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = (PriceKey, Price)> + '_ {
        self.stated.iter().copied()
    }

    /// Service tiers that some price is stated for, and batch, which has a price without being stated.
    pub fn has_tier(&self, tier: ServiceTier) -> bool {
        matches!(tier, ServiceTier::Standard | ServiceTier::Batch)
            || self.iter().any(|(key, _)| key.tier == tier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(prices: &Prices, field: &str) -> Option<i64> {
        PriceKey::of_field(field)
            .and_then(|key| prices.get(key))
            .map(|price| price.0)
    }

    #[test]
    fn fields_are_set_by_their_names() {
        let mut prices = Prices::default();
        assert_eq!(prices.set("input_cost_per_token", "2.5e-06"), Ok(true));
        assert_eq!(prices.set("input_cost_per_token", "2e-06"), Ok(true));
        assert_eq!(prices.set("output_cost_per_token_flex", "0"), Ok(true));
        assert_eq!(prices.set("api_base", "http://x"), Ok(false));
        assert!(prices.set("input_cost_per_token", "-1").is_err());
        assert_eq!(get(&prices, "input_cost_per_token"), Some(2_000_000_000));
        assert_eq!(get(&prices, "output_cost_per_token_flex"), Some(0));
        assert_eq!(get(&prices, "output_cost_per_token"), None);
    }

    #[test]
    fn tiers_are_thresholds() {
        let mut prices = Prices::default();
        assert_eq!(prices.set_tier(0, "input_cost_per_token", "1e-6"), Ok(true));
        assert_eq!(
            prices.set_tier(32_000, "input_cost_per_token", "2e-6"),
            Ok(true)
        );
        assert_eq!(prices.set_tier(32_000, "range", "x"), Ok(false));
        assert_eq!(
            prices.set_tier(1_500, "input_cost_per_token", "2e-6"),
            Err(TierError::Start(1_500))
        );
        assert_eq!(
            get(&prices, "input_cost_per_token_above_32k_tokens"),
            Some(2_000_000_000)
        );
    }

    #[test]
    fn an_override_is_field_by_field() {
        let list = Prices::of_row("in=2;in>200k=4;out=8;cr=0.5");
        let own = Prices::of_row("in=1;cr=0");
        assert_eq!(
            list.overridden_by(&own),
            Prices::of_row("in=1;in>200k=4;out=8;cr=0")
        );
    }

    #[test]
    fn free_is_not_unpriced() {
        assert!(Prices::of_row("in=0").is_priced());
        assert!(!Prices::of_row("x_eu=1.1").is_priced());
        assert!(!Prices::default().is_priced());
    }
}
