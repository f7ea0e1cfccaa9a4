//! Discount and margin on the cost of a call (`cost_discount_config`, `cost_margin_config`).

use std::collections::BTreeMap;

use crate::types::{Amount, NanoUsd};

const MILLION: i128 = Amount::MILLION;

/// A fraction of one, kept in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

/// A text is no fraction.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not a fraction from 0 to {most}; five percent is 0.05")]
pub struct NotAShare {
    text: String,
    most: u32,
}

impl Share {
    /// A discount, from 0 to 1; finer than a millionth is rounded.
    pub fn discount(decimal_text: &str) -> Result<Self, NotAShare> {
        Self::parse(decimal_text, 1)
    }

    /// A margin, from 0 to 1000 (one hundred thousand percent); finer than a millionth is rounded.
    pub fn margin(decimal_text: &str) -> Result<Self, NotAShare> {
        Self::parse(decimal_text, 1000)
    }

    /// The fraction as the nearest float, to show.
    pub fn to_f64(self) -> f64 {
        f64::from(self.0) / 1e6
    }

    fn parse(text: &str, most: u32) -> Result<Self, NotAShare> {
        // The text of an amount is a decimal of nine places, which is what is needed here too.
        NanoUsd::parse(text)
            .ok()
            .and_then(|billionths| u32::try_from((billionths.0 + 500) / 1000).ok())
            .filter(|millionths| u64::from(*millionths) <= u64::from(most) * 1_000_000)
            .map(Self)
            .ok_or_else(|| NotAShare {
                text: text.to_owned(),
                most,
            })
    }
}

/// What is taken off and put on: first the discount, then the margin on what is left, then the fixed amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adjustment {
    pub discount: Share,
    pub margin: Share,
    /// For each call.
    pub margin_fixed: NanoUsd,
}

/// The adjustments of all providers, by LiteLLM's names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adjustments {
    pub discounts: BTreeMap<String, Share>,
    /// Share and fixed amount; `global` is for providers without an entry.
    pub margins: BTreeMap<String, (Share, NanoUsd)>,
}

impl Adjustments {
    /// The name of the margin that providers without their own have.
    pub const GLOBAL: &str = "global";

    /// What holds for one provider's calls.
    pub fn of(&self, provider: &str) -> Adjustment {
        let margin = self.margins.get(provider);
        let (margin, margin_fixed) = margin
            .or_else(|| self.margins.get(Self::GLOBAL))
            .copied()
            .unwrap_or_default();
        Adjustment {
            discount: self.discounts.get(provider).copied().unwrap_or_default(),
            margin,
            margin_fixed,
        }
    }
}

/// An adjusted amount and what changed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Adjusted {
    pub discount: Amount,
    pub margin: Amount,
    pub total: Amount,
}

impl Adjustment {
    pub(super) fn apply(&self, original: Amount) -> Adjusted {
        let original = original.held();
        if *self == Self::default() {
            return Adjusted {
                discount: Amount::ZERO,
                margin: Amount::ZERO,
                total: original,
            };
        }
        let keep = MILLION - i128::from(self.discount.0).min(MILLION);
        let discounted = scale(original.0, keep * MILLION);
        // One division for both factors: the result is the exact product, cut off below 10⁻²¹ dollars.
        let total = Amount(scale(
            original.0,
            keep * (MILLION + i128::from(self.margin.0)),
        )) + Amount::of_nanos(self.margin_fixed);
        Adjusted {
            discount: original - Amount(discounted),
            margin: total - Amount(discounted),
            total,
        }
    }
}

/// `⌊value · factor / 10¹²⌋` for values to 10³¹ and factors to 10¹⁶, without overflow between.
fn scale(value: i128, factor: i128) -> i128 {
    const ONE: i128 = MILLION * MILLION;
    value / ONE * factor + value % ONE * factor / ONE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_fractions() {
        assert_eq!(Share::discount("0.05"), Ok(Share(50_000)));
        assert_eq!(Share::discount("5e-2"), Ok(Share(50_000)));
        assert_eq!(Share::discount("1"), Ok(Share(1_000_000)));
        assert_eq!(Share::margin("1000"), Ok(Share(1_000_000_000)));
        for text in ["1.1", "-0.1", "5%", "nan", ""] {
            assert!(Share::discount(text).is_err(), "{text}");
        }
        assert!(Share::margin("1001").is_err());
    }

    #[test]
    fn scaling_is_exact_where_the_product_would_overflow() {
        let value = 9_999_999_999_999_999_999_999_999_999_999;
        assert_eq!(scale(value, MILLION * MILLION), value);
        assert_eq!(scale(1_000_000_000_001, 500_000 * MILLION), 500_000_000_000);
    }
}
