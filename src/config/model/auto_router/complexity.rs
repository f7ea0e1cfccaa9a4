//! `complexity_router_config`.

use std::time::Duration;

use super::words::{classifier, classifier_type};
use super::{inner, unknown_tier, unread};
use crate::config::diagnostic::Severity;
use crate::config::read::{Section, scalar_text};
use crate::config::yaml::{Node, Value};
use crate::policy::auto_router::Words;
use crate::policy::auto_router::complexity::{self, ESCALATE, Rule, Tier};
use crate::policy::fallback::Target;
use crate::protocol::openai::request::may_be_replaced;

/// How long a session keeps its tier (LiteLLM 1.106.2).
const SESSION: Duration = Duration::from_secs(3_600);

pub fn read(
    section: Option<&Section<'_>>,
    default: Option<String>,
) -> Result<complexity::Settings, &'static str> {
    let mut settings = complexity::Settings {
        escalations: vec![ESCALATE.to_owned()],
        ..complexity::Settings::default()
    };
    let mut own_default = None;
    if let Some(section) = section {
        settings.classifier = classifier(section);
        if let Some(tiers) = inner(section, "tiers") {
            for entry in tiers.entries() {
                match Tier::named(&entry.key) {
                    Some(tier) => {
                        settings.tiers[tier as usize] = targets(&tiers, &entry.key, &entry.value);
                    }
                    None => unknown_tier(&tiers, &entry.key, entry.key_pos),
                }
            }
        }
        settings.rules = rules(section);
        if section.value("escalation_keywords").is_some() {
            settings.escalations = section.texts("escalation_keywords");
            settings.escalations.retain(|phrase| !phrase.is_empty());
        }
        let session = section.seconds("session_affinity_ttl_seconds");
        let session = session.unwrap_or(SESSION);
        let stays = section.flag("session_affinity").unwrap_or(false);
        settings.session_affinity = stays.then_some(session);
        own_default = section.text("default_model");
        classifier_type(section);
        unread(section);
    }
    settings.default = default.or(own_default).map(Into::into);
    if settings.default.is_none() && settings.tiers.iter().all(Vec::is_empty) {
        return Err(
            "expected `complexity_router_config.tiers`, the groups of each tier, found none",
        );
    }
    Ok(settings)
}

fn rules(section: &Section<'_>) -> Vec<Rule> {
    const KEY: &str = "keyword_tier_rules";
    let items = match section.value(KEY).map(|node| &node.value) {
        Some(Value::List(items)) => items.as_slice(),
        Some(_) => {
            if let Some(node) = section.value(KEY) {
                section.expected(KEY, node, "a list of maps with `keywords` and `tier`");
            }
            return Vec::new();
        }
        None => return Vec::new(),
    };
    let rule = |(index, item): (usize, &Node)| {
        let path = format!("{}[{index}]", section.path_of(KEY));
        let own = Section::open(item, path, section.sink, Severity::Error)?;
        let words = Words::of(own.texts("keywords"));
        let name = own.text("tier").unwrap_or_default();
        let Some(tier) = Tier::named(&name) else {
            let message = "expected `tier`: SIMPLE, MEDIUM, COMPLEX or REASONING";
            section.sink.error(item.pos, own.path.clone(), message);
            return None;
        };
        Some(Rule { words, tier })
    };
    items.iter().enumerate().filter_map(rule).collect()
}

/// The groups of a tier: a name, a map of `model_name` and `litellm_params` (fields that the request gets), or a list of both.
fn targets(section: &Section<'_>, key: &str, node: &Node) -> Vec<Target> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        Value::Null => return Vec::new(),
        _ => std::slice::from_ref(node),
    };
    items
        .iter()
        .filter_map(|item| target(section, key, item))
        .collect()
}

fn target(section: &Section<'_>, key: &str, node: &Node) -> Option<Target> {
    if let Some(name) = scalar_text(node).filter(|name| !name.is_empty()) {
        return Some(Target::plain(name));
    }
    let own = match &node.value {
        Value::Map(_) => Section::open(node, section.path_of(key), section.sink, Severity::Error),
        _ => None,
    };
    let name = own.as_ref().and_then(|own| {
        let names = [own.text("model_name"), own.text("model")];
        names.into_iter().flatten().find(|name| !name.is_empty())
    });
    let (Some(own), Some(name)) = (own, name) else {
        section.expected(key, node, "the name of a group, or a map with `model_name`");
        return None;
    };
    let mut target = Target::plain(name);
    if let Some(params) = inner(&own, "litellm_params") {
        for entry in params.entries() {
            if !may_be_replaced(&entry.key) {
                let message =
                    "cannot be other for a tier: give it a group of its own, with this setting";
                section
                    .sink
                    .error(entry.key_pos, params.path_of(&entry.key), message);
            } else if let Some(value) = entry.value.to_json() {
                target
                    .overrides
                    .push((entry.key.clone(), value.to_string().into_bytes()));
            }
        }
    }
    unread(&own);
    Some(target)
}
