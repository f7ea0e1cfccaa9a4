//! `router_settings`.

use super::{Group, accepted, not_yet, not_yet_on, obeyed};

pub const GROUPS: &[Group] = &[
    obeyed(
        1,
        &[
            "routing_strategy",
            "num_retries",
            "timeout",
            "model_group_alias",
        ],
    ),
    obeyed(2, &["stream_timeout", "default_max_parallel_requests"]),
    // Logging and object lifetimes of LiteLLM's own process.
    accepted(
        3,
        &[
            "client_ttl",
            "set_verbose",
            "debug_level",
            "cache_responses",
        ],
    ),
    not_yet(
        1,
        &[
            "cooldown_time",
            "allowed_fails",
            "fallbacks",
            "context_window_fallbacks",
            "content_policy_fallbacks",
            "default_fallbacks",
            "enable_pre_call_checks",
            "redis_host",
            "redis_port",
            "redis_password",
            "redis_db",
            "redis_url",
            "cache_kwargs",
        ],
    ),
    not_yet(
        2,
        &[
            "routing_strategy_args",
            "retry_after",
            "retry_policy",
            "model_group_retry_policy",
            "allowed_fails_policy",
            "disable_cooldowns",
            "max_fallbacks",
            "enable_tag_filtering",
            "tag_routing_prefix",
            "optional_pre_call_checks",
            "provider_budget_config",
            "default_litellm_params",
        ],
    ),
    not_yet_on(2, &["tag_filtering_match_any"]),
    not_yet(
        3,
        &[
            "routing_groups",
            "deployment_affinity_ttl_seconds",
            "model_group_affinity_config",
            "enable_weighted_failover",
            "enable_health_check_routing",
            "health_check_staleness_threshold",
            "health_check_ignore_transient_errors",
            "background_health_check_model_groups",
            "default_priority",
            "polling_interval",
            "caching_groups",
            "alerting_config",
            "guardrail_list",
            "plugins",
        ],
    ),
];
