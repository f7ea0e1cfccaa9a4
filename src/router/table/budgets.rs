//! Budgets of what calls go to, numbered: which of them a deployment belongs to, and which a tag.

use std::collections::HashMap;
use std::sync::Arc;

use super::Deployment;
use crate::config::Config;
use crate::policy::spend_window::BudgetRule;
use crate::types::DeploymentId;

/// Whose budget it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BudgetOf {
    Provider(Arc<str>),
    Deployment(DeploymentId),
    Tag(Arc<str>),
}

/// See the module. Empty where the configuration has none.
#[derive(Debug, Default)]
pub struct Budgets {
    pub rules: Vec<(BudgetOf, BudgetRule)>,
    /// Numbers of rules, by number of the deployment.
    by_deployment: Vec<Box<[u16]>>,
    by_tag: HashMap<Arc<str>, u16>,
}

impl Budgets {
    pub(super) fn compile(config: &Config, deployments: &[Option<Arc<Deployment>>]) -> Self {
        let mut budgets = Self::default();
        let mut providers = HashMap::new();
        for (name, rule) in &config.router_settings.provider_budgets {
            let name: Arc<str> = name.as_str().into();
            let number = budgets.add(BudgetOf::Provider(name.clone()), *rule);
            providers.insert(name, number);
        }
        for (tag, rule) in &config.litellm_settings.tag_budgets {
            let tag: Arc<str> = tag.as_str().into();
            if let Some(number) = budgets.add(BudgetOf::Tag(tag.clone()), *rule) {
                budgets.by_tag.insert(tag, number);
            }
        }
        let mut known: HashMap<&DeploymentId, Option<u16>> = HashMap::new();
        let mut by_deployment = Vec::new();
        for deployment in deployments {
            let mut own = Vec::new();
            if let Some(deployment) = deployment {
                own.extend(providers.get(&deployment.provider).copied().flatten());
                if let Some(rule) = deployment.entry.litellm_params.budget {
                    // Equal entries share an id, and so what they spend.
                    let number = *known.entry(&deployment.id).or_insert_with(|| {
                        budgets.add(BudgetOf::Deployment(deployment.id.clone()), rule)
                    });
                    own.extend(number);
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

    fn add(&mut self, of: BudgetOf, rule: BudgetRule) -> Option<u16> {
        let number = u16::try_from(self.rules.len()).ok()?;
        self.rules.push((of, rule));
        Some(number)
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Numbers of the rules that bind calls of a deployment.
    pub fn of(&self, deployment: u32) -> &[u16] {
        let own = self.by_deployment.get(deployment as usize);
        own.map_or(&[], |own| own)
    }

    /// The number of a tag's rule.
    pub fn of_tag(&self, tag: &str) -> Option<u16> {
        self.by_tag.get(tag).copied()
    }
}
