//! Budgets of what calls go to: which of them a deployment belongs to, and which a tag.

use std::collections::HashMap;
use std::sync::Arc;

use super::Deployment;
use crate::config::Config;
use crate::policy::spends::{self, BudgetName, BudgetRule};
use crate::protocol::kinship;
use crate::types::DeploymentId;

/// Whose budget it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BudgetOf {
    Provider(Arc<str>),
    Deployment(DeploymentId),
    Tag(Arc<str>),
}

impl BudgetOf {
    /// What the ledger calls it.
    fn key(&self) -> String {
        let (kind, of) = match self {
            Self::Provider(name) => ("provider", &**name),
            Self::Deployment(id) => ("deployment", &**id),
            Self::Tag(tag) => ("tag", &**tag),
        };
        spends::key(kind, of)
    }

    /// What messages call it.
    pub fn name(&self) -> BudgetName {
        budget_name(&self.key())
    }
}

/// What messages call the budget that the ledger knows by this key.
pub fn budget_name(key: &str) -> BudgetName {
    kinship::of(key.as_bytes())
}

/// See the module. Empty where the configuration has none.
#[derive(Debug, Default)]
pub struct Budgets {
    pub rules: Vec<(BudgetOf, BudgetRule)>,
    /// By number of the deployment.
    by_deployment: Vec<Box<[BudgetName]>>,
    by_tag: HashMap<Arc<str>, BudgetName>,
    /// Keys with the length of their windows.
    keys: HashMap<BudgetName, Arc<str>>,
}

impl Budgets {
    pub(super) fn compile(config: &Config, deployments: &[Option<Arc<Deployment>>]) -> Self {
        let mut budgets = Self::default();
        let mut providers = HashMap::new();
        for (name, rule) in &config.router_settings.provider_budgets {
            let name: Arc<str> = name.as_str().into();
            let of = budgets.add(BudgetOf::Provider(name.clone()), *rule);
            providers.insert(name, of);
        }
        for (tag, rule) in &config.litellm_settings.tag_budgets {
            let tag: Arc<str> = tag.as_str().into();
            let of = budgets.add(BudgetOf::Tag(tag.clone()), *rule);
            budgets.by_tag.insert(tag, of);
        }
        // Equal entries share an id, and so what they spend.
        let mut known: HashMap<&DeploymentId, BudgetName> = HashMap::new();
        let mut by_deployment = Vec::new();
        for deployment in deployments {
            let mut own = Vec::new();
            if let Some(deployment) = deployment {
                own.extend(providers.get(&deployment.provider).copied());
                if let Some(rule) = deployment.entry.litellm_params.budget {
                    let of = || BudgetOf::Deployment(deployment.id.clone());
                    own.push(
                        *known
                            .entry(&deployment.id)
                            .or_insert_with(|| budgets.add(of(), rule)),
                    );
                }
            }
            by_deployment.push(own.into_boxed_slice());
        }
        budgets.by_deployment = match budgets.rules.is_empty() {
            true => Vec::new(),
            false => by_deployment,
        };
        budgets
    }

    fn add(&mut self, of: BudgetOf, rule: BudgetRule) -> BudgetName {
        let key = of.key();
        let name = budget_name(&key);
        let key = spends::lasting(&key, rule.length);
        self.keys.insert(name, key.into());
        self.rules.push((of, rule));
        name
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// How a row names a budget that counts in it.
    pub fn key(&self, name: BudgetName) -> Option<&Arc<str>> {
        self.keys.get(&name)
    }

    /// The budgets that bind calls of a deployment.
    pub fn of(&self, deployment: u32) -> &[BudgetName] {
        let own = self.by_deployment.get(deployment as usize);
        own.map_or(&[], |own| own)
    }

    /// The budget of a tag.
    pub fn of_tag(&self, tag: &str) -> Option<BudgetName> {
        self.by_tag.get(tag).copied()
    }
}
