//! Retries by class of error, for all groups and for some.

use crate::policy::retry::RetriesByClass;

use super::diagnostic::Severity;
use super::model::MAX_RETRIES;
use super::read::Section;
use super::suggest::nearest;
use super::yaml::{Entry, Node};

/// `retry_policy`.
pub fn read(section: &Section<'_>) -> RetriesByClass {
    const KEY: &str = "retry_policy";
    section
        .value(KEY)
        .map(|node| policy(node, section.path_of(KEY), section))
        .unwrap_or_default()
}

/// `model_group_retry_policy`: a policy a group, in the order written. It takes the place of `retry_policy` as a whole.
pub fn read_by_group(section: &Section<'_>) -> Vec<(String, RetriesByClass)> {
    const KEY: &str = "model_group_retry_policy";
    let Some(node) = section.value(KEY) else {
        return Vec::new();
    };
    let path = section.path_of(KEY);
    let Some(groups) = Section::open(node, path, section.sink, Severity::Error) else {
        return Vec::new();
    };
    let of_group = |Entry { key, value, .. }: &Entry| {
        let path = groups.path_of(key);
        (key.clone(), policy(value, path, section))
    };
    groups.entries().iter().map(of_group).collect()
}

fn policy(node: &Node, path: String, within: &Section<'_>) -> RetriesByClass {
    let mut policy = RetriesByClass::default();
    let Some(section) = Section::open(node, path, within.sink, Severity::Error) else {
        return policy;
    };
    for field in RetriesByClass::fields() {
        if let Some(retries) = section.small(field, MAX_RETRIES) {
            policy.set(field, retries);
        }
    }
    for entry in section.unread() {
        let near = nearest(&entry.key, RetriesByClass::fields());
        section.sink.push(
            Severity::Warning,
            entry.key_pos,
            section.path_of(&entry.key),
            "unknown kind of error, ignored".to_owned(),
            near.map(|near| format!("did you mean `{near}`?")),
        );
    }
    policy
}
