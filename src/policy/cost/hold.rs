//! What a call may cost at most, before it begins.

use super::call::{CallFacts, Residency};
use super::rates::{Rates, Sheet, TEXT_IN, TEXT_OUT};
use crate::catalog::ServiceTier;
use crate::types::{Amount, NanoUsd, Price};

/// An upper bound on [`super::cost`] of a call with text only, whatever tier serves it and however its prompt divides
/// into plain, cache-read and cache-write tokens, its answer into text and reasoning. Of the uplifts that of the
/// deployment's residency is in it; what is billed by time is not; rounded up.
pub fn hold(rates: &Rates, residency: Residency, input_tokens: u64, output_tokens: u64) -> NanoUsd {
    let (input, output) = worst(rates.sheets_to(input_tokens));
    let call = CallFacts {
        residency,
        ..CallFacts::default()
    };
    let factor = rates.factor(&call);
    bound(rates, input_tokens, output_tokens, input, output, factor)
}

/// As [`hold`], for what is known of the call: only the standard tier and `call.tier` can serve it, and its uplifts apply.
pub fn hold_at(rates: &Rates, call: &CallFacts, input_tokens: u64, output_tokens: u64) -> NanoUsd {
    let (input, output) = worst(
        rates
            .sheets_of(input_tokens, ServiceTier::Standard)
            .chain(rates.sheets_of(input_tokens, call.tier)),
    );
    bound(
        rates,
        input_tokens,
        output_tokens,
        input,
        output,
        rates.factor(call),
    )
}

/// The highest price of an input and of an output token of text in some sheets.
fn worst<'a>(sheets: impl Iterator<Item = &'a Sheet>) -> (Price, Price) {
    sheets.fold((Price::FREE, Price::FREE), |(input, output), sheet| {
        (
            input.max(sheet.highest(TEXT_IN)),
            output.max(sheet.highest(TEXT_OUT)),
        )
    })
}

fn bound(
    rates: &Rates,
    input_tokens: u64,
    output_tokens: u64,
    input: Price,
    output: Price,
    factor: i128,
) -> NanoUsd {
    let original = Amount::of(input_tokens, input.0, factor)
        + Amount::of(output_tokens, output.0, factor)
        + Amount::of(1, rates.units.request, factor);
    rates.adjustment.apply(original).total.round_up()
}

impl Sheet {
    /// The highest price among some buckets. One that a batch halves counts whole: the standard tier is looked at anyway.
    fn highest(&self, buckets: std::ops::Range<usize>) -> Price {
        let rates = self.rates.iter().skip(buckets.start).take(buckets.len());
        Price(rates.copied().max().unwrap_or(0))
    }
}
