//! An unrounded amount of money.

use std::fmt;
use std::iter::Sum;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::NanoUsd;

/// Dollars in units of 10⁻²¹: a price (10⁻¹⁵) times a factor in millionths is a whole number of them, so that nothing is
/// rounded before a call's total is. Zero and more; each term is held at ten billion dollars, which leaves room in an
/// `i128` to add and scale without a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(pub i128);

impl Amount {
    pub const ZERO: Self = Self(0);

    /// Millionths: the resolution of every factor.
    pub const MILLION: i128 = 1_000_000;

    const PER_NANO: i128 = 1_000_000_000_000;
    const PER_DOLLAR: i128 = Self::PER_NANO * NanoUsd::PER_DOLLAR as i128;
    /// Ten billion dollars, above what [`NanoUsd`] holds.
    const LARGEST: i128 = 10_000_000_000 * Self::PER_DOLLAR;

    /// `count` units at `rate` 10⁻¹⁵ dollars, times `factor` millionths (at most 1000 million).
    #[inline]
    pub fn of(count: u64, rate: i64, factor: i128) -> Self {
        // Below 2¹²⁷ for every count and rate that is not negative; held low enough for the factor.
        let exact = i128::from(count) * i128::from(rate);
        Self((exact.min(Self::LARGEST / Self::MILLION) * factor).min(Self::LARGEST))
    }

    pub fn of_nanos(amount: NanoUsd) -> Self {
        Self(i128::from(amount.0.max(0)) * Self::PER_NANO)
    }

    /// Reads what [`Display`](fmt::Display) writes; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if whole.is_empty() || fraction.len() > 21 || !digits(whole) || !digits(fraction) {
            return None;
        }
        let fraction: i128 = format!("{fraction:0<21}").parse().ok()?;
        let whole: i128 = whole.parse().ok()?;
        let amount = whole.checked_mul(Self::PER_DOLLAR)?.checked_add(fraction)?;
        (amount <= Self::LARGEST).then_some(Self(amount))
    }

    /// Held at ten billion dollars.
    pub fn held(self) -> Self {
        Self(self.0.min(Self::LARGEST))
    }

    /// Nano-dollars, half a nano-dollar rounded up, at most [`NanoUsd::MAX`].
    ///
    /// Up and not to even, because then cutting digits below 10⁻²¹ off first (as discounts and margins do) cannot change the
    /// result: there is one rounding in effect.
    pub fn round(self) -> NanoUsd {
        Self::nanos((self.0 + Self::PER_NANO / 2) / Self::PER_NANO)
    }

    /// Nano-dollars, any rest rounded up, at most [`NanoUsd::MAX`].
    pub fn round_up(self) -> NanoUsd {
        Self::nanos((self.0 + Self::PER_NANO - 1) / Self::PER_NANO)
    }

    fn nanos(nanos: i128) -> NanoUsd {
        NanoUsd(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    /// Dollars as a float near to it, for JSON answers only.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / Self::PER_DOLLAR as f64
    }
}

impl std::ops::Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::ops::Sub for Amount {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, |sum, amount| sum + amount)
    }
}

impl fmt::Display for Amount {
    /// Dollars in plain decimal, every digit, no trailing zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nearly always a whole number of nano-dollars, whose digits are found in 64 bits.
        if let Ok(nanos) = i64::try_from(self.0 / Self::PER_NANO)
            && self.0 % Self::PER_NANO == 0
        {
            return NanoUsd(nanos).fmt(f);
        }
        let (whole, mut fraction) = (self.0 / Self::PER_DOLLAR, (self.0 % Self::PER_DOLLAR).abs());
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        let sign = if self.0 < 0 { "-" } else { "" };
        let mut width = 21;
        while fraction % 10 == 0 {
            fraction /= 10;
            width -= 1;
        }
        write!(f, "{sign}{}.{fraction:0width$}", whole.abs())
    }
}

// === serde: the integer in the journal, the decimal text in JSON, which has no integers of that size ===

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return i128::deserialize(deserializer).map(Self);
        }
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("expected dollars as decimal text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_is_shown_and_read() {
        for (units, text) in [
            (0, "0"),
            (1, "0.000000000000000000001"),
            (1_000_000_000_000, "0.000000001"),
            (1_200_000_000_000, "0.0000000012"),
            (Amount::PER_DOLLAR, "1"),
            (Amount::PER_DOLLAR * 12 + 500_000_000_000, "12.0000000005"),
            (Amount::LARGEST, "10000000000"),
        ] {
            assert_eq!(Amount(units).to_string(), text);
            assert_eq!(Amount::parse(text), Some(Amount(units)));
            let json = serde_json::to_string(&Amount(units)).expect("text");
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str(&json).ok(), Some(Amount(units)));
            let bytes = postcard::to_stdvec(&Amount(units)).expect("bytes");
            assert_eq!(postcard::from_bytes(&bytes), Ok(Amount(units)));
        }
        assert_eq!(Amount(-1_500_000_000_000).to_string(), "-0.0000000015");
        for text in [
            "",
            ".5",
            "-1",
            "1e3",
            "0.0000000000000000000001",
            "10000000001",
        ] {
            assert_eq!(Amount::parse(text), None, "{text}");
        }
    }
}
