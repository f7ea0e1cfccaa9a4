//! What the configuration says about deployments, compiled once: immutable, shared by all threads.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use crate::catalog::{self, ModelEntry as CatalogEntry, Prices};
use crate::config::{Config, ModelEntry, PriceField};
use crate::policy::cost::{Rates, hold};
use crate::policy::strategies::{Member, StrategyName};
use crate::protocol::json;
use crate::types::{DeploymentId, NanoUsd, Secret};

/// LiteLLM's time limit for a chat call that sets none.
const TIMEOUT: Duration = Duration::from_secs(600);
/// Held for an answer when neither request nor catalogue bound it, in tokens.
const UNKNOWN_MAX_OUTPUT: u64 = 16_384;

/// One deployment, as every thread may read it.
#[derive(Debug)]
pub struct Deployment {
    pub id: DeploymentId,
    pub group: Arc<str>,
    pub provider: Arc<str>,
    /// The provider-side name.
    pub model: Arc<str>,
    /// The same as a JSON string, quotes included.
    pub model_json: Vec<u8>,
    /// `litellm_params.model`.
    pub litellm_model: Arc<str>,
    /// Without a slash at the end.
    pub api_base: Arc<str>,
    pub api_key: Option<Secret>,
    pub extra_headers: Vec<(String, Secret)>,
    /// For a whole answer.
    pub timeout: Duration,
    /// For the head of a stream, and between its pieces.
    pub stream_timeout: Duration,
    pub num_retries: u32,
    /// `None`: the model has no known price.
    pub rates: Option<Arc<Rates>>,
    /// Calls at the same time.
    pub slots: Option<u32>,
    pub gauges: Arc<Gauges>,
}

/// What a deployment's state publishes, readable from any thread.
#[derive(Debug, Default)]
pub struct Gauges {
    pub in_flight: AtomicU32,
}

/// All deployments of one `model_name`.
pub struct Group {
    pub name: Arc<str>,
    /// The name as a JSON string, quotes included: what answers say as their model.
    pub name_json: Vec<u8>,
    pub members: Vec<Member>,
    /// Every member is known to cost nothing.
    pub is_free: bool,
    /// The largest of the members' output bounds.
    pub max_output_tokens: u64,
    /// The members' different prices.
    rates: Vec<Arc<Rates>>,
}

impl Group {
    /// What a call of this size can cost at the dearest member.
    pub fn hold(&self, input_tokens: u64, output_tokens: u64) -> NanoUsd {
        self.rates
            .iter()
            .map(|rates| hold(rates, input_tokens, output_tokens))
            .max()
            .unwrap_or_default()
    }
}

/// Deployments, groups and the names that lead to them.
pub struct RoutingTable {
    pub deployments: Vec<Arc<Deployment>>,
    pub groups: Vec<Group>,
    pub strategy: StrategyName,
    /// Groups and visible aliases, in configuration order.
    pub listed: Vec<Arc<str>>,
    by_name: HashMap<String, u32>,
}

impl RoutingTable {
    /// Compiles a configuration. Paused entries (`model_info.blocked`) take no calls and are left out.
    pub fn compile(config: &Config) -> Self {
        let mut builder = Builder::default();
        for entry in config
            .model_list
            .iter()
            .filter(|entry| !entry.model_info.blocked)
        {
            builder.add(config, entry);
        }
        builder.finish(config)
    }

    /// The group that a requested name leads to: a group's name, an alias, a deployment's id, or a deployment's own
    /// `litellm_params.model`.
    pub fn resolve(&self, model: &str) -> Option<u32> {
        self.by_name.get(model).copied()
    }
}

/// What decides a price: provider, catalogue row, and the figures written at the deployment.
type PricedAs = (String, String, Vec<(String, String)>);

#[derive(Default)]
struct Builder {
    deployments: Vec<Arc<Deployment>>,
    groups: Vec<Group>,
    by_name: HashMap<String, u32>,
    rates: HashMap<PricedAs, Option<Arc<Rates>>>,
}

impl Builder {
    fn add(&mut self, config: &Config, entry: &ModelEntry) {
        let row = catalogue_row(entry);
        let rates = self.rates(entry, row.as_ref());
        let index = self.deployments.len() as u32;
        let params = &entry.litellm_params;
        if !params.other.is_empty() {
            let names: Vec<&str> = params.other.iter().map(|(name, _)| name.as_str()).collect();
            log::warn!(
                "deployment {}: litellm_params {names:?} are not sent upstream yet",
                entry.id
            );
        }
        let whole = |number: Option<u64>| number.unwrap_or_default();
        let member = Member {
            deployment: index,
            weight: params.weight.unwrap_or_default(),
            rpm: whole(params.rpm),
            tpm: whole(params.tpm),
        };
        let own = row.as_ref();
        let max_output = entry
            .model_info
            .max_output_tokens
            .or(own.and_then(|row| row.max_output_tokens.or(row.max_tokens)))
            .unwrap_or(UNKNOWN_MAX_OUTPUT);
        self.deployments
            .push(Arc::new(deployment(config, entry, rates.clone())));
        let group = self.group(&entry.model_name);
        let is_free = rates
            .as_ref()
            .is_some_and(|rates| hold(rates, 1_000_000, 1_000_000) == NanoUsd(0));
        group.is_free = is_free && (group.members.is_empty() || group.is_free);
        group.max_output_tokens = group.max_output_tokens.max(max_output);
        group.members.push(member);
        if let Some(rates) = rates
            && !group.rates.iter().any(|known| Arc::ptr_eq(known, &rates))
        {
            group.rates.push(rates);
        }
    }

    fn group(&mut self, name: &str) -> &mut Group {
        let next = self.groups.len() as u32;
        let index = *self.by_name.entry(name.to_owned()).or_insert(next);
        if index == next {
            self.groups.push(new_group(name));
        }
        &mut self.groups[index as usize]
    }

    fn rates(&mut self, entry: &ModelEntry, row: Option<&CatalogEntry>) -> Option<Arc<Rates>> {
        let own = own_prices(entry);
        let text = |field: &PriceField| (field.name.clone(), field.decimal.clone());
        let key = (
            entry.provider.clone(),
            row.map_or("", |row| row.key).to_owned(),
            own.iter().map(|field| text(field)).collect(),
        );
        let compile = || {
            let mut prices = row.map(|row| row.prices.clone()).unwrap_or_default();
            let mut over = Prices::default();
            for field in &own {
                // The configuration has checked names and figures; what it let through and the catalogue does not know is
                // no price.
                if over.set(&field.name, &field.decimal).is_err() {
                    log::warn!(
                        "deployment {}: the price '{}' cannot be used",
                        entry.id,
                        field.name
                    );
                }
            }
            if !own.is_empty() {
                prices = prices.overridden_by(&over);
            }
            Rates::compile(&prices, &entry.provider).map(Arc::new)
        };
        self.rates.entry(key).or_insert_with(compile).clone()
    }

    fn finish(mut self, config: &Config) -> RoutingTable {
        let mut listed: Vec<Arc<str>> =
            self.groups.iter().map(|group| group.name.clone()).collect();
        for alias in &config.router_settings.model_group_alias {
            let Some(group) = self.by_name.get(&alias.model).copied() else {
                log::warn!(
                    "model_group_alias '{}' points to '{}', which is no model group",
                    alias.alias,
                    alias.model
                );
                continue;
            };
            self.by_name.insert(alias.alias.clone(), group);
            if !alias.hidden {
                listed.push(alias.alias.as_str().into());
            }
        }
        // Lowest in precedence: a deployment's id, then its `litellm_params.model`. Both address its group.
        for name in [
            |d: &Deployment| d.id.to_string(),
            |d: &Deployment| d.litellm_model.to_string(),
        ] {
            for deployment in &self.deployments {
                if let Some(group) = self.by_name.get(&*deployment.group).copied() {
                    self.by_name.entry(name(deployment)).or_insert(group);
                }
            }
        }
        RoutingTable {
            deployments: self.deployments,
            groups: self.groups,
            strategy: strategy(config),
            listed,
            by_name: self.by_name,
        }
    }
}

fn new_group(name: &str) -> Group {
    Group {
        name: name.into(),
        name_json: json::quoted(name),
        members: Vec::new(),
        is_free: false,
        max_output_tokens: 0,
        rates: Vec::new(),
    }
}

fn strategy(config: &Config) -> StrategyName {
    match config.router_settings.routing_strategy {
        crate::config::RoutingStrategy::SimpleShuffle => StrategyName::SimpleShuffle,
        crate::config::RoutingStrategy::LeastBusy => StrategyName::LeastBusy,
    }
}

/// The catalogue's row of an entry: its `base_model`, else the provider's model.
fn catalogue_row(entry: &ModelEntry) -> Option<CatalogEntry> {
    match entry.base_model() {
        Some(base) => catalog::find(&entry.provider, base).or_else(|| catalog::find_key(base)),
        None => catalog::find(&entry.provider, &entry.upstream_model),
    }
}

/// Prices written at the deployment; those of `litellm_params` win.
fn own_prices(entry: &ModelEntry) -> Vec<&PriceField> {
    entry
        .model_info
        .prices
        .iter()
        .chain(&entry.litellm_params.prices)
        .collect()
}

fn deployment(config: &Config, entry: &ModelEntry, rates: Option<Arc<Rates>>) -> Deployment {
    let params = &entry.litellm_params;
    let router = &config.router_settings;
    let timeout = params
        .timeout
        .or(router.timeout)
        .or(config.litellm_settings.request_timeout)
        .unwrap_or(TIMEOUT);
    let mut extra_headers = params.headers.clone();
    extra_headers.extend(params.extra_headers.iter().cloned());
    if let Some(organization) = &params.organization {
        extra_headers.push((
            "openai-organization".to_owned(),
            Secret::new(organization.as_str()),
        ));
    }
    Deployment {
        id: entry.id.clone(),
        group: entry.model_name.as_str().into(),
        provider: entry.provider.as_str().into(),
        model: entry.upstream_model.as_str().into(),
        model_json: json::quoted(&entry.upstream_model),
        litellm_model: params.model.as_str().into(),
        api_base: entry.api_base.as_str().into(),
        api_key: entry.api_key.clone(),
        extra_headers,
        timeout,
        stream_timeout: params
            .stream_timeout
            .or(router.stream_timeout)
            .unwrap_or(timeout),
        num_retries: params
            .num_retries
            .or(router.num_retries)
            .or(config.litellm_settings.num_retries)
            .unwrap_or(crate::policy::retry::RetryPolicy::default().num_retries),
        rates,
        slots: slots(config, entry).map(|slots| u32::try_from(slots).unwrap_or(u32::MAX)),
        gauges: Arc::default(),
    }
}

/// Calls at the same time, as LiteLLM derives them: `max_parallel_requests`, else `rpm`, else six a minute for each thousand
/// tokens of `tpm`, else the router's default.
fn slots(config: &Config, entry: &ModelEntry) -> Option<u64> {
    let params = &entry.litellm_params;
    params
        .max_parallel_requests
        .or(params.rpm)
        .or(params.tpm.map(|tpm| (tpm * 6 / 1000).max(1)))
        .or(config.router_settings.default_max_parallel_requests)
}
