//! Whether the database keeps models too: fields of `general_settings`.

use std::time::Duration;

use super::read::Section;

/// LiteLLM's default of `proxy_config_reload_interval_seconds`.
const INTERVAL: Duration = Duration::from_secs(30);
/// What `supported_db_objects` calls models.
const MODELS: &str = "models";

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredModels {
    /// `store_model_in_db`, else `STORE_MODEL_IN_DB`; and `supported_db_objects`, when there is one, names models.
    pub are_on: bool,
    /// `proxy_config_reload_interval_seconds`, else `PROXY_CONFIG_RELOAD_INTERVAL_SECONDS`: time between two looks at the rows,
    /// at least a second.
    pub interval: Duration,
}

impl Default for StoredModels {
    fn default() -> Self {
        Self {
            are_on: false,
            interval: INTERVAL,
        }
    }
}

impl StoredModels {
    pub(super) fn read(section: &Section<'_>, env: &dyn Fn(&str) -> Option<String>) -> Self {
        const OBJECTS: &str = "supported_db_objects";
        let by_environment = || {
            env("STORE_MODEL_IN_DB").is_some_and(|value| {
                ["true", "1"].contains(&value.trim().to_ascii_lowercase().as_str())
            })
        };
        let is_on = section
            .flag("store_model_in_db")
            .unwrap_or_else(by_environment);
        let is_supported = section.value(OBJECTS).is_none()
            || section.texts(OBJECTS).iter().any(|name| name == MODELS);
        let interval = section.timeout("proxy_config_reload_interval_seconds");
        let by_environment = || {
            let text = env("PROXY_CONFIG_RELOAD_INTERVAL_SECONDS")?;
            // A day at most: what is said there has no place that could be told.
            let seconds = text
                .trim()
                .parse()
                .ok()
                .filter(|seconds| (1..=86_400).contains(seconds));
            seconds.map(Duration::from_secs)
        };
        Self {
            are_on: is_on && is_supported,
            interval: interval
                .or_else(by_environment)
                .unwrap_or(INTERVAL)
                .max(Duration::from_secs(1)),
        }
    }
}
