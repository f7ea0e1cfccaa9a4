//! What happens when a deployment or a whole group fails: the settings that hold for all requests.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::policy::fallback::{Fallbacks, Targets};
use crate::policy::mid_stream::MidStreamFailure;
use crate::policy::retry::RetriesByClass;

/// LiteLLM's `ROUTER_MAX_FALLBACKS`.
const MAX_FALLBACKS: u32 = 5;
/// Upstream calls of one request. LiteLLM has no bound.
const MAX_ATTEMPTS: u32 = 25;
/// Time for all of a request's calls: LiteLLM's own outermost time limit.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(6_000);
/// A stream's head waits so long for the first content.
const FIRST_CONTENT_HOLD: Duration = Duration::from_secs(15);

/// See the module.
#[derive(Clone, Debug)]
pub struct Failover {
    pub fallbacks: Fallbacks,
    /// Groups tried after the one that was asked for.
    pub max_fallbacks: u32,
    /// Upstream calls of one request, over all retries and fallbacks; at least 1.
    pub max_attempts: u32,
    /// Time for all of them until an answer begins.
    pub total_timeout: Option<Duration>,
    /// The shortest wait before the same deployment is called again.
    pub min_wait: Duration,
    /// How long a stream's head waits for the first content. For as long a failure is an error with a status of its own.
    pub first_content_hold: Duration,
    /// What becomes of a stream that breaks after that, unless its request says.
    pub mid_stream_failure: MidStreamFailure,
    /// Time between comments in a stream that says nothing; none unless its head went out before its content.
    pub heartbeat: Option<Duration>,
    /// Where nobody else is left, deployments that cool down are called: health checks leave out who fails them, and failures
    /// of calls are allowed by number (LiteLLM 1.106.2: `enable_health_check_routing` with an `allowed_fails_policy`).
    pub tries_cooling: bool,
    /// When the retries of a deployment are spent, others of its group are asked before other groups.
    pub weighted: bool,
    /// Errors tell which groups were tried.
    pub tells_trail: bool,
    /// Fallbacks of the configuration too must be on the lists of who calls.
    pub enforces_access: bool,
}

impl Failover {
    /// `larger_windows` are the derived fallbacks of prompts that are too long.
    pub(super) fn of(config: &Config, larger_windows: Vec<(Arc<str>, Targets)>) -> Self {
        let (router, litellm) = (&config.router_settings, &config.litellm_settings);
        let by_request = litellm
            .num_retries_per_request
            .map(|retries| retries.saturating_add(1));
        let max_attempts = router.max_attempts.unwrap_or(MAX_ATTEMPTS);
        Self {
            fallbacks: Fallbacks {
                larger_windows,
                ..config.fallbacks()
            },
            max_fallbacks: router
                .max_fallbacks
                .or(litellm.max_fallbacks)
                .unwrap_or(MAX_FALLBACKS),
            max_attempts: by_request.map_or(max_attempts, |most| most.min(max_attempts)),
            total_timeout: router.total_timeout,
            min_wait: router.retry_after.unwrap_or_default(),
            first_content_hold: router.first_content_hold.unwrap_or(FIRST_CONTENT_HOLD),
            mid_stream_failure: router.mid_stream_failure,
            heartbeat: litellm.sse_keepalive_ping_interval,
            tries_cooling: config.health_checks.decide_routing
                && !router.cooldown.allowed.by_class.is_empty(),
            weighted: router.enable_weighted_failover,
            tells_trail: litellm.expose_router_debug_in_errors,
            enforces_access: config.general_settings.enforce_fallback_model_access,
        }
    }

    /// Time for all calls of a request of which the first may take `limit`: never less than that, unless it is written.
    pub fn total_timeout(&self, limit: Duration) -> Duration {
        self.total_timeout.unwrap_or(TOTAL_TIMEOUT.max(limit))
    }
}

/// The retries by class of a group: its own policy takes the place of the general one.
pub(super) fn retries_by_class(config: &Config, group: &str) -> RetriesByClass {
    let router = &config.router_settings;
    let own = router
        .model_group_retry_policy
        .iter()
        .find(|(name, _)| name == group);
    own.map_or(router.retry_policy, |(_, policy)| *policy)
}
