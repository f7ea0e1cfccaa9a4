//! An unrounded amount of money.

use std::fmt;
use std::iter::Sum;

use crate::types::NanoUsd;

/// Dollars in units of 10⁻²¹: a price (10⁻¹⁵) times a factor in millionths is a whole number of them, so that nothing is
/// rounded before a call's total is. Zero and more; each term is held at ten billion dollars, which leaves room in an
/// `i128` to add and scale without a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(pub i128);

/// Millionths: the resolution of every factor.
pub(super) const MILLION: i128 = 1_000_000;

impl Amount {
    pub const ZERO: Self = Self(0);

    const PER_NANO: i128 = 1_000_000_000_000;
    const PER_DOLLAR: i128 = Self::PER_NANO * NanoUsd::PER_DOLLAR as i128;
    /// Ten billion dollars, above what [`NanoUsd`] holds.
    const LARGEST: i128 = 10_000_000_000 * Self::PER_DOLLAR;

    /// `count` units at `rate` 10⁻¹⁵ dollars, times `factor` millionths (at most 1000 million).
    #[inline]
    pub(super) fn of(count: u64, rate: i64, factor: i128) -> Self {
        // Below 2¹²⁷ for every count and rate that is not negative; held low enough for the factor.
        let exact = i128::from(count) * i128::from(rate);
        Self((exact.min(Self::LARGEST / MILLION) * factor).min(Self::LARGEST))
    }

    pub fn of_nanos(amount: NanoUsd) -> Self {
        Self(i128::from(amount.0.max(0)) * Self::PER_NANO)
    }

    /// Held at ten billion dollars.
    pub(super) fn held(self) -> Self {
        Self(self.0.min(Self::LARGEST))
    }

    /// Nano-dollars, half a nano-dollar rounded up, at most [`NanoUsd::MAX`].
    ///
    /// Up and not to even, because then cutting digits below 10⁻²¹ off first (see [`super::Adjustment`]) cannot change
    /// the result: there is one rounding in effect.
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
