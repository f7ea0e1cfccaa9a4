//! A model that a star stands for: a deployment with a name, an address, prices and abilities of its own. Its state is that of
//! the deployment with the star.

use std::sync::Arc;

use super::entry::{OfModel, catalogue_row, own_prices, residency, tariff};
use super::{Deployment, Destination, RoutingTable};
use crate::config::{Config, ModelEntry};
use crate::policy::cost::Adjustment;
use crate::policy::shortlist::GroupFacts;
use crate::policy::wildcard::{Wildcard, filled};
use crate::providers;

/// What the configuration says of the models of a provider.
#[derive(Clone, Debug)]
pub struct ModelRules {
    /// `litellm_settings.drop_params`.
    pub drop_params: bool,
    /// `litellm_settings.modify_params`.
    pub mends: bool,
    pub adjustment: Adjustment,
    /// The same deployment at the other providers that names may lead to.
    pub others: Vec<Deployment>,
}

impl ModelRules {
    pub fn of(config: &Config, provider: &str) -> Self {
        let litellm = &config.litellm_settings;
        Self {
            drop_params: litellm.drop_params,
            mends: litellm.modify_params,
            adjustment: litellm.cost_adjustments.of(provider),
            others: Vec::new(),
        }
    }
}

impl Deployment {
    /// Its provider's model has a star, in the place of which a call needs a name.
    pub fn stands_for_many(&self) -> bool {
        self.model_rules.is_some()
    }

    /// Group and model in series of metrics: names come from outside where a star stands for them, and series stay.
    pub fn metric_names(&self) -> [&str; 2] {
        if self.concrete.is_none() {
            return [&self.group, &self.model];
        }
        let row = self.listed();
        [&self.entry.model_name, row.map_or("other", |row| row.key)]
    }

    /// The deployment for one `name` of those that `pattern`, the name of its group, stands for. `None`: that makes no model of
    /// its provider.
    pub fn standing_for(&self, pattern: &Wildcard, name: &Arc<str>) -> Option<Self> {
        let rules = self.model_rules.as_ref()?;
        self.at_own_provider(rules, pattern, name).or_else(|| {
            let mut others = rules.others.iter();
            let other = others.find_map(|other| other.standing_for(pattern, name))?;
            Some(Self {
                gauges: self.gauges.clone(),
                ..other
            })
        })
    }

    fn at_own_provider(
        &self,
        rules: &ModelRules,
        pattern: &Wildcard,
        name: &Arc<str>,
    ) -> Option<Self> {
        let captures = pattern.captures(name)?;
        let mut entry = ModelEntry::clone(&self.entry);
        entry.litellm_params.model = filled(&self.litellm_model, &captures, name);
        entry.upstream_model = upstream_model(&entry)?;
        let row = catalogue_row(&entry);
        let tariff = tariff(rules.adjustment, &entry, row.as_ref(), &own_prices(&entry));
        let of_model = OfModel::of(&entry, row.as_ref(), rules, self.mock.is_none());
        let mut deployment = Self {
            group: name.clone(),
            concrete: Some(name.clone()),
            model_rules: None,
            tariff: Arc::new(tariff.at_residency(residency(&entry))),
            entry: Arc::new(entry),
            ..self.clone()
        };
        of_model.put(&mut deployment);
        Some(deployment)
    }
}

/// What the provider is sent for the entry's model, whose stars have been filled. A name of another provider is none of this
/// one's, unless the entry has an address of its own: then it is what the server there calls it.
fn upstream_model(entry: &ModelEntry) -> Option<String> {
    let params = &entry.litellm_params;
    let (custom, base) = (
        params.custom_llm_provider.as_deref(),
        params.api_base.as_deref(),
    );
    let own = |target: &providers::Target| target.name == entry.provider;
    let model = match providers::resolve(&params.model, custom, base) {
        Ok(target) if own(&target) => target.model,
        Ok(_) if base.is_none() => return None,
        _ => {
            let rest = params.model.strip_prefix(&*entry.provider);
            let rest = rest.and_then(|rest| rest.strip_prefix('/'));
            providers::or_generic(&entry.provider).upstream_model(rest.unwrap_or(&params.model))
        }
    };
    (!model.is_empty() && ![".", ".."].contains(&&*model)).then_some(model)
}

impl RoutingTable {
    /// What requests may choose the members of a group by, for a name that its star stands for; `None` in the place of a deployment:
    /// the name is no model of its provider.
    pub fn facts_of<D: AsRef<Deployment>>(
        &self,
        members: impl Iterator<Item = (u32, Option<D>)>,
    ) -> GroupFacts {
        self.fact_rules.group(members)
    }

    /// A deployment as a call of `destination` needs it; made anew where a star stands for its model.
    pub fn deployment_at(&self, destination: &Destination, number: u32) -> Option<Arc<Deployment>> {
        let deployment = self.deployment(number)?;
        match &destination.concrete {
            Some(name) if deployment.stands_for_many() => {
                let pattern = self.group(destination.group)?.pattern.as_ref()?;
                deployment.standing_for(pattern, name).map(Arc::new)
            }
            _ => Some(deployment.clone()),
        }
    }
}
