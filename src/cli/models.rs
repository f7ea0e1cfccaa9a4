//! Models named on the command line: `--model openai/gpt-4o`.
//!
//! They become a piece of configuration, so that there is one way to make a deployment.

use std::path::Path;

use clap::Args;
use serde_json::{Map, Value, json};

/// What the diagnostics call it.
pub const SOURCE: &str = "(command line)";

/// `--model` and what goes with it.
#[derive(Clone, Debug, Default, Args)]
pub struct ModelOptions {
    /// Serve this model, `provider/model`; may be given several times. The provider's key is read from its variable.
    #[arg(short, long = "model", value_name = "PROVIDER/MODEL")]
    models: Vec<String>,

    /// The name clients ask for instead of `--model`'s.
    #[arg(long, requires = "models")]
    alias: Option<String>,

    /// Where the model is served: `https://host/v1`.
    #[arg(
        long = "api_base",
        alias = "api-base",
        requires = "models",
        value_name = "URL"
    )]
    api_base: Option<String>,

    /// Azure's API version.
    #[arg(
        long = "api_version",
        alias = "api-version",
        requires = "models",
        value_name = "VERSION"
    )]
    api_version: Option<String>,

    /// Headers for the provider, as a JSON object.
    #[arg(long, requires = "models", value_name = "JSON")]
    headers: Option<String>,

    /// Default temperature.
    #[arg(long, requires = "models", value_name = "NUMBER")]
    temperature: Option<f64>,

    /// Default bound of the answer's tokens.
    #[arg(
        long = "max_tokens",
        alias = "max-tokens",
        requires = "models",
        value_name = "N"
    )]
    max_tokens: Option<u64>,

    /// Seconds a call may take.
    #[arg(
        long = "request_timeout",
        alias = "request-timeout",
        value_name = "SECONDS"
    )]
    request_timeout: Option<f64>,

    /// Leave out parameters that a provider does not know.
    #[arg(long = "drop_params", alias = "drop-params")]
    drop_params: bool,
}

/// The options contradict each other or cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ModelsError {
    #[error("--headers: expected a JSON object of texts, such as '{{\"x-team\": \"a\"}}'")]
    Headers,
    #[error("--alias names one model, but --model was given {0} times")]
    Alias(usize),
    #[error(
        "--model {file}: this is a file; a configuration is given with --config, a model as `provider/model`"
    )]
    File { file: String },
    #[error("{0}: expected a number that is not infinite")]
    Number(&'static str),
}

impl ModelOptions {
    /// Whether a model was named.
    pub fn is_any(&self) -> bool {
        !self.models.is_empty()
    }

    /// The configuration these options stand for, as JSON, which is YAML too; `None` when none was given. It is added to
    /// the one of the file.
    pub fn as_config(&self) -> Result<Option<String>, ModelsError> {
        let mut root = Map::new();
        if !self.models.is_empty() {
            root.insert("model_list".into(), self.model_list()?);
        }
        let settings = self.litellm_settings()?;
        if !settings.is_empty() {
            root.insert("litellm_settings".into(), settings.into());
        }
        let aliases = self.short_names();
        if !aliases.is_empty() {
            root.insert(
                "router_settings".into(),
                json!({"model_group_alias": aliases}),
            );
        }
        Ok((!root.is_empty()).then(|| Value::Object(root).to_string()))
    }

    fn model_list(&self) -> Result<Value, ModelsError> {
        if self.alias.is_some() && self.models.len() > 1 {
            return Err(ModelsError::Alias(self.models.len()));
        }
        let headers = self.headers.as_deref().map(headers).transpose()?;
        let entry = |model: &String| {
            let looks_like_a_file = model.ends_with(".yaml") || model.ends_with(".yml");
            if looks_like_a_file && Path::new(model).is_file() {
                return Err(ModelsError::File {
                    file: model.clone(),
                });
            }
            let mut params = Map::new();
            params.insert("model".into(), json!(model));
            for (name, value) in [
                ("api_base", &self.api_base),
                ("api_version", &self.api_version),
            ] {
                if let Some(value) = value {
                    params.insert(name.into(), json!(value));
                }
            }
            if let Some(headers) = &headers {
                params.insert("extra_headers".into(), headers.clone());
            }
            if let Some(temperature) = self.temperature {
                params.insert("temperature".into(), finite("--temperature", temperature)?);
            }
            if let Some(max_tokens) = self.max_tokens {
                params.insert("max_tokens".into(), json!(max_tokens));
            }
            let name = self.alias.as_ref().unwrap_or(model);
            Ok(json!({"model_name": name, "litellm_params": params}))
        };
        self.models.iter().map(entry).collect()
    }

    fn litellm_settings(&self) -> Result<Map<String, Value>, ModelsError> {
        let mut settings = Map::new();
        if let Some(seconds) = self.request_timeout {
            settings.insert(
                "request_timeout".into(),
                finite("--request_timeout", seconds)?,
            );
        }
        if self.drop_params {
            settings.insert("drop_params".into(), json!(true));
        }
        Ok(settings)
    }

    /// `gpt-4o` for `openai/gpt-4o`, where no second model has that name.
    fn short_names(&self) -> Map<String, Value> {
        if self.alias.is_some() {
            return Map::new();
        }
        let short = |model: &str| model.split_once('/').map(|(_, name)| name.to_owned());
        let alone = |name: &str| {
            let like_it = |model: &&String| *model == name || short(model).as_deref() == Some(name);
            self.models.iter().filter(like_it).count() == 1
        };
        let aliases = self.models.iter().filter_map(|model| {
            let name = short(model).filter(|name| !name.contains('*') && alone(name))?;
            Some((name, json!({"model": model, "hidden": true})))
        });
        aliases.collect()
    }
}

fn headers(text: &str) -> Result<Value, ModelsError> {
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) if map.values().all(Value::is_string) => Ok(Value::Object(map)),
        _ => Err(ModelsError::Headers),
    }
}

fn finite(option: &'static str, number: f64) -> Result<Value, ModelsError> {
    serde_json::Number::from_f64(number)
        .map(Value::Number)
        .ok_or(ModelsError::Number(option))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(models: &[&str]) -> ModelOptions {
        ModelOptions {
            models: models.iter().map(|model| (*model).to_owned()).collect(),
            ..ModelOptions::default()
        }
    }

    #[test]
    fn options_are_a_configuration() {
        assert_eq!(ModelOptions::default().as_config(), Ok(None));
        assert_eq!(
            of(&["openai/gpt-4o"]).as_config().unwrap().unwrap(),
            r#"{"model_list":[{"litellm_params":{"model":"openai/gpt-4o"},"model_name":"openai/gpt-4o"}],"router_settings":{"model_group_alias":{"gpt-4o":{"hidden":true,"model":"openai/gpt-4o"}}}}"#
        );
        // A short name that could mean two models means none.
        let two = of(&["openai/gpt-4o", "azure/gpt-4o", "groq/x"])
            .as_config()
            .unwrap()
            .unwrap();
        assert!(
            !two.contains(r#""gpt-4o":{"#) && two.contains(r#""x":{"#),
            "{two}"
        );
        let options = ModelOptions {
            alias: Some("fast".into()),
            headers: Some(r#"{"a": "b"}"#.into()),
            temperature: Some(0.5),
            request_timeout: Some(30.0),
            drop_params: true,
            ..of(&["openai/gpt-4o"])
        };
        let text = options.as_config().unwrap().unwrap();
        for part in [
            r#""model_name":"fast""#,
            r#""extra_headers":{"a":"b"}"#,
            r#""temperature":0.5"#,
            r#""litellm_settings":{"drop_params":true,"request_timeout":30.0}"#,
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("model_group_alias"), "{text}");
    }

    #[test]
    fn mistakes() {
        let wrong = |options: ModelOptions| options.as_config().unwrap_err();
        for headers in ["{", "[]", r#"{"a": 1}"#] {
            let options = ModelOptions {
                headers: Some(headers.into()),
                ..of(&["openai/m"])
            };
            assert_eq!(wrong(options), ModelsError::Headers);
        }
        let options = ModelOptions {
            alias: Some("a".into()),
            ..of(&["openai/m", "openai/n"])
        };
        assert_eq!(wrong(options), ModelsError::Alias(2));
        let options = ModelOptions {
            temperature: Some(f64::NAN),
            ..of(&["openai/m"])
        };
        assert_eq!(wrong(options), ModelsError::Number("--temperature"));
    }
}
