//! Whether a key that is held to some routes may use this one: LiteLLM's `allowed_routes`. Pure.

use super::permission::Permission;

/// A route as a request has found it.
#[derive(Clone, Copy, Debug)]
pub struct Visited<'a> {
    pub permission: Permission,
    /// Its pattern: `/v1/models/{model}`.
    pub pattern: &'a str,
    /// As it was asked for.
    pub path: &'a str,
}

/// Routes of `info_routes` that exist here.
const INFORMATION: [&str; 9] = [
    "/key/info",
    "/v2/key/info",
    "/key/list",
    "/model/info",
    "/v1/model/info",
    "/model_group/info",
    "/models",
    "/v1/models",
    "/health",
];

/// What `management_routes` begin with.
const MANAGEMENT: [&str; 5] = ["/key/", "/user/", "/team/", "/model/", "/spend/logs"];

/// Whether one of `entries` lets a request through: a path, the beginning of one, `/prefix/*`, a pattern, or a group. No
/// entries: everything.
pub fn is_within(entries: &[String], visited: Visited<'_>) -> bool {
    entries.is_empty()
        || entries
            .iter()
            .any(|entry| is_literal(entry, visited) || is_in_group(entry, visited))
}

/// Whether an entry names the route itself: such an entry also lets a key in that its role would not.
pub fn is_granted(entries: &[String], visited: Visited<'_>) -> bool {
    entries.iter().any(|entry| is_literal(entry, visited))
}

fn is_literal(entry: &str, visited: Visited<'_>) -> bool {
    if !entry.starts_with('/') {
        return false;
    }
    if let Some(prefix) = entry.strip_suffix('*') {
        return visited.path.starts_with(prefix);
    }
    let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
    entry == visited.pattern || visited.path.strip_prefix(entry).is_some_and(below)
}

fn is_in_group(group: &str, visited: Visited<'_>) -> bool {
    let pattern = visited.pattern;
    let pattern = pattern.strip_prefix("/anthropic").unwrap_or(pattern);
    let lists_models = || pattern.starts_with("/models") || pattern.starts_with("/v1/models");
    match group {
        "anthropic_routes" => {
            visited.permission == Permission::Inference && pattern.starts_with("/v1/messages")
        }
        "llm_api_routes" | "openai_routes" => {
            visited.permission == Permission::Inference || lists_models()
        }
        "info_routes" => INFORMATION.contains(&visited.pattern),
        "management_routes" => {
            visited.pattern == "/v2/key/info"
                || MANAGEMENT
                    .iter()
                    .any(|prefix| visited.pattern.starts_with(prefix))
        }
        "spend_tracking_routes" => visited.pattern.starts_with("/spend/"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_entries_mean() {
        use Permission::{Inference, Information, OwnKeys};
        let chat = (Inference, "/v1/chat/completions", "/v1/chat/completions");
        let messages = (Inference, "/v1/messages", "/v1/messages");
        let below = (
            Inference,
            "/anthropic/v1/messages/count_tokens",
            "/anthropic/v1/messages/count_tokens",
        );
        let model = (Information, "/v1/models/{model}", "/v1/models/m");
        let info = (Information, "/key/info", "/key/info");
        let generate = (OwnKeys, "/key/generate", "/key/generate");
        for (entry, (permission, pattern, path), expected) in [
            ("/v1/chat/completions", chat, true),
            ("/v1/chat", chat, true),
            ("/v1/chat/comp", chat, false),
            ("/v1/*", chat, true),
            ("/v1/*", info, false),
            ("*", chat, false),
            ("/*", info, true),
            ("/v1/models/{model}", model, true),
            ("/v1/models/m", model, true),
            ("/v1/models/n", model, false),
            ("llm_api_routes", chat, true),
            ("llm_api_routes", model, true),
            ("llm_api_routes", info, false),
            ("llm_api_routes", messages, true),
            ("anthropic_routes", messages, true),
            ("anthropic_routes", below, true),
            ("anthropic_routes", chat, false),
            ("info_routes", info, true),
            ("info_routes", generate, false),
            ("management_routes", generate, true),
            ("management_routes", chat, false),
            ("no_such_group", chat, false),
        ] {
            let visited = Visited {
                permission,
                pattern,
                path,
            };
            assert_eq!(
                is_within(&[entry.to_owned()], visited),
                expected,
                "{entry} {path}"
            );
        }
        let visited = Visited {
            permission: chat.0,
            pattern: chat.1,
            path: chat.2,
        };
        assert!(is_within(&[], visited) && !is_granted(&[], visited));
        assert!(!is_granted(&["llm_api_routes".to_owned()], visited));
    }
}
