//! Response headers that tell what a call cost.

use actix_web::http::header::{HeaderName, HeaderValue};

use super::headers::Writer;
use crate::policy::cost::{Adjustment, Cost};
use crate::types::{Amount, NanoUsd};

const PRICE: HeaderName = HeaderName::from_static("x-pointsman-price");
const COST: HeaderName = HeaderName::from_static("x-litellm-response-cost");
const ORIGINAL: HeaderName = HeaderName::from_static("x-litellm-response-cost-original");
const DISCOUNT: HeaderName = HeaderName::from_static("x-litellm-response-cost-discount-amount");
const MARGIN: HeaderName = HeaderName::from_static("x-litellm-response-cost-margin-amount");
const MARGIN_PERCENT: HeaderName =
    HeaderName::from_static("x-litellm-response-cost-margin-percent");
const INPUT: HeaderName = HeaderName::from_static("x-litellm-response-cost-input");
const OUTPUT: HeaderName = HeaderName::from_static("x-litellm-response-cost-output");
const TOOLS: HeaderName = HeaderName::from_static("x-litellm-response-cost-tool-usage");
const CACHE_READ: HeaderName = HeaderName::from_static("x-litellm-response-cost-cache-read");
const CACHE_CREATION: HeaderName =
    HeaderName::from_static("x-litellm-response-cost-cache-creation");
const REASONING: HeaderName = HeaderName::from_static("x-litellm-response-cost-reasoning");

/// LiteLLM's text of nothing.
const NOTHING: HeaderValue = HeaderValue::from_static("0.0");

/// Tells what several calls cost together.
pub fn tell_sum(tell: &mut Writer<'_>, total: NanoUsd) {
    tell.set(COST, total);
}

/// Tells the cost of a whole answer: its parts in dollars, in plain decimals. The parts are unrounded; the cost is what is
/// booked. As in LiteLLM 1.106.2, cache reads and writes are parts of the input's cost and reasoning of the output's.
pub fn tell(tell: &mut Writer<'_>, cost: &Cost, adjustment: &Adjustment) {
    let Some(total) = tell.value(cost.total) else {
        return;
    };
    // Nearly always the same number: written once.
    if cost.original == Amount::of_nanos(cost.total) {
        tell.put(ORIGINAL, total.clone());
    } else {
        amount(tell, ORIGINAL, cost.original);
    }
    tell.put(COST, total);
    amount(tell, DISCOUNT, cost.discount);
    amount(tell, MARGIN, cost.margin);
    match adjustment.margin.to_f64() {
        0.0 => tell.put(MARGIN_PERCENT, NOTHING),
        percent => tell.set(MARGIN_PERCENT, percent),
    }
    let parts = &cost.breakdown;
    amount(tell, INPUT, parts.whole_input());
    amount(tell, OUTPUT, parts.whole_output());
    amount(tell, TOOLS, parts.tools);
    for (name, part) in [
        (CACHE_READ, parts.cache_read),
        (CACHE_CREATION, parts.cache_creation),
        (REASONING, parts.reasoning),
    ] {
        if part != Amount::ZERO {
            tell.set(name, part);
        }
    }
}

/// Tells, in place of the cost, that nobody has a price for the model; of a stream, that its deployment has none.
pub fn unpriced(tell: &mut Writer<'_>) {
    tell.put(PRICE, HeaderValue::from_static("unknown"));
}

fn amount(tell: &mut Writer<'_>, name: HeaderName, amount: Amount) {
    if amount == Amount::ZERO {
        tell.put(name, NOTHING);
    } else {
        tell.set(name, amount);
    }
}
