//! What a call can cost before it is known which of several deployments takes it.

use std::sync::Arc;

use super::Deployment;
use crate::policy::cost::{Expected, Tariff};
use crate::types::NanoUsd;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    /// The different prices.
    tariffs: Vec<Arc<Tariff>>,
    /// Every one of them is known to be nothing.
    pub is_free: bool,
    /// The largest of the bounds on an answer.
    pub max_output_tokens: u64,
    /// The price of some is not known.
    pub has_unpriced: bool,
}

impl Costs {
    pub fn add(&mut self, deployment: &Deployment) {
        let tariff = &deployment.tariff;
        self.is_free = tariff.is_free() && (self.is_empty() || self.is_free);
        self.has_unpriced |= tariff.is_unpriced();
        self.max_output_tokens = self.max_output_tokens.max(deployment.max_output_tokens);
        if !self.tariffs.iter().any(|known| Arc::ptr_eq(known, tariff)) {
            self.tariffs.push(tariff.clone());
        }
    }

    /// There is no deployment.
    pub fn is_empty(&self) -> bool {
        self.tariffs.is_empty()
    }

    /// What such a call can cost at the dearest; see [`Tariff::hold`].
    pub fn hold(&self, expected: &Expected, any_tier: bool) -> NanoUsd {
        let holds = self.tariffs.iter();
        let holds = holds.map(|tariff| tariff.hold(expected, any_tier));
        holds.max().unwrap_or_default()
    }
}
