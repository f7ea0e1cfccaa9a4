//! `hedge` of `router_settings`, for all groups and for some.

use std::time::Duration;

use super::diagnostic::Severity;
use super::read::{Section, number, scalar_text};
use super::yaml::{Entry, Node, Value};
use crate::policy::hedging::{After, MAX_EXTRA, Rule};

const KEYS: [&str; 2] = ["after", "max_extra_cost"];
/// Nobody waits longer for a second call: an hour, in seconds.
const LONGEST: f64 = 3_600.0;

/// `hedge`.
pub fn read(section: &Section<'_>) -> Option<Rule> {
    const KEY: &str = "hedge";
    rule(section.value(KEY)?, section.path_of(KEY), section)
}

/// `model_group_hedge`: a rule a group, in the order written, or `false`. It takes the place of `hedge` as a whole.
pub fn read_by_group(section: &Section<'_>) -> Vec<(String, Option<Rule>)> {
    section.by_name("model_group_hedge", |groups, Entry { key, value, .. }| {
        Some(rule(value, groups.path_of(key), groups))
    })
}

/// A map with `after` and `max_extra_cost`; `false` for none.
fn rule(node: &Node, path: String, within: &Section<'_>) -> Option<Rule> {
    if matches!(node.value, Value::Map(_)) {
        let map = Section::open(node, path, within.sink, Severity::Error)?;
        for Entry { key, key_pos, .. } in map.entries() {
            if !KEYS.contains(&key.as_str()) {
                let message = format!("unknown; known are {}", KEYS.join(", "));
                within.sink.warning(*key_pos, map.path_of(key), message);
            }
        }
        return Some(Rule {
            after: after(&map).unwrap_or(After::P95),
            max_extra: max_extra(&map).unwrap_or(MAX_EXTRA),
        });
    }
    if !matches!(node.value, Value::Bool(false)) {
        let message = "expected a map with `after` and `max_extra_cost`, or false";
        within.sink.error(node.pos, path, message.to_owned());
    }
    None
}

fn after(map: &Section<'_>) -> Option<After> {
    let node = map.value("after")?;
    if scalar_text(node).as_deref() == Some("p95") {
        return Some(After::P95);
    }
    let seconds = number(node).filter(|seconds| (0.001..=LONGEST).contains(seconds));
    if seconds.is_none() {
        map.expected("after", node, "p95, or seconds from 0.001 to 3600");
    }
    seconds.map(|seconds| After::Time(Duration::from_secs_f64(seconds)))
}

fn max_extra(map: &Section<'_>) -> Option<u32> {
    let node = map.value("max_extra_cost")?;
    let share = number(node).filter(|share| (0.0..=1.0).contains(share));
    if share.is_none() {
        map.expected("max_extra_cost", node, "a share from 0 to 1");
    }
    share.map(|share| (share * 1000.0).round() as u32)
}
