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
mod entry;
mod facts;
mod failover;
mod gauges;
mod groups;
mod health_check;
mod names;
mod plan;
mod targets;

pub use auto_routers::{AutoRouter, AutoRouters, Meaning, Way};
pub use budgets::Budgets;
pub use costs::Costs;
pub use gauges::Gauges;
pub use groups::GroupKey;
pub use health_check::{Errand, HealthCheck, Mode};
pub use names::{Asker, Astray, Destination};
pub use targets::Targets;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::catalog::{ModelEntry as CatalogEntry, ServiceTier};
use crate::config::{Affinity, Config, ModelEntry, PriceField, TlsChoice, shown_address};
use crate::metrics::DeploymentLabels;
use crate::policy::client_access::{AccessRule, ClientAccess};
use crate::policy::cooldown::Rules as CooldownRules;
use crate::policy::cost::{Adjustments, Residency, Tariff};
use crate::policy::hedging::Rule;
use crate::policy::retry::RetriesByClass;
use crate::policy::selection::RateLimits;
use crate::policy::shortlist::GroupFacts;
use crate::policy::strategies::{Member, StrategyArgs, StrategyName};
use crate::policy::wildcard::Wildcard;
use crate::protocol::mock::Mock;
use crate::providers::parameters::Plan;
use crate::providers::{self, Betas, Entra};
use crate::types::{DeploymentId, Operation, Secret};

use self::concrete::ModelRules;
use self::entry::{
    auth_headers, catalogue_row, deployment, own_off_peak, own_prices, residency, tariff,
};
pub use self::failover::Failover;
use self::names::Names;

use super::numbers::{self, Numbers};

/// Between two looks at a queue (LiteLLM 1.106.2).
const POLLING_INTERVAL: Duration = Duration::from_millis(30);
/// LiteLLM's time limit for a chat call that sets none.
const TIMEOUT: Duration = Duration::from_secs(600);

/// One deployment, as every thread may read it.
#[derive(Clone, Debug)]
pub struct Deployment {
    pub id: DeploymentId,
    pub group: Arc<str>,
    /// The name that it serves here, of those that its star stands for.
    pub concrete: Option<Arc<str>>,
    /// Of one whose model has a star: what makes others of it.
    model_rules: Option<Arc<ModelRules>>,
    /// Only this team may call it.
    pub team: Option<Arc<str>>,
    /// Names under which keys may be allowed it with others.
    pub access_groups: Vec<Arc<str>>,
    pub provider: Arc<str>,
    /// The provider-side name.
    pub model: Arc<str>,
    /// The name by which its vocabulary is known: the `base_model`, else the provider-side name.
    pub counted_as: Arc<str>,
    /// The provider-side name as a JSON string, quotes included.
    pub model_json: Vec<u8>,
    /// `litellm_params.model`.
    pub litellm_model: Arc<str>,
    /// How it is asked whether it works.
    pub health_check: HealthCheck,
    /// Without a slash at the end. May hold a key: what is told or written down is `shown_base`.
    pub api_base: Arc<str>,
    /// `api_base` without what may be secret in it.
    pub shown_base: Arc<str>,
    pub api_key: Option<Secret>,
    /// What proves who calls at Azure where there is no key.
    pub entra: Option<Entra>,
    /// Azure's, if the configuration gives one.
    pub api_version: Option<Arc<str>>,
    /// Where each operation is called, by [`Operation::index`]; `None`: the provider does not serve it.
    pub urls: [Option<String>; Operation::ALL.len()],
    /// Text completions are asked as chats.
    pub texts_by_chat: bool,
    /// The model goes on from its own words where they stand last in a conversation.
    pub supports_prefill: bool,
    /// Groups that get a copy of each request that is sent here.
    pub silent_models: Vec<Arc<str>>,
    /// Tokens of a prompt at most: what the entry says, else the catalogue's row; `None` where nobody knows.
    pub window: Option<u64>,
    /// Tokens of an answer at most.
    pub max_output_tokens: u64,
    /// What its provider makes of parameters and messages.
    pub plan: Plan,
    /// What every call carries: the key as the provider wants it, then what the configuration adds or replaces.
    pub headers: Vec<(String, Secret)>,
    /// The same for calls of Messages, which say the version of Anthropic's API.
    pub messages_headers: Vec<(String, Secret)>,
    /// Both without what they prove who calls with.
    pub own_headers: Vec<(String, Secret)>,
    /// Which of Anthropic's betas it is told.
    pub betas: Betas,
    /// What translated requests may say to it.
    pub targets: Targets,
    /// How TLS to it differs from the common choice.
    pub tls: Option<TlsChoice>,
    /// For a whole answer.
    pub timeout: Duration,
    /// For the head of a stream, and between its pieces; `timeout` unless it is set.
    pub stream_timeout: Option<Duration>,
    pub num_retries: u32,
    pub tariff: Arc<Tariff>,
    /// The tier that requests are sent with unless they name one.
    pub default_tier: Option<ServiceTier>,
    /// Prices are the catalogue's, so that an answer that names another model is billed as that one.
    pub bills_what_answers_name: bool,
    /// What callers may send in the place of its own access.
    pub client_access: AccessRule,
    /// The gateway answers itself and calls nobody.
    pub mock: Option<Mock>,
    /// When failures keep it away, but for whether it is alone in its group: that changes without it.
    pub cooldown: CooldownRules,
    /// Calls at the same time.
    pub slots: Option<u32>,
    pub gauges: Arc<Gauges>,
    /// What the configuration says, for whoever asks.
    pub entry: Arc<ModelEntry>,
}

impl Deployment {
    /// What calls of an operation carry.
    pub fn headers_of(&self, operation: Operation) -> &[(String, Secret)] {
        match operation {
            Operation::Messages => &self.messages_headers,
            _ => &self.headers,
        }
    }

    /// What it is called in series of its health.
    pub fn health_labels(&self) -> DeploymentLabels<'_> {
        [&self.model, &self.id, &self.shown_base, &self.provider]
    }

    /// The operation it is called by when a client asks for `asked`: the same where its provider has it, else one that the
    /// request can be translated for; `asked` where there is none.
    pub fn called_by(&self, asked: Operation) -> Operation {
        let has = |operation: &Operation| self.urls[operation.index()].is_some();
        if has(&asked) || !Operation::CONVERSATIONS.contains(&asked) {
            return asked;
        }
        let mut others = Operation::CONVERSATIONS.into_iter();
        others.find(has).unwrap_or(asked)
    }

    /// Both call the same account of the same provider: what one has stored there the other finds.
    pub fn is_same_account(&self, other: &Self) -> bool {
        let is_known = self.api_key.is_some() && self.api_key == other.api_key;
        self.id == other.id
            || (is_known && self.provider == other.provider && self.api_base == other.api_base)
    }

    /// The configuration wants no calls to it for now.
    pub fn is_paused(&self) -> bool {
        self.entry.model_info.blocked
    }

    /// The catalogue's row, when it has one.
    pub fn listed(&self) -> Option<CatalogEntry> {
        catalogue_row(&self.entry)
    }
}

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
    /// What happens when a deployment or a group fails.
    pub failover: Failover,
    names: Names,
    /// Also by their aliases.
    auto_routers: AutoRouters,
}

impl Deployment {
    /// The same deployment with a caller's access. Where the caller names the address, nothing of ours is sent along: neither
    /// key nor headers.
    pub fn with_access(&self, access: &ClientAccess) -> Self {
        let provider = providers::or_generic(&self.provider);
        let mut deployment = self.clone();
        if let Some(base) = &access.api_base {
            let version = self.api_version.as_deref();
            deployment.api_base = base.as_str().into();
            deployment.shown_base = shown_address(base).into();
            deployment.urls =
                Operation::ALL.map(|operation| provider.url(operation, base, &self.model, version));
            deployment.api_key = None;
            deployment.entra = None;
            deployment.own_headers.clear();
            deployment.tls = None;
        }
        if let Some(key) = &access.api_key {
            deployment.api_key = Some(key.clone());
            deployment.entra = None;
        }
        let key = deployment.api_key.as_ref();
        let entra = deployment.entra.as_ref();
        let base = &*deployment.api_base;
        let auth = |operation| auth_headers(provider, operation, base, key, entra);
        let (headers, messages_headers) = (auth(Operation::Chat), auth(Operation::Messages));
        let headers: Vec<_> = headers.collect();
        let messages_headers: Vec<_> = messages_headers.collect();
        // The caller's key counts, also where the configuration sends one of ours by a header.
        let is_auth = |name: &str| {
            let mut auth = headers.iter().chain(&messages_headers);
            name.eq_ignore_ascii_case("authorization")
                || auth.any(|(own, _)| own.eq_ignore_ascii_case(name))
        };
        let mut own = std::mem::take(&mut deployment.own_headers);
        own.retain(|(name, _)| access.api_key.is_none() || !is_auth(name));
        own.extend(access.extra_headers.iter().cloned());
        deployment.messages_headers = entry::messages_headers(messages_headers.into_iter())
            .chain(own.clone())
            .collect();
        deployment.headers = headers.into_iter().chain(own).collect();
        deployment
    }
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
        let tag_rules = Arc::new(config.router_settings.tag_rules.clone());
        for group in self.groups.iter_mut().flatten() {
            group.retries_by_class = failover::retries_by_class(config, &group.name);
            choice::complete(config, group, &self.deployments);
            let members = group.members.iter().map(|member| member.deployment);
            let members = members.filter_map(|number| {
                let deployment = self.deployments.get(number as usize)?.as_deref()?;
                Some((number, deployment))
            });
            group.facts = facts::group(config, &tag_rules, members);
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
            failover: Failover::of(config, larger_windows),
            names: self.names,
            auto_routers,
        }
    }
}
