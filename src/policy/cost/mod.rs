//! What a call costs.
//!
//! Pure arithmetic over integers: prices of the catalogue or the configuration are compiled once for a deployment into a
//! [`Tariff`]; [`Tariff::bill`] bills a finished call, [`Tariff::hold`] tells what a call may cost before it begins.
//! Called by the journey (settling) and the router (holding). Never reads a clock, a file or a float, never allocates while
//! billing, never panics: what would overflow is held at the largest amount.
//!
//! A model nobody has a price for has no `Rates` at all, so that unpriced and free cannot be mistaken for each other.

mod adjust;
mod call;
mod charge;
mod hold;
mod off_peak;
mod rates;
mod tariff;

#[cfg(test)]
mod tests;

pub use adjust::{Adjustment, Adjustments, NotAShare, Share};
pub use call::{CallFacts, Residency, SearchContext, Units};
pub use charge::Cost;
pub use off_peak::{OffPeak, OffPeakError};
pub use tariff::{Expected, Tariff};
