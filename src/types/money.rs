//! Money: integers from the price list to the ledger.
//!
//! A price counts 10⁻¹⁵ dollars a unit, a cost is rounded once to nano-dollars (10⁻⁹), and from there on integers are
//! added. Text becomes an integer without a float on the way, so `2.5e-06` and `0.0000025` are the same price.

mod decimal;

use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

use decimal::DecimalError;

/// An amount in 10⁻⁹ US dollars.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct NanoUsd(pub i64);

/// A price of one unit (token, character, second …) in 10⁻¹⁵ US dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(pub i64);

/// A text is no amount of money.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AmountError {
    #[error("`{0}` is not a decimal number of dollars, such as 25 or 0.5")]
    NotANumber(String),
    #[error("`{0}` is negative; an amount of dollars is zero or more")]
    Negative(String),
    #[error("`{0}` is not finite; leave the amount out (or null) for no limit")]
    NotFinite(String),
    #[error("`{0}` dollars is too much; the largest amount is 9200000000")]
    TooLarge(String),
}

/// A text is no price.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PriceError {
    #[error("`{0}` is not a decimal number of dollars a unit, such as 0.0000025 or 2.5e-06")]
    NotANumber(String),
    #[error("`{0}` is negative; a price is zero or more dollars a unit")]
    Negative(String),
    #[error("`{0}` is not finite; a price is a decimal number of dollars a unit")]
    NotFinite(String),
    #[error("`{0}` dollars a unit is too much; the highest price is 9223")]
    TooLarge(String),
    #[error(
        "`{0}` dollars a unit is finer than prices are kept (1e-15) and would become free; write 0 for a free unit"
    )]
    TooPrecise(String),
}

// === impl NanoUsd ===

impl NanoUsd {
    pub const ZERO: Self = Self(0);
    pub const MAX: Self = Self(i64::MAX);

    /// The largest amount that text may state, 9.2 billion dollars: below what an `i64` of nano-dollars holds.
    pub const MAX_STATED: Self = Self(9_200_000_000 * Self::PER_DOLLAR);

    /// Nano-dollars in a dollar.
    pub const PER_DOLLAR: i64 = 1_000_000_000;

    const PLACES: u32 = 9;

    /// Reads dollars from a decimal text with or without exponent, as in a JSON number. Zero and more, at most
    /// [`Self::MAX_STATED`]. What is finer than a nano-dollar is rounded half-even, except that a positive amount
    /// never becomes zero: a budget of 1e-12 is one nano-dollar, not a budget of nothing.
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        let told = || text.to_owned();
        let read = decimal::parse(text, Self::PLACES).map_err(|error| match error {
            DecimalError::NotANumber => AmountError::NotANumber(told()),
            DecimalError::Negative => AmountError::Negative(told()),
            DecimalError::NotFinite => AmountError::NotFinite(told()),
            DecimalError::TooLarge => AmountError::TooLarge(told()),
        })?;
        let units = if read.vanished { 1 } else { read.units };
        if units > Self::MAX_STATED.0 {
            return Err(AmountError::TooLarge(told()));
        }
        Ok(Self(units))
    }

    /// Dollars as the nearest float, for JSON answers only; never compute with it.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / Self::PER_DOLLAR as f64
    }

    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The sum, held at the ends of the range (±9.2 billion dollars).
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, held at the ends of the range; may be negative.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// For `#[serde(serialize_with)]`: a JSON number of dollars, as LiteLLM's API answers. The derived form is the
    /// integer, which the journal keeps.
    pub fn serialize_dollars<S: Serializer>(
        amount: &Self,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(amount.to_f64())
    }
}

impl fmt::Display for NanoUsd {
    /// Dollars in plain decimal: no exponent, no trailing zeros (`0.0000285`, `12`, `-0.5`). Valid as a JSON number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(f, self.0, Self::PLACES)
    }
}

impl FromStr for NanoUsd {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        Self::parse(text)
    }
}

impl Sum for NanoUsd {
    /// Exact; held at the ends of the range.
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::saturating_add)
    }
}

impl<'a> Sum<&'a NanoUsd> for NanoUsd {
    fn sum<I: Iterator<Item = &'a NanoUsd>>(amounts: I) -> Self {
        amounts.copied().sum()
    }
}

// === impl Price ===

impl Price {
    pub const FREE: Self = Self(0);

    const PLACES: u32 = 15;

    /// Reads dollars a unit. Digits beyond 10⁻¹⁵ are rounded half-even, because published price lists carry the noise
    /// of floats (`0.000015000020000000002`); a positive price that would round to nothing is refused.
    pub fn parse(text: &str) -> Result<Self, PriceError> {
        Self::read(text, Self::PLACES)
    }

    /// Reads dollars a million units, the way price pages print them (`2.5` is `0.0000025` a unit).
    pub fn parse_per_million(text: &str) -> Result<Self, PriceError> {
        Self::read(text, Self::PLACES - 6)
    }

    fn read(text: &str, places: u32) -> Result<Self, PriceError> {
        let told = || text.to_owned();
        match decimal::parse(text, places) {
            Ok(read) if read.vanished => Err(PriceError::TooPrecise(told())),
            Ok(read) => Ok(Self(read.units)),
            Err(DecimalError::NotANumber) => Err(PriceError::NotANumber(told())),
            Err(DecimalError::Negative) => Err(PriceError::Negative(told())),
            Err(DecimalError::NotFinite) => Err(PriceError::NotFinite(told())),
            Err(DecimalError::TooLarge) => Err(PriceError::TooLarge(told())),
        }
    }

    /// Dollars a unit as the nearest float, for JSON answers only.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / 1e15
    }
}

impl fmt::Display for Price {
    /// Dollars a unit in plain decimal: no exponent, no trailing zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(f, self.0, Self::PLACES)
    }
}

impl FromStr for Price {
    type Err = PriceError;

    fn from_str(text: &str) -> Result<Self, PriceError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests;
