//! Top level, and the entries of `model_list`.

use super::{Group, not_yet, obeyed};

pub const GROUPS: &[Group] = &[
    obeyed(
        1,
        &[
            "model_list",
            "litellm_settings",
            "router_settings",
            "general_settings",
        ],
    ),
    obeyed(2, &["environment_variables"]),
    not_yet(
        2,
        &[
            "include",
            "callback_settings",
            "credential_list",
            "guardrails",
            "mcp_servers",
            "search_tools",
            "vector_store_registry",
            "finetune_settings",
            "files_settings",
            "default_vertex_config",
        ],
    ),
    not_yet(
        3,
        &[
            "mcp_tools",
            "mcp_semantic_tool_filter",
            "agents",
            "agent_list",
            "prompts",
            "policies",
            "policy_attachments",
            "assistant_settings",
            "sandbox_tools",
            "worker_registry",
        ],
    ),
];

pub const ENTRY_GROUPS: &[Group] = &[
    obeyed(
        1,
        &["model_name", "litellm_params", "model_info", "tpm", "rpm"],
    ),
    not_yet(3, &["itpm", "otpm"]),
];
