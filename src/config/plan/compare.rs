//! Two configurations side by side.

use std::collections::HashMap;

use super::shown::Change;
use super::{Changed, Deployment, Plan};
use crate::config::difference::{Difference, identities};
use crate::config::load::Source;
use crate::config::model::ModelEntry;
use crate::config::yaml::Node;

/// Aliases are told one by one.
const ALIASES: &str = "router_settings.model_group_alias";

impl Plan {
    /// What changes when `new` takes the place of `old`.
    pub fn between(old: &Source, new: &Source) -> Self {
        let difference = Difference::between(&old.loaded.outline, &old.loaded, &new.loaded);
        let settings = |paths: &[String]| {
            let paths = paths.iter().filter(|path| *path != ALIASES);
            let change = |path: &String| Change::of(path, at(&old.root, path), at(&new.root, path));
            paths.map(change).collect()
        };
        let mut plan = Self {
            aliases: aliases(old, new),
            settings: settings(&difference.settings),
            at_next_start: settings(&difference.at_next_start),
            prices: difference.prices,
            ..Self::default()
        };
        plan.deployments(old, new);
        let (before, after) = (groups(old), groups(new));
        plan.groups_added = without(&after, &before);
        plan.groups_removed = without(&before, &after);
        plan
    }

    fn deployments(&mut self, old: &Source, new: &Source) {
        let (before, after) = (&old.loaded.config.model_list, &new.loaded.config.model_list);
        let mut known: HashMap<_, _> = identities(before).collect();
        let mut added: Vec<&ModelEntry> = Vec::new();
        for (identity, entry) in identities(after) {
            match known.remove(&identity) {
                None => added.push(entry),
                Some(known) if known.is_same_as(entry) => {}
                Some(known) => self.changed.push(changed((old, known), (new, entry))),
            }
        }
        // In the order of the file.
        for (identity, entry) in identities(before) {
            if !known.contains_key(&identity) {
                continue;
            }
            // One whose id follows from its parameters is another one after each change.
            let is_kin = |other: &&ModelEntry| {
                other.model_name == entry.model_name
                    && other.litellm_params.model == entry.litellm_params.model
            };
            match added.iter().position(is_kin) {
                Some(place) => {
                    let kin = added.remove(place);
                    self.changed.push(changed((old, entry), (new, kin)));
                }
                None => self.removed.push(Deployment::of(entry)),
            }
        }
        self.added = added.into_iter().map(Deployment::of).collect();
    }
}

fn changed((old, before): (&Source, &ModelEntry), (new, after): (&Source, &ModelEntry)) -> Changed {
    let paths = before.outline.differing(&after.outline);
    let (old, new) = (entry_node(old, before), entry_node(new, after));
    let field = |path: &&str| {
        let find = |node: Option<&'_ Node>| node.and_then(|node| at(node, path).cloned());
        let (before, after) = (find(old), find(new));
        Change::of(path, before.as_ref(), after.as_ref())
    };
    Changed {
        refers_to_others: paths.is_empty(),
        fields: paths.iter().map(field).collect(),
        new_id: (before.id != after.id).then(|| after.id.to_string()),
        deployment: Deployment::of(before),
    }
}

/// Where an entry stands in its file; `None` when it is made from something else there.
fn entry_node<'a>(source: &'a Source, entry: &ModelEntry) -> Option<&'a Node> {
    let list = &source.root.get("model_list")?.value;
    match &list.value {
        crate::config::yaml::Value::List(items) => items.get(entry.position?),
        _ => None,
    }
}

/// The field at a path of one or two names, as outlines name them.
fn at<'a>(node: &'a Node, path: &str) -> Option<&'a Node> {
    let field = |node: &'a Node, name: &str| node.get(name).map(|entry| &entry.value);
    if let Some((first, rest)) = path.split_once('.')
        && let Some(inner) = field(node, first)
    {
        return field(inner, rest);
    }
    field(node, path)
}

fn groups(source: &Source) -> Vec<&str> {
    let mut groups: Vec<&str> = Vec::new();
    for entry in &source.loaded.config.model_list {
        if !groups.contains(&entry.model_name.as_str()) {
            groups.push(&entry.model_name);
        }
    }
    groups
}

fn without(of: &[&str], others: &[&str]) -> Vec<String> {
    let gone = of.iter().filter(|name| !others.contains(name));
    gone.map(|name| (*name).to_owned()).collect()
}

fn aliases(old: &Source, new: &Source) -> Vec<Change> {
    let of = |source: &'_ Source| -> Vec<(String, String)> {
        let aliases = source
            .loaded
            .config
            .router_settings
            .model_group_alias
            .iter();
        let shown = |hidden: bool| if hidden { " (hidden)" } else { "" };
        aliases
            .map(|alias| {
                (
                    alias.alias.clone(),
                    format!("{}{}", alias.model, shown(alias.hidden)),
                )
            })
            .collect()
    };
    let (before, after) = (of(old), of(new));
    let find = |list: &[(String, String)], name: &str| {
        let found = list.iter().find(|(alias, _)| alias == name);
        found.map(|(_, model)| model.clone())
    };
    let added = after
        .iter()
        .filter(|(name, _)| find(&before, name).is_none());
    let names = before.iter().chain(added).map(|(name, _)| name);
    names
        .filter_map(|name| {
            let (old, new) = (find(&before, name), find(&after, name));
            (old != new).then(|| Change::of_texts(name, old.as_deref(), new.as_deref()))
        })
        .collect()
}
