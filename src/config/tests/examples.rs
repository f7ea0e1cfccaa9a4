//! The examples in `config/`: each can be used as it stands, and one has everything.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::super::fields::{self, Place, Status};
use super::super::yaml::{Node, Value, parse};
use super::{Config, EXAMPLES, Severity};

/// Every variable is set, to something of its kind.
fn all_set(name: &str) -> Option<String> {
    Some(match name {
        "DATABASE_URL" => "sqlite:///tmp/example.db".into(),
        name if name.ends_with("_BASE_URL") || name.ends_with("_API_BASE") => {
            "https://example.com/v1".into()
        }
        name if name.contains("DANGEROUSLY") => return None,
        name if name.to_ascii_uppercase().ends_with("_PROXY") || name.starts_with("SSL_") => {
            return None;
        }
        "REQUESTS_CA_BUNDLE" | "AIOHTTP_TTL_DNS_CACHE" => return None,
        name if name.starts_with("DEFAULT_") || name.ends_with("_THRESHOLD") => "1".into(),
        name if name.contains("HEALTH_CHECK_") => "1".into(),
        // The addresses of providers are their own unless an example says otherwise.
        name if name.ends_with("_URL") || name.ends_with("_BASE") => return None,
        _ => "sk-example".into(),
    })
}

fn examples() -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(EXAMPLES)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    paths.sort();
    paths
}

#[test]
fn every_example_loads_without_a_warning() {
    let examples = examples();
    assert!(examples.len() >= 5, "{examples:?}");
    for path in examples {
        let loaded = Config::load(&path, None, &all_set).unwrap_or_else(|error| panic!("{error}"));
        let told: Vec<String> = loaded
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity > Severity::Note)
            .map(ToString::to_string)
            .collect();
        assert!(told.is_empty(), "{told:#?}");
        assert!(!loaded.config.model_list.is_empty(), "{path:?}");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# "), "{path:?} does not say what it is");
    }
}

/// Which fields a file has, by place.
fn written(root: &Node) -> HashSet<(Place, String)> {
    let mut all = HashSet::new();
    let mut take = |place: Place, node: Option<&Node>| {
        if let Some(Value::Map(entries)) = node.map(|node| &node.value) {
            all.extend(entries.iter().map(|entry| (place, entry.key.clone())));
        }
    };
    let value = |node: &'_ Node, key: &str| node.get(key).map(|entry| entry.value.clone());
    take(Place::Top, Some(root));
    for (place, name) in [
        (Place::LitellmSettings, "litellm_settings"),
        (Place::RouterSettings, "router_settings"),
        (Place::GeneralSettings, "general_settings"),
    ] {
        take(place, value(root, name).as_ref());
    }
    if let Some(Value::List(models)) = value(root, "model_list").map(|node| node.value) {
        for model in &models {
            take(Place::ModelEntry, Some(model));
            take(
                Place::LitellmParams,
                value(model, "litellm_params").as_ref(),
            );
            take(Place::ModelInfo, value(model, "model_info").as_ref());
        }
    }
    all
}

#[test]
fn the_reference_has_every_field_that_is_obeyed() {
    let text = std::fs::read_to_string(Path::new(EXAMPLES).join("reference.yaml")).unwrap();
    let root = parse(&text)
        .unwrap_or_else(|error| panic!("{}", error.message))
        .root
        .unwrap();
    let written = written(&root);
    let missing: Vec<_> = fields::known_fields()
        .filter(|field| field.status == Status::Obeyed && !field.name.ends_with('*'))
        .filter(|field| !written.contains(&(field.place, field.name.to_owned())))
        .map(|field| format!("{}: {}", field.place.section_name(), field.name))
        .collect();
    assert!(
        missing.is_empty(),
        "config/reference.yaml lacks {missing:#?}"
    );
}
