//! Fallbacks of model groups, which stand in `router_settings` and in `litellm_settings`.

use std::sync::Arc;

use crate::policy::fallback::{Fallbacks, Kind, List, Target, Targets};
use crate::protocol::openai::request::may_be_replaced;

use super::Config;
use super::diagnostic::Sink;
use super::read::{Section, scalar_text};
use super::redact::key_in_path;
use super::yaml::{Entry, Node, Value};

/// Names of the lists, as both sections have them.
pub const LISTS: [&str; 3] = [
    "fallbacks",
    "context_window_fallbacks",
    "content_policy_fallbacks",
];
/// The fallbacks of every group that has none of its own.
pub const DEFAULT: &str = "default_fallbacks";

/// The lists of one section. A list that is written and empty is one: it takes the place of the other section's.
pub fn read(section: &Section<'_>) -> Fallbacks {
    let [general, context_window, content_policy] = LISTS.map(|key| list(section, key));
    Fallbacks {
        general,
        context_window,
        content_policy,
        ..Fallbacks::default()
    }
}

/// `default_fallbacks`: those of `*`.
pub fn read_default(section: &Section<'_>) -> Option<Targets> {
    let node = section.value(DEFAULT)?;
    targets(node, &section.path_of(DEFAULT), section.sink)
}

impl Config {
    /// The lists that count: each is that of `router_settings`, else that of `litellm_settings`; default fallbacks stand behind
    /// the lists of groups.
    pub fn fallbacks(&self) -> Fallbacks {
        let (router, litellm) = (&self.router_settings, &self.litellm_settings);
        let both = router.fallbacks.over(&litellm.fallbacks);
        let list = |kind| both.list(kind).cloned();
        let mut lists = Fallbacks {
            general: list(Kind::General),
            context_window: list(Kind::ContextWindow),
            content_policy: list(Kind::ContentPolicy),
            ..Fallbacks::default()
        };
        let own = router.default_fallbacks.as_ref();
        if let Some(default) = own.or(litellm.default_fallbacks.as_ref()) {
            let mut groups = match lists.general.take() {
                Some(List::ByGroup(groups)) => groups,
                _ => Vec::new(),
            };
            groups.push(("*".into(), default.clone()));
            lists.general = Some(List::ByGroup(groups));
        }
        lists
    }
}

/// The entries `group: targets` of a list, in the order written, with the path of each.
pub fn entries<'n>(list: &'n Node, path: &str) -> Vec<(&'n Entry, String)> {
    let Value::List(items) = &list.value else {
        return Vec::new();
    };
    let in_item = |(index, item): (usize, &'n Node)| {
        let entries = match &item.value {
            Value::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        let path = move |entry: &Entry| format!("{path}[{index}].{}", key_in_path(&entry.key));
        entries.iter().map(move |entry| (entry, path(entry)))
    };
    items.iter().enumerate().flat_map(in_item).collect()
}

fn list(section: &Section<'_>, key: &str) -> Option<List> {
    const EXPECTED: &str =
        "a list of maps, each of a group to the groups that follow it: `- small: [large]`";
    let node = section.value(key)?;
    let Value::List(items) = &node.value else {
        section.expected(key, node, EXPECTED);
        return None;
    };
    let path = section.path_of(key);
    for (index, item) in items.iter().enumerate() {
        let of_one_group = matches!(&item.value, Value::Map(entries) if entries.len() == 1);
        if !of_one_group {
            let message =
                "expected a map of one group to the groups that follow it: `- small: [large]`";
            section
                .sink
                .error(item.pos, format!("{path}[{index}]"), message);
        }
    }
    let mut lists: Vec<(Arc<str>, Targets)> = Vec::new();
    for (entry, path) in entries(node, &path) {
        let Some(targets) = targets(&entry.value, &path, section.sink) else {
            continue;
        };
        if lists.iter().any(|(group, _)| **group == *entry.key) {
            let message = "the group has fallbacks above, and the first ones count";
            section.sink.warning(entry.key_pos, path, message);
        }
        lists.push((entry.key.as_str().into(), targets));
    }
    Some(List::ByGroup(lists))
}

fn targets(node: &Node, path: &str, sink: &Sink) -> Option<Targets> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ if scalar_text(node).is_some() => std::slice::from_ref(node),
        _ => {
            sink.error(node.pos, path, "expected a list of names of groups");
            return None;
        }
    };
    let target = |(index, item): (usize, &Node)| target(item, &format!("{path}[{index}]"), sink);
    Some(items.iter().enumerate().filter_map(target).collect())
}

/// A name, or a map of `model` and the request's fields that it replaces.
fn target(node: &Node, path: &str, sink: &Sink) -> Option<Target> {
    let Value::Map(entries) = &node.value else {
        let name = scalar_text(node).filter(|name| !name.is_empty());
        if name.is_none() {
            let message =
                "expected the name of a group, or a map of `model` and the fields to replace";
            sink.error(node.pos, path, message);
        }
        return name.map(Target::plain);
    };
    let model = node
        .get("model")
        .and_then(|entry| scalar_text(&entry.value));
    let Some(model) = model.filter(|model| !model.is_empty()) else {
        sink.error(node.pos, path, "expected `model`, the name of a group");
        return None;
    };
    let mut target = Target::plain(model);
    for entry in entries.iter().filter(|entry| entry.key != "model") {
        let path = format!("{path}.{}", key_in_path(&entry.key));
        if !may_be_replaced(&entry.key) {
            let message =
                "cannot be other for a fallback: give it a group of its own, with this setting";
            sink.error(entry.key_pos, path, message);
            continue;
        }
        match entry.value.to_json() {
            Some(value) => {
                let value = value.to_string().into_bytes();
                target.overrides.push((entry.key.clone(), value));
            }
            None => sink.error(entry.value.pos, path, "expected finite numbers only"),
        }
    }
    Some(target)
}
