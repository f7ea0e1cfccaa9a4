//! Auto mode: one group `auto` of all deployments, or of a list of its own (`global_llm_configs`).
//!
//! An entry of that list is turned into an entry of `model_list` and read like one, so that it has all that any deployment
//! has. What is wrong with it is a warning and costs the entry alone: such lists are made by other services, and a gateway
//! that refused to start for one of them would serve none.

use std::time::Duration;

use super::credentials::Credentials;
use super::default_params::DefaultParams;
use super::diagnostic::{Severity, Sink};
use super::model::{self, ModelEntry};
use super::read::Section;
use super::redact::found;
use super::router_settings::RouterSettings;
use super::yaml::{Entry, Node, Value};
use crate::policy::strategies::StrategyName;

/// The group of all.
pub const AUTO: &str = "auto";
/// Those of them whose window is larger than the smallest.
pub const AUTO_LARGE: &str = "auto-large";

/// Defaults of the router in this mode.
const RETRIES: u32 = 3;
const ALLOWED_FAILS: u32 = 3;
const COOLDOWN_MS: u64 = 60_000;
const RETRY_AFTER: Duration = Duration::from_secs(5);

const LIST: &str = "global_llm_configs";
const SWITCH: &str = "auto_mode";

/// Who is in the group `auto`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AutoMode {
    /// Whoever the file gives that name; nothing is derived.
    #[default]
    Off,
    /// The entries of `global_llm_configs`.
    Listed,
    /// Every deployment that makes texts.
    All,
}

impl AutoMode {
    /// What the file says, at the top or under `general_settings`.
    pub(super) fn read(top: &Section<'_>) -> Self {
        let general = top.value("general_settings");
        let general = general
            .and_then(|node| Section::open(node, "general_settings", top.sink, Severity::Note));
        let nested = general.and_then(|section| section.flag(SWITCH));
        match top.flag(SWITCH).or(nested).unwrap_or(false) {
            true => Self::All,
            false if top.value(LIST).is_some() => Self::Listed,
            false => Self::Off,
        }
    }

    pub fn is_on(self) -> bool {
        self != Self::Off
    }
}

/// The deployments of `global_llm_configs`. `env` also knows what the file's `environment_variables` set.
pub fn read_list(
    top: &Section<'_>,
    credentials: &Credentials,
    defaults: &DefaultParams,
    env: &dyn Fn(&str) -> Option<String>,
) -> Vec<ModelEntry> {
    let Some(node) = top.value(LIST) else {
        return Vec::new();
    };
    let Value::List(items) = &node.value else {
        top.sink.warning(
            node.pos,
            LIST,
            format!(
                "expected a list (lines that begin with `- `), found {}",
                found(node, LIST)
            ),
        );
        return Vec::new();
    };
    let read = |(index, item): (usize, &Node)| {
        let path = format!("{LIST}[{index}]");
        let aside = top.sink.aside();
        let entry = as_entry(item, &path, &aside);
        let mut entries = entry.map_or_else(Vec::new, |entry| {
            model::read_one(&entry, &path, credentials, defaults, env, &aside)
        });
        if aside.has_errors() {
            entries.clear();
        }
        top.sink.take_milder(aside, "this model is skipped: ");
        entries
    };
    items.iter().enumerate().flat_map(read).collect()
}

/// LiteLLM's provider for a name as these lists spell it. The four that speak OpenAI's protocol are called as such where the
/// entry says the address, and by their own names, whose addresses are known, where it does not.
fn provider(name: &str, has_base: bool) -> String {
    let known = match (name.to_ascii_uppercase().as_str(), has_base) {
        ("GOOGLE", _) => "gemini",
        ("OLLAMA", _) => "ollama_chat",
        ("AZURE_OPENAI", _) => "azure",
        ("AWS_BEDROCK", _) => "bedrock",
        ("GITHUB_MODELS", _) => "github",
        ("DEEPSEEK" | "ALIBABA_QWEN" | "MOONSHOT" | "ZHIPU", true) => "openai",
        ("ALIBABA_QWEN", false) => "dashscope",
        ("ZHIPU", false) => "zai",
        _ => return name.to_ascii_lowercase(),
    };
    known.to_owned()
}

/// Fields that an entry has beside what becomes of it.
const KNOWN: [&str; 9] = [
    "provider",
    "model_name",
    "api_key",
    "api_base",
    "custom_provider",
    "litellm_params",
    "model_info",
    "rpm",
    "tpm",
];

/// The entry of `model_list` that an item stands for.
fn as_entry(item: &Node, path: &str, sink: &Sink) -> Option<Node> {
    let section = Section::open(item, path, sink, Severity::Error)?;
    for entry in section.entries() {
        if !KNOWN.contains(&entry.key.as_str()) {
            let path = section.path_of(&entry.key);
            sink.warning(entry.key_pos, path, "unknown field, ignored");
        }
    }
    let named = |key: &str, what: &str| {
        let text = section.text(key).filter(|text| !text.trim().is_empty());
        if text.is_none() {
            sink.error(item.pos, path, format!("expected `{key}`, {what}"));
        }
        text
    };
    let model = named("model_name", "the provider's name of the model");
    let has_base = section.value("api_base").is_some();
    let provider = match section.text("custom_provider") {
        Some(custom) => Some(custom),
        None => named("provider", "such as OPENAI, GOOGLE or AZURE_OPENAI")
            .map(|name| provider(name.trim(), has_base)),
    };
    let (model, provider) = (model?, provider?);
    let prefix = format!("{provider}/");
    let model = match model.starts_with(&prefix) {
        true => model,
        false => prefix + &model,
    };
    let text = |key: &str, text: String| Entry {
        key: key.to_owned(),
        key_pos: item.pos,
        value: Node::new(item.pos, Value::Text(text)),
    };
    let mut params = vec![text("model", model)];
    let copied = |keys: &[&str]| -> Vec<Entry> {
        let found = keys.iter().filter_map(|key| item.get(key));
        let found = found.filter(|entry| !entry.value.is_null());
        found.cloned().collect()
    };
    params.extend(copied(&["api_key", "api_base"]));
    let own = section.value("litellm_params");
    if let Some(own) = own.and_then(|own| Section::open(own, path, sink, Severity::Error)) {
        for entry in own.entries() {
            params.retain(|known| known.key != entry.key);
            params.push(entry.clone());
        }
    }
    let mut entries = vec![
        text("model_name", AUTO.to_owned()),
        Entry {
            key: "litellm_params".to_owned(),
            key_pos: item.pos,
            value: Node::new(item.pos, Value::Map(params)),
        },
    ];
    entries.extend(copied(&["model_info", "rpm", "tpm"]));
    Some(Node::new(item.pos, Value::Map(entries)))
}

impl RouterSettings {
    /// What holds with auto mode where nobody has said otherwise. `node` is the section as written, `retries` those that
    /// `litellm_settings` says.
    pub(super) fn for_auto_mode(mut self, node: Option<&Node>, retries: Option<u32>) -> Self {
        let strategy = node.and_then(|node| node.get("routing_strategy"));
        if strategy.is_none_or(|entry| entry.value.is_null()) {
            self.routing_strategy = StrategyName::UsageBased;
        }
        if retries.is_none() {
            self.num_retries.get_or_insert(RETRIES);
        }
        self.cooldown.allowed.any.get_or_insert(ALLOWED_FAILS);
        self.cooldown.time_ms.get_or_insert(COOLDOWN_MS);
        self.retry_after.get_or_insert(RETRY_AFTER);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn providers_as_such_lists_spell_them() {
        for (name, with_base, without) in [
            ("OPENAI", "openai", "openai"),
            ("google", "gemini", "gemini"),
            ("OLLAMA", "ollama_chat", "ollama_chat"),
            ("AZURE_OPENAI", "azure", "azure"),
            ("AWS_BEDROCK", "bedrock", "bedrock"),
            ("GITHUB_MODELS", "github", "github"),
            ("DEEPSEEK", "openai", "deepseek"),
            ("ALIBABA_QWEN", "openai", "dashscope"),
            ("MOONSHOT", "openai", "moonshot"),
            ("ZHIPU", "openai", "zai"),
            ("Anthropic", "anthropic", "anthropic"),
        ] {
            assert_eq!(provider(name, true), with_base, "{name}");
            assert_eq!(provider(name, false), without, "{name}");
        }
    }

    #[test]
    fn entries_are_deployments_and_bad_ones_cost_themselves_alone() {
        let text = "router_settings: {fallbacks: [{auto: [auto-large]}]}
global_llm_configs:
- {provider: OPENAI, model_name: openai/gpt-4o, api_key: k, litellm_params: {api_key: own, timeout: 7}, tpm: 9}
- 7
- {provider: GOOGLE, model_name: ''}
- {provider: ZHIPU, model_name: glm-4, api_key: k, priority: 1}
";
        let loaded = Config::from_text("c.yaml", text, &|_| None).unwrap();
        let models: Vec<_> = loaded
            .config
            .model_list
            .iter()
            .map(|model| {
                let key = model.api_key.as_ref().map(|key| key.expose());
                let params = &model.litellm_params;
                (
                    model.model_name.as_str(),
                    params.model.as_str(),
                    key,
                    params.timeout.map(|time| time.as_secs()),
                    params.tpm,
                )
            })
            .collect();
        assert_eq!(
            models,
            [
                ("auto", "openai/gpt-4o", Some("own"), Some(7), Some(9)),
                ("auto", "zai/glm-4", Some("k"), None, None),
            ]
        );
        let told: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "c.yaml:4:3: warning: global_llm_configs[1]: this model is skipped: expected a map (`key: value` lines), found 7",
                "c.yaml:5:3: warning: global_llm_configs[2]: this model is skipped: expected `model_name`, the provider's name of the model",
                "c.yaml:6:52: warning: global_llm_configs[3].priority: unknown field, ignored",
            ]
        );
        assert_eq!(loaded.config.auto_mode, AutoMode::Listed);
    }

    #[test]
    fn defaults_only_where_nothing_is_said() {
        let settings = |text: &str| {
            let loaded = Config::from_text("c.yaml", text, &|_| None).unwrap();
            let router = loaded.config.router_settings;
            let usual = match loaded.config.auto_mode.is_on() {
                _ if text.contains("least-busy") => StrategyName::LeastBusy,
                true => StrategyName::UsageBased,
                false => StrategyName::SimpleShuffle,
            };
            assert_eq!(router.routing_strategy, usual);
            (
                router.num_retries,
                router.cooldown.time_ms,
                router.retry_after,
            )
        };
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(
            settings("auto_mode: true"),
            (Some(3), Some(60_000), seconds(5))
        );
        assert_eq!(
            settings(
                "auto_mode: true\nrouter_settings: {num_retries: 1, cooldown_time: 2, retry_after: 0, routing_strategy: least-busy}"
            ),
            (Some(1), Some(2_000), seconds(0))
        );
        assert_eq!(
            settings("auto_mode: true\nlitellm_settings: {num_retries: 0}").0,
            None
        );
        assert_eq!(settings("auto_mode: false"), (None, None, None));
    }
}
