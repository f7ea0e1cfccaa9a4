//! What a configuration says, field by field, without the values: enough to tell which fields two of them differ in, and
//! nothing that could be a secret.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::redact::key_in_path;
use super::yaml::{Node, Value};

/// Maps of the file whose fields are told apart; of everything else a change is told as a whole.
const OPENED: [&str; 4] = [
    "general_settings",
    "litellm_settings",
    "router_settings",
    "environment_variables",
];
/// The same of an entry of `model_list`.
const OPENED_OF_ENTRY: [&str; 2] = ["litellm_params", "model_info"];

/// Paths such as `router_settings.num_retries`, each with a digest of its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline(BTreeMap<String, u64>);

impl Outline {
    /// Of a whole file but for its deployments, after look-ups.
    pub fn of_settings(root: &Node) -> Self {
        let mut outline = Self::of(root, &OPENED);
        for name in ["model_list", "global_llm_configs", "include"] {
            outline.0.remove(name);
        }
        outline
    }

    /// Of one deployment.
    pub fn of_entry(entry: &Node) -> Self {
        Self::of(entry, &OPENED_OF_ENTRY)
    }

    fn of(node: &Node, opened: &[&str]) -> Self {
        let mut fields = BTreeMap::new();
        let Value::Map(entries) = &node.value else {
            return Self::default();
        };
        for entry in entries {
            let key = key_in_path(&entry.key);
            match &entry.value.value {
                Value::Map(inner) if opened.contains(&entry.key.as_str()) => {
                    for field in inner {
                        let path = format!("{key}.{}", key_in_path(&field.key));
                        fields.insert(path, digest(&field.value));
                    }
                }
                Value::Null => {}
                _ => {
                    fields.insert(key.to_string(), digest(&entry.value));
                }
            }
        }
        Self(fields)
    }

    /// The fields that one of them has and the other has not, or has otherwise; in alphabetical order.
    pub fn differing<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let here = self.0.iter();
        let otherwise = here.filter(|(path, digest)| other.0.get(*path) != Some(digest));
        let there = other.0.keys().filter(|path| !self.0.contains_key(*path));
        let mut paths: Vec<&str> = otherwise
            .map(|(path, _)| path.as_str())
            .chain(there.map(String::as_str))
            .collect();
        paths.sort_unstable();
        paths
    }
}

fn digest(node: &Node) -> u64 {
    let mut hasher = DefaultHasher::new();
    feed(node, &mut hasher);
    hasher.finish()
}

fn feed(node: &Node, hasher: &mut DefaultHasher) {
    std::mem::discriminant(&node.value).hash(hasher);
    match &node.value {
        Value::Null => {}
        Value::Bool(value) => value.hash(hasher),
        Value::Int { written, .. } | Value::Float { written, .. } => written.hash(hasher),
        Value::Text(text) => text.hash(hasher),
        Value::List(items) => {
            items.len().hash(hasher);
            items.iter().for_each(|item| feed(item, hasher));
        }
        Value::Map(entries) => {
            entries.len().hash(hasher);
            for entry in entries {
                entry.key.hash(hasher);
                feed(&entry.value, hasher);
            }
        }
    }
}
