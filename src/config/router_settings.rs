//! `router_settings`.

use std::time::Duration;

use crate::policy::cooldown::{Limits, Return, Shares};

use super::cooldown;
use crate::policy::fallback::{Fallbacks, Targets};
use crate::policy::hedging::Rule;
use crate::policy::mid_stream::MidStreamFailure;
use crate::policy::retry::RetriesByClass;
use crate::policy::shortlist::TagRules;
use crate::policy::spends::BudgetRule;
use crate::policy::strategies::{StrategyArgs, StrategyName};

use super::diagnostic::{Severity, Sink};
use super::fallbacks;
use super::fields::Place;
use super::hedge;
use super::model::MAX_RETRIES;
use super::provider_budgets;
use super::read::{Section, scalar_text};
use super::retry_policy;
use super::review::review;
use super::routing::{self, RoutingGroup};
use super::suggest::nearest;
use super::yaml::{Entry, Node, Value};

/// Another name of a model group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupAlias {
    pub alias: String,
    /// The group it stands for.
    pub model: String,
    /// Works, but is not in model lists.
    pub hidden: bool,
}

#[derive(Clone, Debug, Default)]
pub struct RouterSettings {
    pub routing_strategy: StrategyName,
    pub routing_strategy_args: StrategyArgs,
    /// In the order written.
    pub routing_groups: Vec<RoutingGroup>,
    /// In the order written.
    pub provider_budgets: Vec<(String, BudgetRule)>,
    /// What calls share that keeps them at a deployment.
    pub affinity: Affinity,
    /// Groups with their own, in the place of the router's.
    pub model_group_affinity: Vec<(String, Affinity)>,
    /// How long they stay there.
    pub affinity_ttl: Option<Duration>,
    /// Requests that say no priority have this one, and wait where nobody takes calls.
    pub default_priority: Option<i64>,
    /// Time between two looks at a queue, at least a millisecond.
    pub polling_interval: Option<Duration>,
    /// Retries go on, by weight, to deployments of the group that have not been asked, before another group is.
    pub enable_weighted_failover: bool,
    /// `rpm` of deployments is a limit for every strategy, and prompts that a window cannot hold are not sent there.
    pub enable_pre_call_checks: bool,
    /// Limits of deployments are kept by every strategy: `enforce_model_rate_limits` of `optional_pre_call_checks`.
    pub enforce_model_rate_limits: bool,
    /// Retries of a call beyond its first try.
    pub num_retries: Option<u32>,
    pub timeout: Option<Duration>,
    pub stream_timeout: Option<Duration>,
    /// When a failing deployment is left out, and for how long.
    pub cooldown: Limits,
    /// The thresholds where `allowed_fails` says nothing.
    pub cooldown_shares: Shares,
    pub disable_cooldowns: bool,
    /// How deployments come back; Pointsman's own.
    pub cooldown_recovery: Return,
    /// Deployments are chosen by tags, unless a group says otherwise.
    pub tag_filtering: bool,
    pub tag_rules: TagRules,
    /// In the order written.
    pub model_group_alias: Vec<GroupAlias>,
    pub default_max_parallel_requests: Option<u64>,
    /// The shortest wait before a deployment is called again.
    pub retry_after: Option<Duration>,
    pub retry_policy: RetriesByClass,
    /// In the order written.
    pub model_group_retry_policy: Vec<(String, RetriesByClass)>,
    /// Without `default_fallbacks`. Those of `litellm_settings` count where a list is missing.
    pub fallbacks: Fallbacks,
    pub default_fallbacks: Option<Targets>,
    /// Groups tried after the one that was asked for.
    pub max_fallbacks: Option<u32>,
    /// Upstream calls of one request over all groups; Pointsman's own.
    pub max_attempts: Option<u32>,
    /// Time for all of them until an answer begins; Pointsman's own.
    pub total_timeout: Option<Duration>,
    /// How long a stream's head waits for the first content; Pointsman's own.
    pub first_content_hold: Option<Duration>,
    /// What becomes of a stream that breaks after its first content; Pointsman's own.
    pub mid_stream_failure: MidStreamFailure,
    /// When slow streams get a second call; Pointsman's own.
    pub hedge: Option<Rule>,
    /// The same of some groups, in the order written; it takes the place of the general one.
    pub model_group_hedge: Vec<(String, Option<Rule>)>,
}

const CHECKS_KEY: &str = "optional_pre_call_checks";
const ENFORCE_LIMITS: &str = "enforce_model_rate_limits";
/// `optional_pre_call_checks`.
const CHECKS: [&str; 8] = [
    "prompt_caching",
    "responses_api_deployment_check",
    "session_affinity",
    "deployment_affinity",
    "encrypted_content_affinity",
    "router_budget_limiting",
    ENFORCE_LIMITS,
    "forward_client_headers_by_model_group",
];
/// Upstream calls of one request that anybody may want.
const MOST_ATTEMPTS: u32 = 1_000;
/// More groups than this nobody waits for.
const MOST_FALLBACKS: u32 = 100;

/// Keys that LiteLLM's router takes from elsewhere; written here they stop its start.
const ELSEWHERE: [(&str, &str); 3] = [
    ("model_list", "the top level"),
    ("health_check_interval", "`general_settings`"),
    ("health_check_concurrency", "`general_settings`"),
];

pub fn read(node: &Node, sink: &Sink) -> RouterSettings {
    let Some(section) = Section::open(node, "router_settings", sink, Severity::Error) else {
        return RouterSettings::default();
    };
    review(Place::RouterSettings, &section);
    for (key, home) in ELSEWHERE {
        if let Some(node) = section.value(key) {
            sink.error(
                node.pos,
                section.path_of(key),
                format!("does not belong here but under {home}"),
            );
        }
    }
    RouterSettings {
        routing_strategy: routing::strategy(&section).unwrap_or_default(),
        routing_strategy_args: routing::args(&section),
        routing_groups: routing::groups(&section),
        enable_pre_call_checks: section.flag("enable_pre_call_checks").unwrap_or(false),
        enforce_model_rate_limits: section
            .texts(CHECKS_KEY)
            .contains(&ENFORCE_LIMITS.to_owned()),
        provider_budgets: provider_budgets::by_name(&section, "provider_budget_config"),
        affinity: affinity(&section, CHECKS_KEY),
        model_group_affinity: affinity_by_group(&section),
        affinity_ttl: section.seconds("deployment_affinity_ttl_seconds"),
        default_priority: section.integer("default_priority"),
        polling_interval: section
            .seconds("polling_interval")
            .map(|interval| interval.max(Duration::from_millis(1))),
        enable_weighted_failover: section.flag("enable_weighted_failover").unwrap_or(false),
        num_retries: section.small("num_retries", MAX_RETRIES),
        timeout: section.timeout("timeout"),
        stream_timeout: section.timeout("stream_timeout"),
        cooldown: cooldown::read(&section),
        cooldown_shares: Shares::default(),
        disable_cooldowns: section.flag("disable_cooldowns").unwrap_or(false),
        cooldown_recovery: cooldown::recovery(&section),
        tag_filtering: section.flag("enable_tag_filtering").unwrap_or(false),
        tag_rules: TagRules {
            match_any: section.flag("tag_filtering_match_any").unwrap_or(true),
            prefix: section
                .text("tag_routing_prefix")
                .unwrap_or_default()
                .into(),
        },
        model_group_alias: aliases(&section),
        default_max_parallel_requests: section.count("default_max_parallel_requests"),
        retry_after: section.seconds("retry_after"),
        retry_policy: retry_policy::read(&section),
        model_group_retry_policy: retry_policy::read_by_group(&section),
        fallbacks: fallbacks::read(&section),
        default_fallbacks: fallbacks::read_default(&section),
        max_fallbacks: section.small("max_fallbacks", MOST_FALLBACKS),
        max_attempts: section
            .small("max_attempts", MOST_ATTEMPTS)
            .map(|most| most.max(1)),
        total_timeout: section.timeout("total_timeout"),
        first_content_hold: section.seconds("first_content_hold"),
        mid_stream_failure: mid_stream_failure(&section),
        hedge: hedge::read(&section),
        model_group_hedge: hedge::read_by_group(&section),
    }
}

impl RouterSettings {
    /// Adds what the file leaves open and the environment or `litellm_settings` say.
    pub(super) fn completed(
        mut self,
        allowed_fails: Option<u32>,
        env: &dyn Fn(&str) -> Option<String>,
        sink: &Sink,
    ) -> Self {
        let (time, shares) = cooldown::of_environment(env, sink);
        let limits = &mut self.cooldown;
        limits.time_ms = limits.time_ms.or(time);
        limits.allowed.any = limits.allowed.any.or(allowed_fails);
        self.cooldown_shares = shares;
        self
    }
}

fn mid_stream_failure(section: &Section<'_>) -> MidStreamFailure {
    const KEY: &str = "mid_stream_failure";
    let (Some(text), Some(node)) = (section.text(KEY), section.value(KEY)) else {
        return MidStreamFailure::default();
    };
    MidStreamFailure::named(&text).unwrap_or_else(|| {
        section.expected(KEY, node, MidStreamFailure::VALUES);
        MidStreamFailure::default()
    })
}

/// What calls share that keeps them at one deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Affinity {
    /// `session_affinity`
    pub session: bool,
    /// `deployment_affinity`: their key.
    pub caller: bool,
    /// `prompt_caching`: how their conversation begins.
    pub beginning: bool,
}

/// A list of checks, of which those that nobody knows are told.
fn affinity(section: &Section<'_>, key: &str) -> Affinity {
    let checks = section.texts(key);
    let unknown = |check: &&String| !CHECKS.contains(&check.as_str());
    for unknown in checks.iter().filter(unknown) {
        let Some(node) = section.value(key) else {
            break;
        };
        let message = format!(
            "no check is called `{unknown}`; known are {}",
            CHECKS.join(", ")
        );
        let suggestion = nearest(unknown, CHECKS.into_iter());
        let suggestion = suggestion.map(|name| format!("did you mean `{name}`?"));
        let path = section.path_of(key);
        section
            .sink
            .push(Severity::Warning, node.pos, path, message, suggestion);
    }
    let has = |name: &str| checks.iter().any(|check| check == name);
    Affinity {
        session: has("session_affinity"),
        caller: has("deployment_affinity"),
        beginning: has("prompt_caching"),
    }
}

/// `model_group_affinity_config`: `group: [check, …]`.
fn affinity_by_group(section: &Section<'_>) -> Vec<(String, Affinity)> {
    section.by_name("model_group_affinity_config", |groups, entry| {
        Some(affinity(groups, &entry.key))
    })
}

/// `alias: group` or `alias: {model: group, hidden: true}`.
fn aliases(section: &Section<'_>) -> Vec<GroupAlias> {
    const KEY: &str = "model_group_alias";
    let Some(node) = section.value(KEY) else {
        return Vec::new();
    };
    let Some(map) = Section::open(node, section.path_of(KEY), section.sink, Severity::Error) else {
        return Vec::new();
    };
    let alias = |Entry { key, value, .. }: &Entry| {
        let (model, hidden) = match &value.value {
            Value::Map(_) => {
                let target = Section::open(value, map.path_of(key), map.sink, Severity::Error)?;
                (target.text("model"), target.flag("hidden").unwrap_or(false))
            }
            _ => (scalar_text(value), false),
        };
        let Some(model) = model.filter(|model| !model.is_empty()) else {
            map.expected(
                key,
                value,
                "the name of a model group, or a map with `model` and `hidden`",
            );
            return None;
        };
        Some(GroupAlias {
            alias: key.clone(),
            model,
            hidden,
        })
    };
    map.entries().iter().filter_map(alias).collect()
}
