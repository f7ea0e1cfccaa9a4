//! The headers that Anthropic wants.

use super::errors::invalid;
use crate::simulator::errors::Refusal;
use crate::simulator::request::RequestHead;

/// Betas that the API knows; any other is refused.
const BETAS: [&str; 26] = [
    "advanced-tool-use-2025-11-20",
    "advisor-tool-2026-03-01",
    "claude-code-20250219",
    "code-execution-2025-08-25",
    "compact-2026-01-12",
    "compact-2026-09-04",
    "computer-use-2025-01-24",
    "computer-use-2025-11-24",
    "context-1m-2025-08-07",
    "context-management-2025-06-27",
    "effort-2025-11-24",
    "fast-mode-2026-02-01",
    "files-api-2025-04-14",
    "fine-grained-tool-streaming-2025-05-14",
    "interleaved-thinking-2025-05-14",
    "mcp-client-2025-04-04",
    "mcp-client-2025-11-20",
    "oauth-2025-04-20",
    "output-128k-2025-02-19",
    "prompt-caching-2024-07-31",
    "prompt-caching-scope-2026-01-05",
    "skills-2025-10-02",
    "structured-outputs-2025-11-13",
    "token-efficient-tools-2025-02-19",
    "web-fetch-2025-09-10",
    "web-search-2025-03-05",
];

/// The version must be there, and every beta known.
pub fn check_headers(head: &RequestHead) -> Result<(), Refusal> {
    match head.anthropic_version.as_deref() {
        None => return Err(invalid("anthropic-version: header is required")),
        Some("2023-06-01" | "2023-01-01") => {}
        Some(other) => {
            let message = format!("anthropic-version: \"{other}\" is not a valid version");
            return Err(invalid(&message));
        }
    }
    let betas = head.anthropic_beta.as_deref().unwrap_or_default();
    let mut listed = betas
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    match listed.find(|name| !BETAS.contains(name)) {
        None => Ok(()),
        Some(unknown) => Err(invalid(&format!(
            "Unexpected value(s) `{unknown}` for the `anthropic-beta` header. Please consult our documentation at docs.claude.com or try again without the header."
        ))),
    }
}
