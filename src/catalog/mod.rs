//! The model catalogue: prices, windows and capabilities of the models providers offer.
//!
//! Routing, translation and cost look a model up here with [`find`]; a deployment's own figures are laid over a row's
//! [`Prices`] with [`Prices::set`], a user's file of models over the rows with [`OwnModels::lay`]. The data is compiled in and stays text: a look-up is a binary search over the bytes and
//! parses one row, so that a start costs nothing and a model nobody uses costs nothing. This room never guesses a price
//! (a name it does not know is unknown, another provider's entry of the same name is not an answer) and does no I/O.
//!
//! `models.tsv` has one model a line, sorted by its key in lower case (ASCII), columns separated by tabs, empty ones at the
//! end of a line left out: key, provider, mode, `max_input_tokens`, `max_output_tokens`, `max_tokens`, prices, flags,
//! endpoints, input modalities, output modalities, deprecation date, everything else as a JSON object.
//! *prices* is `code=value` joined by `;`: dollars per **million** units, as price pages print them, except `x_…`, which
//! are factors; the codes are explained at [`PriceKey`]. Tiers by prompt size (`tiered_pricing`) are written as thresholds.
//! *flags* are capability codes (`flags.rs`) joined by `,`, with `!` before one that is known to be false.

mod entry;
mod flags;
mod lookup;
mod own;
mod price_key;
mod prices;
mod service_tier;
mod table;

pub use entry::ModelEntry;
pub use lookup::{find, find_key, same_provider};
pub use own::{OwnModel, OwnModels};
pub use price_key::{Kind, PriceKey};
pub use prices::{Prices, TierError};
pub use service_tier::ServiceTier;

/// The embedded models of one mode (`chat`, `embedding` …) at a provider, in the order of the file. Goes through all of them.
pub fn of_mode(provider: &str, mode: &str) -> impl Iterator<Item = ModelEntry> {
    let is_meant = move |line: &&str| {
        let mut columns = line.split('\t').skip(1);
        let provider_of = columns.next().unwrap_or_default();
        columns.next() == Some(mode) && same_provider(provider_of, provider)
    };
    table::lines().filter(is_meant).map(ModelEntry::parse)
}

/// Every embedded model, in the order of the file.
#[cfg(test)]
pub fn all() -> impl Iterator<Item = ModelEntry> {
    table::lines().map(ModelEntry::parse)
}
