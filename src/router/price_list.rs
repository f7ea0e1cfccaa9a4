//! What a name costs that is asked for without a call: for people who want to know before, and for tools that check bills.

use std::sync::Arc;

use super::table::{Asker, Deployment, RoutingTable};
use crate::catalog::{self, ModelEntry};
use crate::policy::cost::{OffPeak, Tariff};

/// A name that leads to prices, or to the knowledge that there are none.
#[derive(Clone, Debug)]
pub struct Priced {
    /// LiteLLM's name.
    pub provider: Arc<str>,
    /// The provider's name of the model.
    pub model: Arc<str>,
    pub tariff: Arc<Tariff>,
}

impl RoutingTable {
    /// The first deployment that a group's name, an alias or a deployment's id leads to.
    pub fn first_deployment(&self, name: &str) -> Option<Arc<Deployment>> {
        let destination = self.resolve(name, Asker::default()).ok()?;
        let group = self.group(destination.group)?;
        let member = destination
            .only
            .or(group.members.first().map(|member| member.deployment));
        self.deployment_at(&destination, member?)
    }

    /// A group or an alias has the prices of its first deployment, any other name those of the catalogue with the discount
    /// and margin of its provider; `None` when neither knows the name.
    pub fn priced(&self, name: &str) -> Option<Priced> {
        if let Some(deployment) = self.first_deployment(name) {
            return Some(Priced {
                provider: deployment.provider.clone(),
                model: deployment.model.clone(),
                tariff: deployment.tariff.clone(),
            });
        }
        let entry = listed(name)?;
        let off_peak = OffPeak::of_entry(&entry).and_then(Result::ok);
        let adjustment = self.cost_adjustments.of(entry.provider);
        let model = name.strip_prefix(entry.provider).unwrap_or(name);
        Some(Priced {
            provider: entry.provider.into(),
            model: model.strip_prefix('/').unwrap_or(name).into(),
            tariff: Arc::new(Tariff::new(
                entry.provider,
                &entry.prices,
                off_peak,
                adjustment,
            )),
        })
    }
}

impl Deployment {
    /// The tariff of the model that an answer names, if the catalogue has a price for it at this provider.
    pub fn tariff_of_answer(&self, model: &str) -> Option<Tariff> {
        let entry = catalog::find(&self.provider, model)?;
        let off_peak = OffPeak::of_entry(&entry).and_then(Result::ok);
        let tariff = self
            .tariff
            .with_prices(&self.provider, &entry.prices, off_peak);
        tariff.is_priced().then_some(tariff)
    }
}

/// The catalogue's row of `provider/model`, or of a model that has its row without a provider.
pub(super) fn listed(name: &str) -> Option<ModelEntry> {
    let of_provider = || {
        let (provider, model) = name.split_once('/')?;
        catalog::find(provider, model)
    };
    catalog::find_key(name).or_else(of_provider)
}
