//! What a call costs.
//!
//! Pure arithmetic over integers: prices of the catalogue or the configuration are compiled once for a deployment into
//! [`Rates`]; [`cost`] bills a finished call with them, [`hold`] bounds what a call may cost before it begins. Called by
//! the journey (settling) and the limits (holding). Never reads a clock, a file or a float, never allocates while billing,
//! never panics: what would overflow is held at the largest amount.
//!
//! A model nobody has a price for has no `Rates` at all, so that unpriced and free cannot be mistaken for each other.

mod adjust;
mod amount;
mod call;
mod charge;
mod hold;
mod off_peak;
mod rates;

#[cfg(test)]
mod tests;

pub use adjust::{Adjustment, NotAShare, Share};
pub use amount::Amount;
pub use call::{CallFacts, Residency, SearchContext, Units};
pub use charge::{Breakdown, Cost, cost};
pub use hold::{hold, hold_at, worst_case_price};
pub use off_peak::{OffPeak, OffPeakError};
pub use rates::Rates;
