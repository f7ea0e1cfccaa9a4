//! The bill of one call.

use super::adjust::Adjustment;
use super::call::CallFacts;
use super::rates::{BUCKETS, Rates, counts};
use crate::catalog::ServiceTier;
use crate::types::{Amount, Breakdown, NanoUsd, RowCost, Usage};

/// What a call costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// What is booked: the adjusted amount, rounded once.
    pub total: NanoUsd,
    /// The sum of the breakdown, before discount and margin.
    pub original: Amount,
    pub discount: Amount,
    /// Percentage and fixed part together.
    pub margin: Amount,
    pub breakdown: Breakdown,
    /// The tier billed.
    pub tier: ServiceTier,
}

impl Cost {
    /// A cost that the provider stated itself (OpenRouter's `usage.cost`, xAI's ticks), which goes before any price.
    pub fn stated(amount: NanoUsd, adjustment: &Adjustment) -> Self {
        let amount = Amount::of_nanos(amount);
        Self::of(
            Breakdown {
                output: amount,
                ..Breakdown::default()
            },
            adjustment,
            ServiceTier::Standard,
        )
    }

    /// With what another call for the same request cost. Each is rounded by itself, as its provider bills it; the tier is
    /// this one's.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            total: NanoUsd(self.total.0.saturating_add(other.total.0)),
            original: self.original + other.original,
            discount: self.discount + other.discount,
            margin: self.margin + other.margin,
            breakdown: self.breakdown.plus(&other.breakdown),
            tier: self.tier,
        }
    }

    /// What the call's row keeps of it.
    pub fn recorded(&self) -> RowCost {
        RowCost {
            unpriced: false,
            service_tier: (self.tier != ServiceTier::Standard).then(|| self.tier.name().into()),
            breakdown: self.breakdown,
            discount: self.discount,
            margin: self.margin,
        }
    }

    fn of(breakdown: Breakdown, adjustment: &Adjustment, tier: ServiceTier) -> Self {
        let original = breakdown.sum();
        let adjusted = adjustment.apply(original);
        Self {
            total: adjusted.total.round(),
            original,
            discount: adjusted.discount,
            margin: adjusted.margin,
            breakdown,
            tier,
        }
    }
}

/// Bills a call. Zero tokens of every kind and no units still cost what a request and the fixed margin cost; a call that
/// a cache answered is not billed at all.
pub fn cost(rates: &Rates, usage: &Usage, call: &CallFacts) -> Cost {
    let factor = rates.factor(call);
    let mut tokens = [Amount::ZERO; BUCKETS];
    if let Some(sheet) = rates.sheet(usage.prompt_tokens(), call.tier) {
        let half = factor / 2;
        for (bucket, (amount, (count, rate))) in tokens
            .iter_mut()
            .zip(counts(usage).into_iter().zip(sheet.rates))
            .enumerate()
        {
            if count > 0 {
                let factor = if sheet.halved >> bucket & 1 == 1 {
                    half
                } else {
                    factor
                };
                *amount = Amount::of(count, rate, factor);
            }
        }
    }
    let [
        text,
        cache_read,
        write_5m,
        write_1h,
        audio,
        image,
        video,
        output,
        reasoning,
        out_audio,
        out_image,
        out_video,
    ] = tokens;
    let mut breakdown = Breakdown {
        input: text + audio + image + video,
        cache_read,
        cache_creation: write_5m + write_1h,
        output: output + out_audio + out_image + out_video,
        reasoning,
        tools: Amount::ZERO,
    };
    add_units(&mut breakdown, rates, call, factor);
    Cost::of(breakdown, &rates.adjustment, call.tier)
}

fn add_units(breakdown: &mut Breakdown, rates: &Rates, call: &CallFacts, factor: i128) {
    let (prices, units) = (&rates.units, &call.units);
    let by = |count, rate| {
        if count > 0 && rate > 0 {
            Amount::of(count, rate, factor)
        } else {
            Amount::ZERO
        }
    };
    let milli = |count, rate| {
        if count > 0 && rate > 0 {
            Amount::of(count, rate, factor / 1000)
        } else {
            Amount::ZERO
        }
    };
    breakdown.input = breakdown.input
        + by(1, prices.request)
        + milli(units.milliseconds, prices.second)
        + milli(units.answer_milliseconds, prices.answer_second)
        + by(units.characters, prices.character)
        + by(units.queries, prices.query)
        + by(units.input_images, prices.input_image);
    let [page, page_in_batch] = prices.page;
    let page = if call.tier == ServiceTier::Batch {
        page_in_batch
    } else {
        page
    };
    breakdown.output = breakdown.output
        + milli(units.video_milliseconds, prices.video_second)
        + by(units.output_images, prices.output_image)
        + by(units.pages, page);
    breakdown.tools = by(units.web_searches, prices.search(units.search_context))
        + by(units.maps_queries, prices.maps_query)
        + by(units.code_sessions, prices.code_session);
}
