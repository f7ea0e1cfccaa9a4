//! What each agent has to be told to call the gateway. Pure.

use serde_json::{Map, Value, json};

use super::gateway::{HERE, Model, is_here};
use crate::cli::Agent;

/// The variable from which Codex and opencode take the key: it stands in no argument, which others could see.
const KEY: &str = "POINTSMAN_KEY";

/// What was found out.
pub struct Found<'a> {
    /// Without a slash at its end.
    pub url: &'a str,
    pub key: &'a str,
    pub models: &'a [Model],
    /// What the agent is to work with; its own choice when nobody says.
    pub model: Option<&'a str>,
    /// What it is to use in the background.
    pub small_model: Option<&'a str>,
}

/// How an agent is started.
#[derive(Debug, PartialEq, Eq)]
pub struct Start {
    pub program: &'static str,
    /// Before the user's own.
    pub arguments: Vec<String>,
    pub set: Vec<(&'static str, String)>,
    /// Variables that would lead it elsewhere.
    pub unset: &'static [&'static str],
    /// How it is installed.
    pub hint: &'static str,
}

/// How `agent` is started; `env` reads a variable.
pub fn start(agent: Agent, found: &Found<'_>, env: &dyn Fn(&str) -> Option<String>) -> Start {
    let mut start = match agent {
        Agent::Claude => claude(found, env),
        Agent::Codex => codex(found),
        Agent::Opencode => opencode(found),
    };
    if is_here(found.url) {
        start.set.extend(without_proxy(env));
    }
    start
}

/// What keeps the calls to this machine away from a proxy that the user has for others.
fn without_proxy(env: &dyn Fn(&str) -> Option<String>) -> Vec<(&'static str, String)> {
    let proxies = [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ];
    if proxies.iter().all(|name| env(name).is_none()) {
        return Vec::new();
    }
    let own = env("NO_PROXY")
        .or_else(|| env("no_proxy"))
        .unwrap_or_default();
    let names = own
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let list = names.chain(HERE).collect::<Vec<_>>().join(",");
    vec![("NO_PROXY", list.clone()), ("no_proxy", list)]
}

/// Claude Code, by the variables of its documentation on gateways.
fn claude(found: &Found<'_>, env: &dyn Fn(&str) -> Option<String>) -> Start {
    let mut set = vec![
        ("ANTHROPIC_BASE_URL", found.url.to_owned()),
        ("ANTHROPIC_AUTH_TOKEN", found.key.to_owned()),
    ];
    // Its picker shows the gateway's models; and the first line of its prompt, which is another in each request, would cost
    // every other provider's prompt cache.
    for (name, value) in [
        ("CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY", "1"),
        ("CLAUDE_CODE_ATTRIBUTION_HEADER", "0"),
    ] {
        if env(name).is_none() {
            set.push((name, value.to_owned()));
        }
    }
    let model = found.model.map(str::to_owned);
    // Sub-agents ask for models by these names.
    let large = [
        "ANTHROPIC_MODEL",
        "ANTHROPIC_DEFAULT_OPUS_MODEL",
        "ANTHROPIC_DEFAULT_SONNET_MODEL",
    ];
    set.extend(
        large
            .into_iter()
            .filter_map(|name| Some((name, model.clone()?))),
    );
    let small = found.small_model.or(found.model).map(str::to_owned);
    let names = [
        "ANTHROPIC_DEFAULT_HAIKU_MODEL",
        "ANTHROPIC_SMALL_FAST_MODEL",
    ];
    set.extend(
        names
            .into_iter()
            .filter_map(|name| Some((name, small.clone()?))),
    );
    Start {
        program: "claude",
        arguments: Vec::new(),
        set,
        unset: &[
            "ANTHROPIC_API_KEY",
            "ANTHROPIC_CUSTOM_HEADERS",
            "ANTHROPIC_UNIX_SOCKET",
            "CLAUDE_CODE_OAUTH_TOKEN",
            "CLAUDE_CODE_USE_ANTHROPIC_AWS",
            "CLAUDE_CODE_USE_BEDROCK",
            "CLAUDE_CODE_USE_FOUNDRY",
            "CLAUDE_CODE_USE_MANTLE",
            "CLAUDE_CODE_USE_VERTEX",
        ],
        hint: "install it with `npm install -g @anthropic-ai/claude-code`",
    }
}

/// Codex, by overrides of its configuration. A provider whose token comes from a command is asked for its catalogue of
/// models, one with a key in a variable is not.
fn codex(found: &Found<'_>) -> Start {
    let provider = format!(
        "model_providers.pointsman={{name=\"Pointsman\",base_url={},wire_api=\"responses\",auth={{command=\"printenv\",args=[\"{KEY}\"]}}}}",
        quoted(&format!("{}/v1", found.url))
    );
    let mut overrides = vec!["model_provider=\"pointsman\"".to_owned(), provider];
    overrides.extend(found.model.map(|model| format!("model={}", quoted(model))));
    Start {
        program: "codex",
        arguments: overrides
            .into_iter()
            .flat_map(|one| ["-c".to_owned(), one])
            .collect(),
        set: vec![(KEY, found.key.to_owned())],
        unset: &[],
        hint: "install it with `npm install -g @openai/codex`",
    }
}

/// A text of TOML; JSON's escapes are among TOML's.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// opencode, by a configuration that it lays over the user's own.
fn opencode(found: &Found<'_>) -> Start {
    let mut models = Map::new();
    let own = found.model.into_iter().chain(found.small_model);
    for id in own {
        models.insert(id.to_owned(), json!({"name": id}));
    }
    for model in found.models {
        let mut entry = json!({"name": model.id});
        if let (Some(context), Some(output)) = (model.max_input_tokens, model.max_tokens) {
            entry["limit"] = json!({"context": context, "output": output});
        }
        models.insert(model.id.clone(), entry);
    }
    let mut config = json!({
        "provider": {"pointsman": {
            "npm": "@ai-sdk/openai-compatible",
            "name": "Pointsman",
            "options": {"baseURL": format!("{}/v1", found.url), "apiKey": format!("{{env:{KEY}}}")},
            "models": models,
        }},
    });
    for (field, model) in [("model", found.model), ("small_model", found.small_model)] {
        if let Some(model) = model {
            config[field] = format!("pointsman/{model}").into();
        }
    }
    Start {
        program: "opencode",
        arguments: Vec::new(),
        set: vec![
            (KEY, found.key.to_owned()),
            ("OPENCODE_CONFIG_CONTENT", config.to_string()),
        ],
        unset: &[],
        hint: "install it with `npm install -g opencode-ai`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(models: &'a [Model], model: Option<&'a str>, small: Option<&'a str>) -> Found<'a> {
        Found {
            url: "http://h:4000",
            key: "sk-k",
            models,
            model,
            small_model: small,
        }
    }

    fn set(start: &Start, name: &str) -> Option<String> {
        let found = start.set.iter().find(|(own, _)| *own == name);
        found.map(|(_, value)| value.clone())
    }

    #[test]
    fn claude_by_variables() {
        let of = |model, small, env: &dyn Fn(&str) -> Option<String>| {
            start(Agent::Claude, &found(&[], model, small), env)
        };
        let plain = of(None, None, &|_| None);
        assert!(plain.arguments.is_empty());
        let value = |name: &str| set(&plain, name);
        assert_eq!(
            value("ANTHROPIC_BASE_URL").as_deref(),
            Some("http://h:4000")
        );
        assert_eq!(value("ANTHROPIC_AUTH_TOKEN").as_deref(), Some("sk-k"));
        assert_eq!(value("ANTHROPIC_MODEL"), None);
        assert_eq!(value("ANTHROPIC_DEFAULT_HAIKU_MODEL"), None);
        assert!(plain.unset.contains(&"ANTHROPIC_API_KEY"));
        for (model, small, main, background) in [
            (Some("m"), None, Some("m"), Some("m")),
            (Some("m"), Some("s"), Some("m"), Some("s")),
            (None, Some("s"), None, Some("s")),
        ] {
            let start = of(model, small, &|_| None);
            assert_eq!(set(&start, "ANTHROPIC_MODEL").as_deref(), main);
            let haiku = set(&start, "ANTHROPIC_DEFAULT_HAIKU_MODEL");
            assert_eq!(haiku.as_deref(), background);
        }
        // What the user has decided stays.
        let own = of(None, None, &|name| {
            (name == "CLAUDE_CODE_ATTRIBUTION_HEADER").then(|| "1".into())
        });
        assert_eq!(set(&own, "CLAUDE_CODE_ATTRIBUTION_HEADER"), None);
    }

    #[test]
    fn no_proxy_stands_between_two_of_this_machine() {
        let env = |name: &str| match name {
            "HTTPS_PROXY" => Some("http://proxy:3128".to_owned()),
            "NO_PROXY" => Some("intern, ".to_owned()),
            _ => None,
        };
        let own = |url, env: &dyn Fn(&str) -> Option<String>| {
            let found = Found {
                url,
                ..found(&[], None, None)
            };
            let start = start(Agent::Codex, &found, env);
            (set(&start, "NO_PROXY"), set(&start, "no_proxy"))
        };
        let here = own("http://localhost:4000", &env);
        let all = |list: &str| Some(list.to_owned());
        let list = all("intern,localhost,127.0.0.1,::1");
        assert_eq!(here, (list.clone(), list));
        assert_eq!(own("http://h:4000", &env), (None, None));
        assert_eq!(own("http://localhost:4000", &|_| None), (None, None));
    }

    #[test]
    fn codex_by_overrides() {
        let start = start(Agent::Codex, &found(&[], Some("a \"b\""), None), &|_| None);
        let overrides: Vec<&String> = start.arguments.iter().filter(|one| *one != "-c").collect();
        assert_eq!(overrides.len() * 2, start.arguments.len());
        assert_eq!(overrides[0], "model_provider=\"pointsman\"");
        assert!(overrides[1].contains("base_url=\"http://h:4000/v1\""));
        assert_eq!(overrides[2], "model=\"a \\\"b\\\"\"");
        assert!(start.arguments.iter().all(|one| !one.contains("sk-k")));
        assert_eq!(set(&start, "POINTSMAN_KEY").as_deref(), Some("sk-k"));
    }

    #[test]
    fn opencode_by_a_configuration() {
        let model = |id: &str, figure| Model {
            id: id.to_owned(),
            max_input_tokens: figure,
            max_tokens: figure,
        };
        let models = [model("a", Some(10)), model("b", None)];
        let start = start(
            Agent::Opencode,
            &found(&models, Some("b"), Some("c")),
            &|_| None,
        );
        let config = set(&start, "OPENCODE_CONFIG_CONTENT").expect("a configuration");
        assert!(!config.contains("sk-k"));
        let config: Value = serde_json::from_str(&config).expect("JSON");
        assert_eq!(
            (&config["model"], &config["small_model"]),
            (&json!("pointsman/b"), &json!("pointsman/c"))
        );
        let provider = &config["provider"]["pointsman"];
        assert_eq!(provider["options"]["baseURL"], "http://h:4000/v1");
        assert_eq!(
            provider["models"],
            json!({"a": {"name": "a", "limit": {"context": 10, "output": 10}}, "b": {"name": "b"}, "c": {"name": "c"}})
        );
    }
}
