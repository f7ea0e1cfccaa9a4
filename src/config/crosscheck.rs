//! What no section can see alone: names that must exist in another one, and lists that lead back to where they began.

use std::collections::{HashMap, HashSet};

use crate::policy::fallback::circle;

use super::ModelEntry;
use super::auto_mode::{AUTO, AUTO_LARGE, AutoMode};
use super::diagnostic::{Severity, Sink};
use super::fallbacks::{self, entries};
use super::read::scalar_text;
use super::router_settings::GroupAlias;
use super::suggest::nearest;
use super::yaml::{Node, Value};

/// Warns about aliases of groups that nobody serves. `aliases` is the node of `model_group_alias`.
pub fn aliases(
    aliases: Option<&Node>,
    read: &[GroupAlias],
    models: &[ModelEntry],
    auto: AutoMode,
    sink: &Sink,
) {
    let Some(node) = aliases else {
        return;
    };
    // What a wildcard serves is not known here.
    let is_served = |name: &str| {
        derived(auto).contains(&name)
            || models
                .iter()
                .any(|model| model.model_name == name || model.model_name.contains('*'))
    };
    for GroupAlias { alias, model, .. } in read {
        if is_served(model) {
            continue;
        }
        let Some(entry) = node.get(alias) else {
            continue;
        };
        let near = nearest(model, models.iter().map(|model| model.model_name.as_str()));
        sink.push(
            Severity::Warning,
            entry.value.pos,
            format!(
                "router_settings.model_group_alias.{}",
                super::redact::key_in_path(alias)
            ),
            "no entry of `model_list` serves the group it stands for".to_owned(),
            near.map(|near| format!("did you mean `{near}`?")),
        );
    }
}

/// Groups that no entry names.
const fn derived(auto: AutoMode) -> &'static [&'static str] {
    match auto {
        AutoMode::Off => &[],
        AutoMode::Listed | AutoMode::All => &[AUTO, AUTO_LARGE],
    }
}

/// The names by which a request can ask for a model.
pub struct Served<'a> {
    groups: HashSet<&'a str>,
    others: HashSet<&'a str>,
    aliases: HashMap<&'a str, &'a str>,
    /// What a wildcard serves is not known here, nor what the database keeps.
    is_open: bool,
}

impl<'a> Served<'a> {
    /// With `is_open` there may be more models than these.
    pub fn new(
        models: &'a [ModelEntry],
        aliases: &'a [GroupAlias],
        auto: AutoMode,
        is_open: bool,
    ) -> Self {
        let names = models.iter().map(|model| model.model_name.as_str());
        let names = names.chain(derived(auto).iter().copied());
        let ids = models.iter().map(|model| &*model.id);
        let own = models
            .iter()
            .map(|model| model.litellm_params.model.as_str());
        Self {
            is_open: is_open
                || names
                    .clone()
                    .chain(aliases.iter().map(|alias| alias.alias.as_str()))
                    .any(|name| name.contains('*')),
            groups: names.collect(),
            others: ids.chain(own).collect(),
            aliases: aliases
                .iter()
                .map(|alias| (alias.alias.as_str(), alias.model.as_str()))
                .collect(),
        }
    }

    fn knows(&self, name: &str) -> bool {
        self.is_open
            || self.groups.contains(name)
            || self.aliases.contains_key(name)
            || self.others.contains(name)
    }

    /// The group that a name is another name of.
    fn group<'n>(&'n self, name: &'n str) -> &'n str {
        if self.groups.contains(name) {
            return name;
        }
        self.aliases.get(name).copied().unwrap_or(name)
    }

    fn near(&self, name: &str) -> Option<String> {
        let known = self.groups.iter().chain(self.aliases.keys()).copied();
        nearest(name, known).map(|near| format!("did you mean `{near}`?"))
    }
}

/// Checks the fallbacks of a section, whose node is `section`: names of nobody are warned about, a circle is an error.
pub fn fallbacks(section: Option<&Node>, name: &str, served: &Served<'_>, sink: &Sink) {
    let Some(section) = section else {
        return;
    };
    for key in fallbacks::LISTS {
        if let Some(entry) = section.get(key) {
            list(&entry.value, &format!("{name}.{key}"), served, sink);
        }
    }
    if let Some(entry) = section.get(fallbacks::DEFAULT) {
        let path = format!("{name}.{}", fallbacks::DEFAULT);
        targets(&entry.value, &path, served, sink);
    }
}

fn list(node: &Node, path: &str, served: &Served<'_>, sink: &Sink) {
    let entries = entries(node, path);
    let mut graph: Vec<(String, Vec<String>)> = Vec::new();
    for (entry, path) in &entries {
        if entry.key != "*" && !served.knows(&entry.key) {
            let message =
                "no entry of `model_list` serves the group that these are the fallbacks of";
            let near = served.near(&entry.key);
            sink.push(
                Severity::Warning,
                entry.key_pos,
                path.clone(),
                message.to_owned(),
                near,
            );
        }
        let names = targets(&entry.value, path, served, sink);
        let group = |name: &str| served.group(name).to_owned();
        graph.push((
            group(&entry.key),
            names.iter().map(|name| group(name)).collect(),
        ));
    }
    let Some(circle) = circle(&graph) else {
        return;
    };
    let Some((entry, path)) = entries.get(circle.entry) else {
        return;
    };
    let (pos, path) = match &entry.value.value {
        Value::List(items) => (
            items.get(circle.target).map(|item| item.pos),
            format!("{path}[{}]", circle.target),
        ),
        _ => (None, path.clone()),
    };
    let message = format!(
        "these fallbacks lead back to where they began: {}",
        circle.groups.join(" → ")
    );
    let hint = "leave out one of these steps: a group that failed would only be asked again";
    sink.push(
        Severity::Error,
        pos.unwrap_or(entry.value.pos),
        path,
        message,
        Some(hint.to_owned()),
    );
}

/// The names of a group's targets, as written.
fn targets(node: &Node, path: &str, served: &Served<'_>, sink: &Sink) -> Vec<String> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut names = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let name = item.get("model").map_or(item, |entry| &entry.value);
        // One that is no name has been told of.
        let text = scalar_text(name).unwrap_or_default();
        if !text.is_empty() && !served.knows(&text) {
            sink.push(
                Severity::Warning,
                name.pos,
                format!("{path}[{index}]"),
                format!("no entry of `model_list` serves `{text}`: this fallback is passed over"),
                served.near(&text),
            );
        }
        // Its place counts, also where it has no name.
        names.push(text);
    }
    names
}
