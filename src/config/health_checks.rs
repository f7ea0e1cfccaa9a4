//! Health checks: what one deployment says of its own, and what `general_settings` say of all.

use std::time::Duration;

use super::diagnostic::Severity;
use super::read::Section;
use super::yaml::Value;

/// What `model_info` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthCheckInfo {
    /// `health_check_model`.
    pub model: Option<String>,
    /// `health_check_timeout`.
    pub timeout: Option<Duration>,
    /// `health_check_max_tokens`, from 1.
    pub max_tokens: Option<u64>,
    /// `disable_background_health_check`.
    pub not_in_background: bool,
}

impl HealthCheckInfo {
    pub(super) fn read(section: &Section<'_>) -> Self {
        Self {
            model: section
                .text("health_check_model")
                .filter(|model| !model.is_empty()),
            timeout: section.timeout("health_check_timeout"),
            max_tokens: section
                .count("health_check_max_tokens")
                .map(|most| most.max(1)),
            not_in_background: section
                .flag("disable_background_health_check")
                .unwrap_or(false),
        }
    }
}

/// LiteLLM's default of `health_check_interval`.
const INTERVAL: Duration = Duration::from_secs(300);
/// Checks at the same time where nothing is said.
const CONCURRENCY: usize = 8;

/// What `general_settings` say; `router_settings` may say those about routing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthChecks {
    /// `background_health_checks`.
    pub in_background: bool,
    /// `health_check_interval`, at least a second.
    pub interval: Duration,
    /// `health_check_concurrency`, from 1.
    pub concurrency: usize,
    /// `health_check_details`: more than who works and who does not.
    pub details: bool,
    /// `background_health_check_model_groups`; empty: all of them.
    pub groups: Vec<String>,
    /// `enable_health_check_routing`.
    pub decide_routing: bool,
    /// `health_check_staleness_threshold`: how long a finding counts; twice the interval unless set.
    pub staleness: Duration,
    /// `health_check_ignore_transient_errors`.
    pub ignore_transient: bool,
}

impl Default for HealthChecks {
    fn default() -> Self {
        Self {
            in_background: false,
            interval: INTERVAL,
            concurrency: CONCURRENCY,
            details: true,
            groups: Vec::new(),
            decide_routing: false,
            staleness: INTERVAL * 2,
            ignore_transient: false,
        }
    }
}

impl HealthChecks {
    /// What concerns routing `router_settings` may say where `general_settings` do not.
    pub(super) fn read(top: &Section<'_>) -> Self {
        let default = Self::default();
        // What is no map was told by those who read the rest of it.
        let open = |name: &str| {
            let node = top.value(name);
            let node = node.filter(|node| matches!(node.value, Value::Map(_)))?;
            Section::open(node, name, top.sink, Severity::Error)
        };
        let (general, router) = (open("general_settings"), open("router_settings"));
        let (general, router) = (general.as_ref(), router.as_ref());
        let both = || general.into_iter().chain(router);
        let flag = |key: &str| {
            both()
                .find_map(|section| section.flag(key))
                .unwrap_or(false)
        };
        let interval = general
            .and_then(|section| section.timeout("health_check_interval"))
            .map_or(INTERVAL, |interval| interval.max(Duration::from_secs(1)));
        let concurrency =
            general.and_then(|section| section.small("health_check_concurrency", 1_000));
        let staleness =
            both().find_map(|section| section.timeout("health_check_staleness_threshold"));
        let mut groups =
            both().map(|section| section.texts("background_health_check_model_groups"));
        Self {
            in_background: general
                .and_then(|section| section.flag("background_health_checks"))
                .unwrap_or(false),
            interval,
            concurrency: concurrency.map_or(CONCURRENCY, |most| most.max(1) as usize),
            details: general
                .and_then(|section| section.flag("health_check_details"))
                .unwrap_or(default.details),
            groups: groups.find(|groups| !groups.is_empty()).unwrap_or_default(),
            decide_routing: flag("enable_health_check_routing"),
            staleness: staleness.unwrap_or(interval * 2),
            ignore_transient: flag("health_check_ignore_transient_errors"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(text: &str) -> HealthChecks {
        let loaded = Config::from_text("t.yaml", text, &|_| None).unwrap();
        assert!(!loaded.has_errors(), "{:?}", loaded.diagnostics);
        loaded.config.health_checks
    }

    #[test]
    fn routing_may_be_said_in_either_section() {
        let fields = "{enable_health_check_routing: true, health_check_staleness_threshold: 9, \
                      health_check_ignore_transient_errors: true, background_health_check_model_groups: [a, b]}";
        let said = HealthChecks {
            decide_routing: true,
            staleness: Duration::from_secs(9),
            ignore_transient: true,
            groups: vec!["a".into(), "b".into()],
            ..HealthChecks::default()
        };
        assert_eq!(read(&format!("general_settings: {fields}")), said);
        assert_eq!(read(&format!("router_settings: {fields}")), said);
        // The former counts.
        let both = "general_settings: {health_check_staleness_threshold: 1}\nrouter_settings: {health_check_staleness_threshold: 2}";
        assert_eq!(read(both).staleness, Duration::from_secs(1));
    }

    #[test]
    fn findings_count_for_two_rounds() {
        assert_eq!(read("{}"), HealthChecks::default());
        let checks =
            read("general_settings: {health_check_interval: 40, health_check_concurrency: 0}");
        assert_eq!(
            (checks.interval, checks.staleness),
            (Duration::from_secs(40), Duration::from_secs(80))
        );
        assert_eq!(checks.concurrency, 1);
        assert_eq!(
            read("general_settings: {health_check_interval: 0.001}").interval,
            Duration::from_secs(1)
        );
    }
}
