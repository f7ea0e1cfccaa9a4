//! What the configuration says about deployments, compiled once: immutable, shared by all threads.
//!
//! Messages name deployments and groups by number. A later table keeps the numbers of what stays (see [`numbers`]), so there
//! are gaps: ask for one by its number, or go through all of them.
//!
//! [`numbers`]: super::numbers

mod auto;
mod auto_routers;
mod budgets;
mod choice;
mod concrete;
mod costs;
mod deployment;
mod entry;
mod facts;
mod failover;
mod gauges;
mod groups;
mod health_check;
mod names;
mod plan;
mod targets;

pub use auto_routers::{AutoRouter, AutoRouters, Difficulty, Meaning, Way};
pub use budgets::{Budgets, budget_name};
pub use costs::Costs;
pub use deployment::Deployment;
pub use gauges::Gauges;
pub use groups::GroupKey;
pub use health_check::{Errand, HealthCheck, Mode};
pub use names::{Asker, Astray, Destination};
pub use targets::Targets;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::catalog::ModelEntry as CatalogEntry;
use crate::config::{Affinity, Config, ModelEntry, PriceField};
use crate::policy::cost::{Adjustments, Residency, Tariff};
use crate::policy::hedging::Rule;
use crate::policy::retry::RetriesByClass;
use crate::policy::selection::RateLimits;
use crate::policy::shortlist::GroupFacts;
use crate::policy::strategies::{Member, StrategyArgs, StrategyName};
use crate::policy::wildcard::Wildcard;
use crate::types::DeploymentId;

use self::entry::{catalogue_row, deployment, own_off_peak, own_prices, residency, tariff};
use self::facts::FactRules;
pub use self::failover::Failover;
use self::names::Names;

use super::numbers::{self, Numbers};

/// Between two looks at a queue (LiteLLM 1.106.2).
const POLLING_INTERVAL: Duration = Duration::from_millis(30);
/// LiteLLM's time limit for a chat call that sets none.
const TIMEOUT: Duration = Duration::from_secs(600);

/// Deployments among which calls are shared out: those of one `model_name`, or of another name.
pub struct Group {
    pub key: GroupKey,
    pub name: Arc<str>,
    /// The names that it stands for, if its own holds stars.
    pub pattern: Option<Wildcard>,
    /// The name as a JSON string, quotes included: what answers say as their model.
    pub name_json: Vec<u8>,
    pub members: Vec<Member>,
    /// How one of them is chosen.
    pub strategy: StrategyName,
    pub strategy_args: StrategyArgs,
    /// What a call shares with others has a part in decisions.
    pub keeps_kin_together: bool,
    /// What calls share that keeps them at a member.
    pub affinity: Affinity,
    /// Its members are asked one after another by priority, and no call stays where another went.
    pub goes_by_priority: bool,
    /// Some member has an `order`.
    pub is_ordered: bool,
    /// Limits by position; empty where no member has any.
    pub limits: Vec<RateLimits>,
    /// Which of them are kept.
    pub kept: Kept,
    /// What a call can cost; but for members whose model has a star.
    pub costs: Costs,
    /// Names under which keys may be allowed this group with others, of any member.
    pub access_groups: Vec<Arc<str>>,
    /// Every member is paused: calls are refused.
    pub is_paused: bool,
    /// The members' `rpm` and `tpm` together; `None` where no member has one.
    pub rpm: Option<u64>,
    pub tpm: Option<u64>,
    /// How often each class of error is tried again here.
    pub retries_by_class: RetriesByClass,
    /// What requests may choose its members by.
    pub facts: GroupFacts,
    /// When a slow stream gets a second call.
    pub hedge: Option<Rule>,
}

/// Which of its deployments' limits a group keeps; the others are weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    None,
    /// `rpm` alone.
    Requests,
    All,
}

impl Group {
    /// The `order` of a member.
    pub fn order_of(&self, deployment: u32) -> Option<i64> {
        if !self.is_ordered {
            return None;
        }
        let mut members = self.members.iter();
        members
            .find(|member| member.deployment == deployment)?
            .order
    }
}

/// Deployments, groups and the names that lead to them.
pub struct RoutingTable {
    /// By number.
    deployments: Vec<Option<Arc<Deployment>>>,
    /// Numbers in configuration order.
    order: Vec<u32>,
    /// By number.
    groups: Vec<Option<Group>>,
    /// Calls at the same time of all callers together.
    pub global_parallel: Option<u64>,
    /// Groups and visible aliases, in configuration order, but for what only a team has.
    listed: Vec<Arc<str>>,
    /// Discounts and margins of all providers.
    pub cost_adjustments: Adjustments,
    /// The priority of requests that say none; without one they do not wait.
    pub default_priority: Option<i64>,
    /// Time between two looks at a queue.
    pub polling_interval: Duration,
    /// How long a request waits for a deployment, unless it says a time limit.
    pub queue_timeout: Duration,
    /// Budgets of providers, deployments and tags.
    pub budgets: Budgets,
    /// How long calls stay where those went that they share something with, in milliseconds.
    pub affinity_ttl: u64,
    /// `litellm_settings.block_requests_for_models_without_pricing`.
    blocks_unpriced: bool,
    /// `enable_pre_call_checks`.
    pub checks_windows: bool,
    fact_rules: FactRules,
    /// What happens when a deployment or a group fails.
    pub failover: Failover,
    names: Names,
    /// Also by their aliases.
    auto_routers: AutoRouters,
}

impl RoutingTable {
    /// Compiles a configuration. Paused entries (`model_info.blocked`) are known and take no calls.
    pub fn compile(config: &Config) -> Self {
        Self::compile_after(config, &Earlier::default())
    }

    /// The same for a configuration that takes the place of another while requests are under way.
    pub fn compile_after(config: &Config, earlier: &Earlier) -> Self {
        let mut builder = Builder::after(earlier);
        let deployments = config.model_list.iter();
        for entry in deployments.filter(|entry| entry.auto_router.is_none()) {
            builder.add(config, entry);
        }
        builder.finish(config)
    }

    /// A deployment by its number.
    pub fn deployment(&self, number: u32) -> Option<&Arc<Deployment>> {
        self.deployments.get(number as usize)?.as_ref()
    }

    /// All deployments with their numbers, in configuration order.
    pub fn deployments(&self) -> impl Iterator<Item = (u32, &Arc<Deployment>)> {
        self.order
            .iter()
            .filter_map(|number| Some((*number, self.deployment(*number)?)))
    }

    /// How many there are.
    pub fn deployment_count(&self) -> usize {
        self.order.len()
    }

    /// One more than the largest number of a deployment: the length of what they index.
    pub fn deployment_places(&self) -> usize {
        self.deployments.len()
    }

    /// A group by its number.
    pub fn group(&self, number: u32) -> Option<&Group> {
        self.groups.get(number as usize)?.as_ref()
    }

    /// All groups with their numbers.
    pub fn groups(&self) -> impl Iterator<Item = (u32, &Group)> {
        (0..)
            .zip(&self.groups)
            .filter_map(|(number, group)| Some((number, group.as_ref()?)))
    }

    /// One more than the largest number of a group.
    pub fn group_places(&self) -> usize {
        self.groups.len()
    }

    /// The auto router of a requested name.
    /// Whether any name leads requests to groups.
    pub fn has_auto_routers(&self) -> bool {
        !self.auto_routers.is_empty()
    }

    pub fn auto_router(&self, model: &str) -> Option<&Arc<AutoRouter>> {
        self.auto_routers.get(model)
    }
}

/// What decides a price: provider, catalogue row, and the figures written at the deployment.
type PricedAs = (String, String, Vec<(String, String)>, Residency);

/// The tables that are still held when another is compiled.
#[derive(Clone, Default)]
pub struct Earlier {
    /// Oldest first; the last one is in force.
    pub tables: Vec<Arc<RoutingTable>>,
    /// Nothing but `model_list` can differ from the configuration of the last one: equal entries share its deployments.
    pub settings_are_kept: bool,
}

/// Equal entries share an id: what tells a deployment from others is its id and how many before it have the same.
type Identity = (DeploymentId, u32);

struct Builder {
    deployments: Vec<Option<Arc<Deployment>>>,
    order: Vec<u32>,
    numbers: Numbers<Identity>,
    groups: Vec<Option<Group>>,
    group_numbers: Numbers<GroupKey>,
    /// Those of this table.
    made: HashMap<GroupKey, u32>,
    names: Names,
    /// Names of groups, in the order of the configuration.
    listed: Vec<Arc<str>>,
    tariffs: HashMap<PricedAs, Arc<Tariff>>,
    /// How many of each id there are.
    ids: HashMap<DeploymentId, u32>,
    /// The table in force.
    present: Option<Arc<RoutingTable>>,
    settings_are_kept: bool,
}

impl RoutingTable {
    fn identities(&self) -> Vec<(Identity, u32)> {
        let mut ids: HashMap<&DeploymentId, u32> = HashMap::new();
        let mut identities = Vec::with_capacity(self.order.len());
        for (number, deployment) in self.deployments() {
            let count = ids.entry(&deployment.id).or_default();
            identities.push(((deployment.id.clone(), *count), number));
            *count += 1;
        }
        identities
    }
}

impl Builder {
    fn after(earlier: &Earlier) -> Self {
        let tables = || earlier.tables.iter();
        let groups = tables().flat_map(|table| {
            let groups = table.groups();
            groups.map(|(number, group)| (group.key.clone(), number))
        });
        Self {
            numbers: Numbers::after(tables().flat_map(|table| table.identities())),
            group_numbers: Numbers::after(groups),
            present: earlier.tables.last().cloned(),
            settings_are_kept: earlier.settings_are_kept,
            deployments: Vec::new(),
            order: Vec::new(),
            groups: Vec::new(),
            made: HashMap::new(),
            names: Names::default(),
            listed: Vec::new(),
            tariffs: HashMap::new(),
            ids: HashMap::new(),
        }
    }

    /// The number of a deployment with this id.
    fn number(&mut self, id: &DeploymentId) -> u32 {
        let count = self.ids.entry(id.clone()).or_default();
        let identity = (id.clone(), *count);
        *count += 1;
        let number = self.numbers.give(&identity);
        self.order.push(number);
        number
    }

    /// The deployment of an entry: the one in force, where nothing about it has changed.
    fn deployment(&mut self, config: &Config, entry: &ModelEntry, number: u32) -> Arc<Deployment> {
        let present = self.present.as_ref();
        let present = present.and_then(|table| table.deployment(number)).cloned();
        if let Some(present) = &present
            && self.settings_are_kept
            && present.entry.is_same_as(entry)
        {
            return present.clone();
        }
        let row = catalogue_row(entry);
        let tariff = self.tariff(config, entry, row.as_ref());
        let mut new = deployment(config, entry, tariff);
        if let Some(present) = present {
            new.gauges = present.gauges.clone();
        }
        Arc::new(new)
    }

    fn add(&mut self, config: &Config, entry: &ModelEntry) {
        let number = self.number(&entry.id);
        let deployment = self.deployment(config, entry, number);
        numbers::place(&mut self.deployments, number, deployment);
    }

    fn tariff(
        &mut self,
        config: &Config,
        entry: &ModelEntry,
        row: Option<&CatalogEntry>,
    ) -> Arc<Tariff> {
        let own = own_prices(entry);
        let adjustment = config.litellm_settings.cost_adjustments.of(&entry.provider);
        let text = |field: &PriceField| (field.name.clone(), field.decimal.clone());
        if own_off_peak(entry).is_some() {
            // Rare, and nothing to compare cheaply: not shared.
            return Arc::new(tariff(adjustment, entry, row, &own).at_residency(residency(entry)));
        }
        let residency = residency(entry);
        let key = (
            entry.provider.clone(),
            row.map_or("", |row| row.key).to_owned(),
            own.iter().map(|field| text(field)).collect(),
            residency,
        );
        if let Some(known) = self.tariffs.get(&key) {
            return known.clone();
        }
        let tariff = Arc::new(tariff(adjustment, entry, row, &own).at_residency(residency));
        // What a star stands for has its own.
        if tariff.is_unpriced() && !entry.upstream_model.contains('*') {
            // Once a model: what has the same provider, row and figures shares its tariff.
            log::warn!(
                "no price is known for {}/{} (deployment {}): unless its answers name a model that has one, its calls \
                 are booked at 0 and marked as unpriced; set `base_model`, or `input_cost_per_token` and `output_cost_per_token`",
                entry.provider,
                entry.upstream_model,
                entry.id
            );
        }
        self.tariffs.insert(key, tariff.clone());
        tariff
    }

    fn finish(mut self, config: &Config) -> RoutingTable {
        self.gather(config);
        let auto_routers = self.auto_routers(config);
        let larger_windows = self.larger_windows(config);
        let fact_rules = FactRules::of(config);
        for group in self.groups.iter_mut().flatten() {
            group.retries_by_class = failover::retries_by_class(config, &group.name);
            choice::complete(config, group, &self.deployments);
            let members = group.members.iter().map(|member| member.deployment);
            let members = members.filter_map(|number| {
                let deployment = self.deployments.get(number as usize)?.as_ref()?;
                Some((number, Some(deployment)))
            });
            group.facts = fact_rules.group(members);
        }
        RoutingTable {
            default_priority: config.router_settings.default_priority,
            polling_interval: config
                .router_settings
                .polling_interval
                .unwrap_or(POLLING_INTERVAL),
            queue_timeout: config.router_settings.timeout.unwrap_or(TIMEOUT),
            budgets: Budgets::compile(config, &self.deployments),
            affinity_ttl: choice::affinity_ttl(config),
            deployments: self.deployments,
            order: self.order,
            groups: self.groups,
            global_parallel: config.general_settings.global_max_parallel_requests,
            listed: self.listed,
            cost_adjustments: config.litellm_settings.cost_adjustments.clone(),
            blocks_unpriced: config.litellm_settings.block_unpriced,
            checks_windows: config.router_settings.enable_pre_call_checks,
            fact_rules,
            failover: Failover::of(config, larger_windows),
            names: self.names,
            auto_routers,
        }
    }
}
