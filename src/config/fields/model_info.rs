//! `model_info`. A field that is not listed is kept and shown in model lists.

use super::{Group, accepted, not_yet, obeyed};

pub const GROUPS: &[Group] = &[
    obeyed(
        1,
        &[
            "mode",
            "base_model",
            "max_tokens",
            "max_input_tokens",
            "max_output_tokens",
        ],
    ),
    obeyed(2, &["id", "access_groups"]),
    obeyed(3, &["blocked"]),
    // Written by LiteLLM when it exports a model of its database; descriptive.
    accepted(
        2,
        &[
            "db_model",
            "created_at",
            "created_by",
            "updated_at",
            "updated_by",
            "supports_*",
            "supported_*",
        ],
    ),
    accepted(3, &["output_vector_size", "description", "type"]),
    not_yet(
        2,
        &[
            "team_id",
            "team_public_model_name",
            "supported_environments",
            "health_check_model",
            "health_check_timeout",
            "health_check_max_tokens",
            "disable_background_health_check",
            "allowed_fails",
            "allowed_fails_policy",
            "cooldown_time",
            "order",
        ],
    ),
    not_yet(
        3,
        &[
            "access_windows",
            "enable_tag_filtering",
            "allow_fail_open",
            "tier",
            "ptu_count",
            "ptu_cost*",
            "adaptive_router_preferences",
            "litellm_routing_preferences",
            "internal_router_model",
        ],
    ),
    super::not_yet_on(3, &["discoverable"]),
];
