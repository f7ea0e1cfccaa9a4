//! Auto routers, ready to decide: what the configuration says of one, with what the groups it leads to say of themselves.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::OnceCell;

use super::{Builder, Deployment, GroupKey};
use crate::catalog::PriceKey;
use crate::config::{Config, ModelEntry};
use crate::policy::auto_router::semantic::{Comparison, Examples};
use crate::policy::auto_router::{Kind, adaptive, complexity, quality, semantic};

/// A name that leads each request to a group.
pub struct AutoRouter {
    pub name: Arc<str>,
    /// Names under which keys may be allowed it with others.
    pub access_groups: Vec<Arc<str>>,
    /// The groups it may lead to, the default one first.
    pub groups: Vec<Arc<str>>,
    pub way: Way,
}

impl AutoRouter {
    /// In each group it leads to, a session stays with one deployment for so long since it was last used.
    pub fn session_stays(&self) -> Option<Duration> {
        match &self.way {
            Way::Complexity(difficulty) => difficulty.settings.deployment_affinity,
            Way::Quality(_) | Way::Adaptive(_) | Way::Semantic { .. } => None,
        }
    }
}

/// How an auto router decides.
pub enum Way {
    Complexity(Box<Difficulty>),
    Quality(quality::Router),
    Adaptive(adaptive::Router),
    Semantic {
        meaning: Meaning,
        settings: semantic::Settings,
    },
}

/// A complexity router, with what it asks others for.
pub struct Difficulty {
    pub settings: Arc<complexity::Settings>,
    /// The words of its rules, where they are compared by what they mean.
    pub meaning: Option<Meaning>,
    /// Until when no model is asked, on the router's clock; 0: one is.
    pub paused_until: AtomicU64,
}

/// Texts to compare with, and their vectors.
pub struct Meaning {
    pub comparison: Comparison,
    /// Made at the first request, and kept for as long as neither the examples nor the deployments that make them change.
    pub examples: Arc<OnceCell<Examples>>,
    /// When vectors were last asked for in vain, on the router's clock; 0: never.
    pub failed_at: AtomicU64,
    /// Who makes the vectors.
    made_by: Vec<Arc<Deployment>>,
}

/// By name; the first of several entries of one name counts.
pub type AutoRouters = HashMap<Arc<str>, Arc<AutoRouter>>;

/// The entries of the configuration that are auto routers, and their settings; the first of several of one name.
fn entries(config: &Config) -> Vec<(&ModelEntry, &Kind)> {
    let mut entries: Vec<(&ModelEntry, &Kind)> = Vec::new();
    for entry in &config.model_list {
        if let Some(kind) = entry.auto_router.as_deref()
            && !entries
                .iter()
                .any(|(known, _)| known.model_name == entry.model_name)
        {
            entries.push((entry, kind));
        }
    }
    entries
}

/// The groups it may lead to, the default one first.
fn groups(kind: &Kind) -> Vec<Arc<str>> {
    let default = kind.default_group().into_iter();
    default.chain(kind.groups()).cloned().collect()
}

impl Builder {
    /// Wherever nobody asks an auto router, its name is another one of its default group; or that of deployments of its own, if
    /// it has any.
    pub(super) fn name_auto_routers(&mut self, config: &Config) {
        for (entry, kind) in entries(config) {
            let name = entry.model_name.as_str();
            let is_there =
                |group: &Arc<str>| self.made.contains_key(&GroupKey::Named(group.clone()));
            let own = GroupKey::Named(name.into());
            let has_own = self.made.contains_key(&own);
            let mut groups = groups(kind).into_iter();
            if let Some(group) = groups.find(is_there).filter(|_| !has_own) {
                self.names.add_alias(name, &group);
            }
            if !self.listed.iter().any(|known| **known == *name) {
                self.listed.push(name.into());
            }
        }
    }

    /// Compiles the entries that are auto routers; the groups they lead to are there already.
    pub(super) fn auto_routers(&self, config: &Config) -> AutoRouters {
        let mut routers = AutoRouters::new();
        for (entry, kind) in entries(config) {
            let name: Arc<str> = entry.model_name.as_str().into();
            for group in kind.groups().into_iter().chain(kind.helpers()) {
                if self.members(group).next().is_none() {
                    log::warn!("the auto router {name} needs {group}, which nobody serves");
                }
            }
            let access_groups = entry.model_info.access_groups.iter();
            let router = AutoRouter {
                groups: groups(kind),
                access_groups: access_groups.map(|group| group.as_str().into()).collect(),
                way: self.way(&name, kind),
                name: name.clone(),
            };
            routers.insert(name, Arc::new(router));
        }
        for alias in &config.router_settings.model_group_alias {
            if let Some(router) = routers.get(alias.model.as_str()).cloned() {
                routers.insert(alias.alias.as_str().into(), router);
            }
        }
        routers
    }

    fn way(&self, name: &str, kind: &Kind) -> Way {
        match kind {
            Kind::Complexity(settings) => Way::Complexity(Box::new(Difficulty {
                settings: settings.clone(),
                meaning: settings
                    .meanings
                    .as_ref()
                    .map(|own| self.meaning(name, own)),
                paused_until: AtomicU64::new(0),
            })),
            Kind::Quality(settings) => {
                let groups = settings.available.iter();
                let candidates = groups.filter_map(|group| self.candidate(group));
                Way::Quality(quality::Router::new(
                    settings.as_ref().clone(),
                    candidates.collect(),
                ))
            }
            Kind::Adaptive(settings) => {
                let arms = settings
                    .available
                    .iter()
                    .filter_map(|group| self.arm(group));
                Way::Adaptive(adaptive::Router::new(settings.clone(), arms.collect()))
            }
            Kind::Semantic(settings) => Way::Semantic {
                meaning: self.meaning(name, &settings.comparison),
                settings: settings.clone(),
            },
        }
    }

    /// Texts to compare with; their vectors are those that the router of this name has now, where they are the same.
    fn meaning(&self, name: &str, comparison: &Comparison) -> Meaning {
        let made_by: Vec<_> = self.members(&comparison.embedding).cloned().collect();
        let known = self
            .present
            .as_ref()
            .and_then(|table| table.auto_router(name));
        let known = known.and_then(|known| match &known.way {
            Way::Semantic { meaning, .. } => Some(meaning),
            Way::Complexity(difficulty) => difficulty.meaning.as_ref(),
            Way::Quality(_) | Way::Adaptive(_) => None,
        });
        let known = known.and_then(|known| known.is_still(comparison, &made_by));
        Meaning {
            comparison: comparison.clone(),
            examples: known.unwrap_or_default(),
            failed_at: AtomicU64::new(0),
            made_by,
        }
    }

    fn members(&self, group: &str) -> impl Iterator<Item = &Arc<Deployment>> {
        let number = self.made.get(&GroupKey::Named(group.into())).copied();
        let group = number.and_then(|number| self.groups.get(number as usize)?.as_ref());
        let members = group.into_iter().flat_map(|group| &group.members);
        members.filter_map(|member| self.at(member.deployment))
    }

    /// A group as the first of its deployments that says something of it describes it.
    fn candidate(&self, group: &Arc<str>) -> Option<quality::Candidate> {
        let said = self
            .members(group)
            .find_map(|member| member.entry.model_info.quality.as_ref())?;
        Some(quality::Candidate {
            group: group.clone(),
            quality: said.quality,
            words: said.words.clone(),
            order: said.order,
            cost: self.cost(group),
        })
    }

    /// The same for adaptive routers; of a group that says nothing nothing good is expected.
    fn arm(&self, group: &Arc<str>) -> Option<adaptive::Arm> {
        self.members(group).next()?;
        let mut said = self
            .members(group)
            .filter_map(|member| member.entry.model_info.adaptive.as_ref());
        let said = said.next().cloned().unwrap_or_default();
        Some(adaptive::Arm {
            group: group.clone(),
            tier: said.tier.max(1),
            strengths: said.strengths,
            cost: self.cost(group),
        })
    }

    /// Dollars an input token at the cheapest of a group's deployments.
    fn cost(&self, group: &str) -> Option<f64> {
        let prices = self.members(group).filter_map(|member| {
            let price = member
                .tariff
                .prices()
                .get(PriceKey::of_field("input_cost_per_token")?);
            price.map(|price| price.to_f64())
        });
        prices.reduce(f64::min)
    }
}

impl Meaning {
    /// The examples' vectors, if another configuration has the same examples and makes their vectors by the same deployments.
    fn is_still(
        &self,
        comparison: &Comparison,
        made_by: &[Arc<Deployment>],
    ) -> Option<Arc<OnceCell<Examples>>> {
        let is_same =
            |(one, other): (&Arc<Deployment>, &Arc<Deployment>)| one.entry.is_same_as(&other.entry);
        let same_makers =
            made_by.len() == self.made_by.len() && made_by.iter().zip(&self.made_by).all(is_same);
        (self.comparison == *comparison && same_makers).then(|| self.examples.clone())
    }
}
