//! What one deployment charges.

use super::adjust::Adjustment;
use super::call::{CallFacts, Residency};
use super::charge::{Cost, cost};
use super::hold::{hold, hold_at};
use super::off_peak::OffPeak;
use super::rates::Rates;
use crate::catalog::{Prices, ServiceTier};
use crate::types::{NanoUsd, Usage};

/// Providers whose `usage.cost` is what they charge.
const STATES_COST: &[&str] = &["litellm_proxy", "openrouter", "perplexity", "xai"];
/// A million dollars: more is an error in somebody's arithmetic.
const MOST_A_CALL_COSTS: NanoUsd = NanoUsd(1_000_000 * NanoUsd::PER_DOLLAR);

/// Everything that decides the bills of a deployment. Immutable; deployments with the same prices share one.
#[derive(Clone, Debug, PartialEq)]
pub struct Tariff {
    prices: Prices,
    /// `None`: nobody knows a price.
    standard: Option<Rates>,
    off_peak: Option<(OffPeak, Rates)>,
    adjustment: Adjustment,
    residency: Residency,
    /// What the provider says a call cost goes before any price.
    states_cost: bool,
}

/// What is told of a call before it begins, to hold money for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The tier asked for; `None` when the request leaves it to the provider.
    pub tier: Option<ServiceTier>,
    pub input_tokens: u64,
    pub output_tokens: u64,
}

impl Tariff {
    /// The tariff of a deployment of `provider` (LiteLLM's name) with these prices, and others at the hours of `off_peak`.
    pub fn new(
        provider: &str,
        prices: &Prices,
        off_peak: Option<OffPeak>,
        adjustment: Adjustment,
    ) -> Self {
        let compile = |prices: &Prices| {
            Rates::compile(prices, provider).map(|rates| rates.adjusted(adjustment))
        };
        let off_peak = off_peak.and_then(|hours| {
            let rates = compile(&hours.prices_over(prices))?;
            Some((hours, rates))
        });
        Self {
            prices: prices.clone(),
            standard: compile(prices),
            off_peak,
            adjustment,
            residency: Residency::Global,
            states_cost: STATES_COST.contains(&provider),
        }
    }

    /// The same where the provider processes its data at `residency`.
    pub fn at_residency(self, residency: Residency) -> Self {
        Self { residency, ..self }
    }

    /// The same provider's, region's and adjustments' tariff for other prices.
    pub fn with_prices(&self, provider: &str, prices: &Prices, off_peak: Option<OffPeak>) -> Self {
        Self::new(provider, prices, off_peak, self.adjustment).at_residency(self.residency)
    }

    /// Whether calls have a price; without one they are booked at zero unless the provider states their cost.
    pub fn is_priced(&self) -> bool {
        self.standard.is_some()
    }

    /// Whether nobody may know what a call costs: no price, and a provider that does not state it.
    pub fn is_unpriced(&self) -> bool {
        self.standard.is_none() && !self.states_cost
    }

    /// Whether every call is known to cost nothing.
    pub fn is_free(&self) -> bool {
        let free = |rates: &Rates| rates.is_free() && self.adjustment.margin_fixed == NanoUsd::ZERO;
        self.standard.as_ref().is_some_and(free)
            && !self.states_cost
            && self.off_peak.as_ref().is_none_or(|(_, rates)| free(rates))
    }

    /// What it was made of: the standard prices, to show.
    pub fn prices(&self) -> &Prices {
        &self.prices
    }

    pub fn adjustment(&self) -> &Adjustment {
        &self.adjustment
    }

    /// The bill of a call that began at `unix_seconds`; `None` when nobody knows a price.
    ///
    /// `stated` is what the answer says it cost: it counts at providers that are known to tell it, up to a million dollars.
    pub fn bill(
        &self,
        usage: &Usage,
        call: &CallFacts,
        stated: Option<NanoUsd>,
        unix_seconds: i64,
    ) -> Option<Cost> {
        let stated = stated.filter(|stated| self.states_cost && *stated <= MOST_A_CALL_COSTS);
        if let Some(stated) = stated {
            return Some(Cost::stated(stated, &self.adjustment));
        }
        let call = CallFacts {
            residency: self.residency,
            ..*call
        };
        self.rates(unix_seconds)
            .map(|rates| cost(rates, usage, &call))
    }

    /// The prices that hold at a time.
    fn rates(&self, unix_seconds: i64) -> Option<&Rates> {
        match &self.off_peak {
            Some((hours, rates)) if hours.holds(unix_seconds) => Some(rates),
            _ => self.standard.as_ref(),
        }
    }

    /// What a call may cost at most, whenever it begins: see [`hold`] and [`hold_at`]. Zero without a price.
    ///
    /// Where the request leaves the tier to the provider, `any_tier` tells whether the dearest one is held for (an upper
    /// bound) or the standard one (what is to be expected).
    pub fn hold(&self, expected: &Expected, any_tier: bool) -> NanoUsd {
        let Expected {
            tier,
            input_tokens: input,
            output_tokens: output,
        } = *expected;
        let of = |rates| match tier {
            None if any_tier => hold(rates, self.residency, input, output),
            tier => {
                let call = CallFacts {
                    tier: tier.unwrap_or_default(),
                    residency: self.residency,
                    ..CallFacts::default()
                };
                hold_at(rates, &call, input, output)
            }
        };
        let off_peak = self.off_peak.as_ref().map(|(_, rates)| rates);
        self.standard
            .iter()
            .chain(off_peak)
            .map(of)
            .max()
            .unwrap_or_default()
    }
}
