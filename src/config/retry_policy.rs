//! Retries by class of error, for all groups and for some.

use crate::policy::retry::RetriesByClass;

use super::class_map;
use super::model::MAX_RETRIES;
use super::read::Section;
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
    section.by_name(
        "model_group_retry_policy",
        |groups, Entry { key, value, .. }| Some(policy(value, groups.path_of(key), groups)),
    )
}

fn policy(node: &Node, path: String, within: &Section<'_>) -> RetriesByClass {
    let mut policy = RetriesByClass::default();
    let fields: Vec<String> = RetriesByClass::fields().collect();
    class_map::read(
        node,
        path,
        within,
        MAX_RETRIES,
        &fields,
        |field, retries| policy.set(field, retries),
    );
    policy
}
