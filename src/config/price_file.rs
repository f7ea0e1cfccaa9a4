//! A user's file of models and prices (`litellm_settings.model_cost_map_url`), laid over the catalogue.
//!
//! The format is that of LiteLLM's price file, JSON or YAML: model name → `litellm_provider`, `mode`, limits, prices,
//! `supports_…`. Only local files are read: prices are not downloaded at start, because a gateway must start without them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::catalog::{OwnModel, OwnModels, Prices};

use super::diagnostic::{Diagnostic, Severity, Sink};
use super::model::read_prices;
use super::read::{Section, scalar_text};
use super::source;
use super::yaml::{self, Node, Pos, Value};

/// Variables that name the file when the configuration does not.
const VARIABLES: [&str; 2] = ["LITELLM_MODEL_COST_MAP_URL", "MODEL_COST_MAP_URL"];
/// Entries of LiteLLM's file that are no models.
const NO_MODELS: [&str; 2] = ["sample_spec", "fallback_generalizations"];
/// Prose.
const NOT_KEPT: [&str; 3] = ["comment", "metadata", "source"];

/// What there is to lay over the catalogue.
#[derive(Default)]
pub struct PriceFile {
    pub models: OwnModels,
    /// What there is to say about it.
    pub diagnostics: Vec<Diagnostic>,
    /// Where it was read.
    pub path: Option<PathBuf>,
}

/// Reads the file, if there is one. A relative path in the configuration starts at `folder`.
pub fn read(
    root: &Node,
    folder: &Path,
    env: &dyn Fn(&str) -> Option<String>,
    sink: &Sink,
) -> PriceFile {
    const KEY: &str = "model_cost_map_url";
    let setting = root
        .get("litellm_settings")
        .and_then(|settings| settings.value.get(KEY));
    let text = setting.and_then(|setting| scalar_text(&setting.value));
    match named(text, folder, env) {
        Named::Nowhere => PriceFile::default(),
        Named::Remote(url) => {
            let pos = setting.map_or(Pos::START, |setting| setting.value.pos);
            let message = format!(
                "prices are not downloaded, those of this version hold; save {url} and give the file's path"
            );
            sink.warning(pos, format!("litellm_settings.{KEY}"), message);
            PriceFile::default()
        }
        Named::At(path) => {
            let (models, diagnostics) = read_at(&path);
            PriceFile {
                models: OwnModels::new(models),
                diagnostics,
                path: Some(path),
            }
        }
    }
}

/// Where the file is.
enum Named {
    Nowhere,
    At(PathBuf),
    /// An address that would have to be downloaded.
    Remote(String),
}

/// The file that `setting` or a variable names.
fn named(setting: Option<String>, folder: &Path, env: &dyn Fn(&str) -> Option<String>) -> Named {
    let of_variable = || VARIABLES.iter().find_map(|name| env(name));
    let (text, folder) = match setting {
        Some(text) => (text, folder),
        None => match of_variable() {
            Some(text) => (text, Path::new("")),
            None => return Named::Nowhere,
        },
    };
    let text = text.trim();
    match text.strip_prefix("file://").unwrap_or(text) {
        "" => Named::Nowhere,
        path if path.contains("://") => Named::Remote(path.to_owned()),
        path => Named::At(folder.join(path)),
    }
}

/// Reads the file. A model with an error is left out; an error keeps the gateway from starting, as in the configuration.
fn read_at(path: &Path) -> (Vec<OwnModel>, Vec<Diagnostic>) {
    let file = path.display().to_string();
    match source::read(path) {
        Ok(text) => from_text(&file, &text),
        Err(error) => {
            let sink = Sink::new(&file);
            sink.error(Pos::START, "", format!("the price file: {error}"));
            (Vec::new(), sink.into_diagnostics())
        }
    }
}

fn from_text(file: &str, text: &str) -> (Vec<OwnModel>, Vec<Diagnostic>) {
    let whole = Sink::new(file);
    let document = match yaml::parse_file(text, 0) {
        Ok(document) => document,
        Err(error) => {
            let message = format!("this is neither JSON nor YAML: {}", error.message);
            whole.error(error.pos, "", message);
            return (Vec::new(), whole.into_diagnostics());
        }
    };
    let root = document.root;
    let Some(Value::Map(entries)) = root.as_ref().map(|root| &root.value) else {
        whole.error(
            Pos::START,
            "",
            "expected a map of model names to their prices",
        );
        return (Vec::new(), whole.into_diagnostics());
    };
    let (mut models, mut told) = (Vec::new(), Vec::new());
    let mut warned = HashSet::new();
    for entry in entries {
        if NO_MODELS.contains(&entry.key.as_str()) {
            continue;
        }
        // A sink each, so that a file of thousands of models with one new field is no flood.
        let sink = Sink::new(file);
        if let Some(model) = model(&entry.key, &entry.value, &sink) {
            models.push(model);
        }
        told.extend(sink.into_diagnostics().into_iter().filter(|diagnostic| {
            let field = diagnostic.path.rsplit('.').next().unwrap_or_default();
            diagnostic.severity == Severity::Error || warned.insert(field.to_owned())
        }));
    }
    (models, told)
}

/// `None` when something in it cannot be used; that was reported.
fn model(key: &str, node: &Node, sink: &Sink) -> Option<OwnModel> {
    let section = Section::open(node, key, sink, Severity::Error)?;
    let (fields, _) = read_prices(&section);
    let mut prices = Prices::default();
    for field in &fields {
        // The reader has checked names and figures.
        let _ = prices.set(&field.name, &field.decimal);
    }
    let list = |key: &str| section.value(key).map(|_| section.texts(key));
    let mut model = OwnModel {
        key: key.to_owned(),
        provider: section.text("litellm_provider"),
        mode: section.text("mode"),
        max_input_tokens: section.count("max_input_tokens"),
        max_output_tokens: section.count("max_output_tokens"),
        max_tokens: section.count("max_tokens"),
        prices,
        endpoints: list("supported_endpoints"),
        input_modalities: list("supported_modalities"),
        output_modalities: list("supported_output_modalities"),
        deprecation_date: section.text("deprecation_date"),
        ..OwnModel::default()
    };
    // Stays with the rest too, where a tariff finds its hours.
    if let Some(json) = section.value("off_peak_pricing").and_then(Node::to_json) {
        model.extra.insert("off_peak_pricing".to_owned(), json);
    }
    for entry in section.unread() {
        match &entry.value.value {
            Value::Bool(value) => model.flags.push((entry.key.clone(), *value)),
            Value::Null => {}
            _ if NOT_KEPT.contains(&entry.key.as_str()) => {}
            _ => {
                if let Some(json) = entry.value.to_json() {
                    model.extra.insert(entry.key.clone(), json);
                }
            }
        }
    }
    let told = model.key.contains(['\t', '\n']);
    if told {
        sink.error(
            node.pos,
            "",
            "expected a model name without tabs and line breaks",
        );
    }
    (!told && !sink.has_errors()).then_some(model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Kind;

    #[test]
    fn litellms_own_format() {
        let (models, told) = from_text(
            "prices.json",
            r#"{
  "sample_spec": {"max_tokens": "LEGACY parameter", "input_cost_per_token": "x"},
  "my-model": {
    "litellm_provider": "openai", "mode": "chat", "max_input_tokens": 128000.0, "max_output_tokens": 4096,
    "input_cost_per_token": 1e-06, "output_cost_per_token": 2.5e-06,
    "search_context_cost_per_query": {"search_context_size_low": 0.03},
    "supports_vision": true, "supports_pdf_input": false, "supported_endpoints": ["/v1/chat/completions"],
    "source": "https://example.test", "output_vector_size": 1536, "rpm": 5
  }
}"#,
        );
        assert_eq!(told, []);
        let [model] = &models[..] else {
            panic!("{models:?}")
        };
        assert_eq!(model.key, "my-model");
        assert_eq!(model.provider.as_deref(), Some("openai"));
        assert_eq!(model.max_input_tokens, Some(128_000));
        let price = |kind| model.prices.base(kind).map(|price| price.to_string());
        assert_eq!(price(Kind::Input).as_deref(), Some("0.000001"));
        assert_eq!(price(Kind::SearchLow).as_deref(), Some("0.03"));
        assert_eq!(model.flags.len(), 2);
        assert_eq!(model.endpoints.as_ref().map(Vec::len), Some(1));
        assert_eq!(
            model.extra.keys().collect::<Vec<_>>(),
            ["output_vector_size", "rpm"]
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let (models, told) = from_text(
            "p.yaml",
            "a: {input_cost_per_token: cheap}\nb: {input_cost_per_tokn: 1}\nc: {input_cost_per_tokn: 1}\nd: 7\n",
        );
        assert_eq!(
            models.iter().map(|model| &model.key).collect::<Vec<_>>(),
            ["b", "c"]
        );
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 3, "{told:#?}");
        for (line, part) in told.iter().zip([
            "p.yaml:1:27: error: a.input_cost_per_token: expected dollars a unit",
            "p.yaml:2:5: warning: b.input_cost_per_tokn: unknown price, ignored; did you mean `input_cost_per_token`?",
            "p.yaml:4:4: error: d: expected a map",
        ]) {
            assert!(line.contains(part), "{line}");
        }
        for text in ["", "[1]", "{", "7"] {
            let (models, told) = from_text("p", text);
            assert!(models.is_empty() && told.len() == 1, "{text}: {told:?}");
        }
    }

    #[test]
    fn where_the_file_is() {
        let env = |name: &str| (name == "LITELLM_MODEL_COST_MAP_URL").then(|| "e.json".to_owned());
        let at = |setting: Option<&str>, env: &dyn Fn(&str) -> Option<String>| match named(
            setting.map(str::to_owned),
            Path::new("/etc/gw"),
            env,
        ) {
            Named::At(path) => path.display().to_string(),
            Named::Remote(url) => format!("remote {url}"),
            Named::Nowhere => "nowhere".to_owned(),
        };
        assert_eq!(at(Some("p.json"), &env), "/etc/gw/p.json");
        assert_eq!(at(Some("/srv/p.json"), &env), "/srv/p.json");
        assert_eq!(at(Some("file:///srv/p.json"), &env), "/srv/p.json");
        assert_eq!(
            at(Some("https://x.test/p.json"), &env),
            "remote https://x.test/p.json"
        );
        assert_eq!(at(None, &env), "e.json");
        assert_eq!(at(None, &|_| None), "nowhere");
    }
}
