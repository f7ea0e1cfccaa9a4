//! Auto routers: entries whose model is `auto_router/…`. They stand for no deployment, but lead each request to a group.
//!
//! The model names the kind: `auto_router/complexity_router`, `/quality_router`, `/adaptive_router`; any other name is a semantic
//! router. Fields are LiteLLM's (1.106.2). Only entries of the model list and what deployments say of their groups are read here;
//! how routers decide is `policy::auto_router`'s.

mod asking;
mod complexity;
mod learning;
mod meaning;
mod preferences;
mod quality;
mod words;

use std::path::PathBuf;
use std::sync::Arc;

use crate::config::diagnostic::Severity;
use crate::config::read::Section;
use crate::config::yaml::{Entry, Node, Pos, Value};
use crate::policy::auto_router::Kind;
use crate::policy::auto_router::complexity::Tier;

pub use preferences::{
    AdaptivePreferences, QualityPreferences, adaptive_preferences, quality_preferences,
};

/// What begins the model of such an entry.
const PREFIX: &str = "auto_router/";

/// The kind of an entry with this model.
pub fn kind_of(model: &str) -> Option<&str> {
    model.strip_prefix(PREFIX)
}

/// Whether a field of `litellm_params` is an auto router's.
pub fn is_setting(field: &str) -> bool {
    let kinds = ["auto", "complexity", "quality", "adaptive"];
    kinds.iter().any(|kind| {
        let rest = field.strip_prefix(kind);
        rest.is_some_and(|rest| rest.starts_with("_router_"))
    })
}

/// Reads the settings of an entry with this model. `Err` says why it cannot be used.
pub fn read(section: &Section<'_>, kind: &str) -> Result<Kind, &'static str> {
    let name = |field: &str| section.text(field).filter(|name| !name.is_empty());
    let own = |field: &str| {
        let node = section.value(field)?;
        Section::open(node, section.path_of(field), section.sink, Severity::Error)
    };
    Ok(match kind {
        "complexity_router" => {
            let settings = own("complexity_router_config");
            let default = name("complexity_router_default_model");
            let settings = complexity::read(settings.as_ref(), default)?;
            Kind::Complexity(Arc::new(settings))
        }
        "quality_router" => {
            let settings = own("quality_router_config");
            Kind::Quality(Box::new(quality::read(
                settings.as_ref(),
                name("quality_router_default_model"),
            )?))
        }
        "adaptive_router" => {
            let settings = own("adaptive_router_config");
            Kind::Adaptive(learning::read(
                settings.as_ref(),
                name("adaptive_router_default_model"),
            )?)
        }
        _ => Kind::Semantic(meaning::read(section)?),
    })
}

/// The files of routes that entries of `model_list` name, whether they can be read or not.
pub fn files(root: &Node) -> Vec<PathBuf> {
    let Some(Value::List(entries)) = root.get("model_list").map(|list| &list.value.value) else {
        return Vec::new();
    };
    let params = entries
        .iter()
        .filter_map(|entry| entry.get("litellm_params"));
    let file = |params: &Entry| {
        let written = |key: &str| params.value.get(key).map(|entry| &entry.value.value);
        match (
            written("auto_router_config"),
            written("auto_router_config_path"),
        ) {
            (None | Some(Value::Null), Some(Value::Text(path))) if !path.is_empty() => {
                Some(PathBuf::from(path))
            }
            _ => None,
        }
    };
    params.filter_map(file).collect()
}

/// Tells of fields that nobody has read.
fn unread(section: &Section<'_>) {
    for entry in section.unread() {
        let path = section.path_of(&entry.key);
        section.sink.not_yet(entry.key_pos, path);
    }
}

fn groups(section: &Section<'_>) -> Vec<Arc<str>> {
    let mut groups: Vec<Arc<str>> = Vec::new();
    for name in section.texts("available_models") {
        if !groups.iter().any(|known| **known == *name) {
            groups.push(name.into());
        }
    }
    groups
}

fn inner<'a>(section: &Section<'a>, key: &str) -> Option<Section<'a>> {
    let node = section.value(key)?;
    Section::open(node, section.path_of(key), section.sink, Severity::Error)
}

/// A tier by its name; what is none is reported, as an absent one is.
fn named_tier(section: &Section<'_>, key: &str, pos: Pos) -> Option<Tier> {
    let tier = section.text(key).and_then(|name| Tier::named(&name));
    if tier.is_none() {
        let message = format!("expected `{key}`: SIMPLE, MEDIUM, COMPLEX or REASONING");
        section.sink.error(pos, section.path_of(key), message);
    }
    tier
}

fn unknown_tier(section: &Section<'_>, key: &str, pos: Pos) {
    let message = "unknown tier, ignored: they are SIMPLE, MEDIUM, COMPLEX and REASONING";
    section.sink.warning(pos, section.path_of(key), message);
}
