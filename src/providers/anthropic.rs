//! What calls of Anthropic's Messages carry beside their body.

use crate::types::Secret;

/// The version of the API that this gateway speaks, for clients that name none: `anthropic-version`.
pub const VERSION: &str = "2023-06-01";

/// Said with tokens of Claude subscriptions, as Anthropic's own clients do.
pub const DIRECT_ACCESS: &str = "anthropic-dangerous-direct-browser-access";

/// The beta that these tokens need.
pub const OAUTH_BETA: &str = "oauth-2025-04-20";

/// A token of a Claude subscription, which is sent as a bearer token and not as a key (LiteLLM 1.106.2).
pub fn is_oauth_token(key: &Secret) -> bool {
    key.expose().starts_with("sk-ant-oat")
}

/// Whether a deployment of Azure AI Foundry is Anthropic's.
pub fn is_claude(model: &str) -> bool {
    model.starts_with("claude")
}
