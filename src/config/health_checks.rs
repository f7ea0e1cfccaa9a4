//! Health checks: what one deployment says of its own, and what `general_settings` and the environment say of all.

use std::sync::Arc;
use std::time::Duration;

use super::diagnostic::{Severity, Sink};
use super::read::Section;
use super::yaml::{Pos, Value};

/// What `model_info` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthCheckInfo {
    /// `health_check_model`.
    pub model: Option<String>,
    /// `health_check_timeout`.
    pub timeout: Option<Duration>,
    /// `health_check_max_tokens`, from 1.
    pub max_tokens: Option<u64>,
    /// `health_check_voice`: who speaks.
    pub voice: Option<String>,
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
            voice: section
                .text("health_check_voice")
                .filter(|voice| !voice.is_empty()),
            not_in_background: section
                .flag("disable_background_health_check")
                .unwrap_or(false),
        }
    }
}

/// Nobody is asked more often.
const SHORTEST: Duration = Duration::from_secs(1);
/// A year.
const MOST_SECONDS: f64 = 31_536_000.0;
const MOST_TOKENS: f64 = 1_000_000.0;
/// LiteLLM's default of `health_check_interval`.
const INTERVAL: Duration = Duration::from_secs(300);
/// Checks at the same time where nothing is said.
const CONCURRENCY: usize = 8;
/// LiteLLM's `HEALTH_CHECK_TIMEOUT_SECONDS`.
const TIMEOUT: Duration = Duration::from_secs(60);
/// LiteLLM's `DEFAULT_HEALTH_CHECK_PROMPT`.
const PROMPT: &str = "test from litellm";
/// Longer ones would cost.
const MOST_PROMPT_BYTES: usize = 10_000;
/// LiteLLM's `DEFAULT_SHARED_HEALTH_CHECK_TTL` and `DEFAULT_SHARED_HEALTH_CHECK_LOCK_TTL`.
const SHARED: Duration = Duration::from_secs(300);
const LEASE: Duration = Duration::from_secs(60);

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
    /// `health_check_skip_disabled_background_models`: `/health` too passes over deployments with
    /// `disable_background_health_check`.
    pub skips_disabled: bool,
    /// `model_list_healthy_only`: lists of models leave out those whose deployments all fail.
    pub lists_healthy_only: bool,
    /// `enable_health_check_routing`: failing checks count towards cooldowns.
    pub decide_routing: bool,
    /// And who fails them is called only when nobody else is left. Not so where an `allowed_fails_policy` says how many
    /// failures matter, unless groups are named whose checks decide (LiteLLM 1.106.2).
    pub spare_failing: bool,
    /// `health_check_staleness_threshold`: how long a finding counts; twice the interval unless set.
    pub staleness: Duration,
    /// `health_check_ignore_transient_errors`.
    pub ignore_transient: bool,
    /// What is asked (`DEFAULT_HEALTH_CHECK_PROMPT`).
    pub prompt: Arc<str>,
    /// Of an answer, where a deployment says nothing (`BACKGROUND_HEALTH_CHECK_MAX_TOKENS`).
    pub max_tokens: Option<u64>,
    /// The most that a check takes unless its deployment says otherwise (`HEALTH_CHECK_TIMEOUT_SECONDS`).
    pub timeout: Duration,
    /// `use_shared_health_check`: of all instances with one database one asks.
    pub shared: bool,
    /// How long what another instance has found counts (`DEFAULT_SHARED_HEALTH_CHECK_TTL`).
    pub shared_for: Duration,
    /// How long who asks keeps others from it without a sign of life (`DEFAULT_SHARED_HEALTH_CHECK_LOCK_TTL`).
    pub lease: Duration,
}

impl Default for HealthChecks {
    fn default() -> Self {
        Self {
            in_background: false,
            interval: INTERVAL,
            concurrency: CONCURRENCY,
            details: true,
            groups: Vec::new(),
            skips_disabled: false,
            lists_healthy_only: false,
            decide_routing: false,
            spare_failing: false,
            staleness: INTERVAL * 2,
            ignore_transient: false,
            prompt: PROMPT.into(),
            max_tokens: None,
            timeout: TIMEOUT,
            shared: false,
            shared_for: SHARED,
            lease: LEASE,
        }
    }
}

impl HealthChecks {
    /// What concerns routing `router_settings` may say where `general_settings` do not.
    pub(super) fn read(top: &Section<'_>, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let default = Self::of_environment(env, top.sink);
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
            .map_or(default.interval, |interval| interval.max(SHORTEST));
        let concurrency =
            general.and_then(|section| section.small("health_check_concurrency", 1_000));
        let staleness =
            both().find_map(|section| section.timeout("health_check_staleness_threshold"));
        let mut groups =
            both().map(|section| section.texts("background_health_check_model_groups"));
        let groups = groups.find(|groups| !groups.is_empty()).unwrap_or_default();
        let policy = router.and_then(|section| section.value("allowed_fails_policy"));
        let has_policy = policy
            .is_some_and(|node| matches!(&node.value, Value::Map(entries) if !entries.is_empty()));
        let decide_routing = flag("enable_health_check_routing");
        let own = |key: &str| {
            general
                .and_then(|section| section.flag(key))
                .unwrap_or(false)
        };
        Self {
            in_background: own("background_health_checks"),
            interval,
            concurrency: concurrency.map_or(CONCURRENCY, |most| most.max(1) as usize),
            details: general
                .and_then(|section| section.flag("health_check_details"))
                .unwrap_or(default.details),
            spare_failing: decide_routing && (!has_policy || !groups.is_empty()),
            groups,
            skips_disabled: own("health_check_skip_disabled_background_models"),
            lists_healthy_only: own("model_list_healthy_only"),
            decide_routing,
            staleness: staleness.unwrap_or(interval * 2),
            ignore_transient: flag("health_check_ignore_transient_errors"),
            shared: own("use_shared_health_check"),
            ..default
        }
    }

    /// What the environment says where no file does.
    fn of_environment(env: &dyn Fn(&str) -> Option<String>, sink: &Sink) -> Self {
        let value = |name: &str| env(name).filter(|text| !text.trim().is_empty());
        let number = |name: &str, range: std::ops::RangeInclusive<f64>, what: &str| {
            let number = value(name)?.trim().parse::<f64>().ok();
            let fits = number.filter(|number| range.contains(number));
            if fits.is_none() {
                let message =
                    format!("this variable of the environment should hold {what}; it is ignored");
                sink.warning(Pos::START, name, message);
            }
            fits
        };
        let seconds = |name: &str, default: Duration| {
            let seconds = number(name, 1.0..=MOST_SECONDS, "seconds, 1 at least");
            seconds.map_or(default, Duration::from_secs_f64)
        };
        let default = Self::default();
        let interval = seconds("DEFAULT_HEALTH_CHECK_INTERVAL", INTERVAL);
        let prompt = value("DEFAULT_HEALTH_CHECK_PROMPT");
        Self {
            interval,
            staleness: interval * 2,
            prompt: prompt
                .filter(|prompt| prompt.len() <= MOST_PROMPT_BYTES)
                .map_or(default.prompt, Into::into),
            max_tokens: number(
                "BACKGROUND_HEALTH_CHECK_MAX_TOKENS",
                1.0..=MOST_TOKENS,
                "a number of tokens",
            )
            .map(|tokens| tokens as u64),
            timeout: seconds("HEALTH_CHECK_TIMEOUT_SECONDS", TIMEOUT),
            shared_for: seconds("DEFAULT_SHARED_HEALTH_CHECK_TTL", SHARED),
            lease: seconds("DEFAULT_SHARED_HEALTH_CHECK_LOCK_TTL", LEASE),
            ..Self::default()
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
            spare_failing: true,
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
    fn the_environment_speaks_where_no_file_does() {
        let env = |name: &str| match name {
            "DEFAULT_HEALTH_CHECK_INTERVAL" => Some("40".to_owned()),
            "HEALTH_CHECK_TIMEOUT_SECONDS" => Some("soon".to_owned()),
            "DEFAULT_HEALTH_CHECK_PROMPT" => Some(" ".to_owned()),
            _ => None,
        };
        let loaded = Config::from_text("t.yaml", "general_settings: {}", &env).unwrap();
        let checks = &loaded.config.health_checks;
        assert_eq!(
            (checks.interval, checks.staleness),
            (Duration::from_secs(40), Duration::from_secs(80))
        );
        assert_eq!((checks.timeout, &*checks.prompt), (TIMEOUT, PROMPT));
        assert_eq!(loaded.diagnostics.len(), 1, "{:?}", loaded.diagnostics);
        let text = "general_settings: {health_check_interval: 3}";
        let loaded = Config::from_text("t.yaml", text, &env).unwrap();
        assert_eq!(loaded.config.health_checks.interval, Duration::from_secs(3));
    }

    /// With a policy for failures the checks count towards it, unless groups are named whose checks decide.
    #[test]
    fn a_policy_for_failures_comes_before_the_checks() {
        let policy = "router_settings: {enable_health_check_routing: true, allowed_fails_policy: {TimeoutErrorAllowedFails: 1}";
        for (rest, spares) in [
            ("}", false),
            (", background_health_check_model_groups: [g]}", true),
        ] {
            let checks = read(&format!("{policy}{rest}"));
            assert_eq!(
                (checks.decide_routing, checks.spare_failing),
                (true, spares)
            );
        }
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
