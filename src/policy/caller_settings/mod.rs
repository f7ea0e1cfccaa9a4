//! `router_settings` of a key or a team: what they change for its calls (LiteLLM 1.106.2).
//!
//! A key's settings take the place of its team's as a whole. What a request says itself beats each of them, and they beat the
//! configuration's. They are read when a key is made or changed, which refuses what cannot be meant, and again when a key is
//! looked up: what somebody else has stored then is left out where it cannot be used.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::fallback::{Fallbacks, List, ListError};
use super::retry::RetriesByClass;
use super::strategies::StrategyName;

/// Most retries.
const MOST_RETRIES: u64 = 1_000;
/// A year.
const MOST_SECONDS: f64 = 31_536_000.0;
/// Most groups, and deployments of one group, that a field may name.
const MOST_NAMES: usize = 1_000;

/// Fields that LiteLLM takes and that have no effect for a single key there, nor here.
const WITHOUT_EFFECT: [&str; 12] = [
    "allowed_fails",
    "cooldown_time",
    "enable_weighted_failover",
    "max_retries",
    "model_group_affinity_config",
    "model_group_alias",
    "optional_pre_call_checks",
    "retry_after",
    "retry_policy",
    "routing_groups",
    "routing_strategy_args",
    "tag_routing_prefix",
];
/// Fields that count.
const FIELDS: [&str; 9] = [
    "content_policy_fallbacks",
    "context_window_fallbacks",
    "enable_tag_filtering",
    "fallbacks",
    "model_group_retry_policy",
    "num_retries",
    "routing_strategy",
    "timeout",
    "weights",
];

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallerSettings {
    pub fallbacks: Fallbacks,
    pub num_retries: Option<u32>,
    /// For a whole answer.
    pub timeout: Option<Duration>,
    /// By group.
    pub retries_by_class: Vec<(Box<str>, RetriesByClass)>,
    pub strategy: Option<StrategyName>,
    /// Deployments are chosen by tags; `false` switches nothing off.
    pub tag_filtering: bool,
    pub weights: Weights,
}

/// Shares for simple-shuffle: group, then the id of a deployment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights(Vec<(Box<str>, Shares)>);

/// Shares of deployments, by id.
pub type Shares = Vec<(Box<str>, f64)>;

impl Weights {
    /// The shares of a group's deployments, by id; none where nothing is said of it.
    pub fn of(&self, group: &str) -> Option<&[(Box<str>, f64)]> {
        let found = self.0.iter().find(|(name, _)| **name == *group);
        found.map(|(_, weights)| weights.as_slice())
    }
}

/// A field that cannot be used, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("router_settings.{field}: expected {expected}")]
pub struct CallerSettingsError {
    pub field: String,
    pub expected: String,
}

impl CallerSettings {
    /// Reads the settings. The first field that cannot be used is refused, and so is one that nobody knows.
    pub fn read(settings: &Map<String, Value>) -> Result<Self, CallerSettingsError> {
        let mut read = Self::default();
        for (field, value) in settings {
            let result = read.set(field, value);
            result.map_err(|expected| CallerSettingsError {
                field: field.clone(),
                expected,
            })?;
        }
        Ok(read)
    }

    /// The settings that are stored as this text; what cannot be used is told in the log and left out.
    pub fn stored(text: &str) -> Option<Arc<Self>> {
        let map: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        let mut read = Self::default();
        for (field, value) in &map {
            if let Err(expected) = read.set(field, value) {
                log::warn!(
                    "router_settings of a key or team: {field} is left out, expected {expected}"
                );
            }
        }
        (read != Self::default()).then(|| Arc::new(read))
    }

    /// The retries by class of a group, where something is said of it.
    pub fn retries_of(&self, group: &str) -> Option<RetriesByClass> {
        let mut groups = self.retries_by_class.iter();
        let found = groups.find(|(name, _)| **name == *group);
        found.map(|(_, policy)| *policy)
    }

    /// Every model that one of its fallbacks leads to.
    pub fn fallback_models(&self) -> impl Iterator<Item = &str> {
        let Fallbacks {
            general,
            context_window,
            content_policy,
            ..
        } = &self.fallbacks;
        let lists = [general, context_window, content_policy];
        let targets = lists.into_iter().flatten().flat_map(List::all);
        targets.map(|target| &*target.model)
    }

    /// Sets a field, or says what was expected. Null says nothing.
    fn set(&mut self, field: &str, value: &Value) -> Result<(), String> {
        let wrong = |expected: &str| Err(expected.to_owned());
        if value.is_null() {
            return Ok(());
        }
        match field {
            "fallbacks" => self.fallbacks.general = list(value)?,
            "context_window_fallbacks" => self.fallbacks.context_window = list(value)?,
            "content_policy_fallbacks" => self.fallbacks.content_policy = list(value)?,
            "num_retries" => match value.as_u64().filter(|number| *number <= MOST_RETRIES) {
                Some(number) => self.num_retries = u32::try_from(number).ok(),
                None => return wrong("a whole number from 0 to 1000"),
            },
            "timeout" => match value.as_f64() {
                // 0 means "not set", as in the configuration.
                Some(0.0) => {}
                Some(seconds) if (0.0..=MOST_SECONDS).contains(&seconds) => {
                    self.timeout = Duration::try_from_secs_f64(seconds).ok();
                }
                _ => return wrong("seconds, a number from 0 to 31536000"),
            },
            "model_group_retry_policy" => self.retries_by_class = policies(value)?,
            "routing_strategy" => match value.as_str().and_then(StrategyName::parse) {
                Some(strategy) => self.strategy = Some(strategy),
                None => {
                    let names = StrategyName::ALL.map(StrategyName::as_str);
                    return Err(format!("one of {}", names.join(", ")));
                }
            },
            "enable_tag_filtering" => match value {
                Value::Bool(is_on) => self.tag_filtering = *is_on,
                _ => return wrong("true or false"),
            },
            "weights" => self.weights = weights(value)?,
            _ if WITHOUT_EFFECT.contains(&field) => {}
            _ => {
                return Err(format!(
                    "no field of this name, but one of {}",
                    FIELDS.join(", ")
                ));
            }
        }
        Ok(())
    }
}

fn list(value: &Value) -> Result<Option<List>, String> {
    match List::from_json(value.clone()) {
        Ok(list) => Ok(Some(list)),
        Err(ListError::Expected(expected)) => Err(expected.to_owned()),
        Err(ListError::Refused(what)) => Err(format!("a list without {what}")),
    }
}

fn policies(value: &Value) -> Result<Vec<(Box<str>, RetriesByClass)>, String> {
    let expected = || {
        let fields: Vec<String> = RetriesByClass::fields().collect();
        format!(
            "a map of groups to policies, each a map of some of {} to whole numbers from 0 to 1000",
            fields.join(", ")
        )
    };
    let groups = value
        .as_object()
        .filter(|groups| groups.len() <= MOST_NAMES);
    let mut policies = Vec::new();
    for (group, fields) in groups.ok_or_else(expected)? {
        let mut policy = RetriesByClass::default();
        for (field, retries) in fields.as_object().ok_or_else(expected)? {
            if retries.is_null() {
                continue;
            }
            let retries = retries.as_u64().filter(|retries| *retries <= MOST_RETRIES);
            let retries = retries.and_then(|retries| u32::try_from(retries).ok());
            if !retries.is_some_and(|retries| policy.set(field, retries)) {
                return Err(expected());
            }
        }
        policies.push((group.as_str().into(), policy));
    }
    Ok(policies)
}

fn weights(value: &Value) -> Result<Weights, String> {
    const EXPECTED: &str = "a map of groups to maps of deployment ids to shares, which are numbers that are not negative";
    let is_short = |map: &&Map<String, Value>| map.len() <= MOST_NAMES;
    let groups = value.as_object().filter(is_short).ok_or(EXPECTED)?;
    let mut all = Vec::new();
    for (group, shares) in groups {
        let shares = shares.as_object().filter(is_short).ok_or(EXPECTED)?;
        let mut of_group = Vec::new();
        for (id, share) in shares {
            let share = share
                .as_f64()
                .filter(|share| *share >= 0.0 && *share <= 1e15);
            of_group.push((id.as_str().into(), share.ok_or(EXPECTED)?));
        }
        of_group.sort_by(|(one, _): &(Box<str>, f64), (other, _)| one.cmp(other));
        all.push((group.as_str().into(), of_group));
    }
    Ok(Weights(all))
}

#[cfg(test)]
mod tests;
