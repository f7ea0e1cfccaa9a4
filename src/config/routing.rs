//! How deployments are chosen: `routing_strategy` with its arguments, and `routing_groups`, which have their own.

use super::diagnostic::{Severity, Sink};
use super::read::{Section, scalar_text};
use super::redact::found;
use super::suggest::nearest;
use super::yaml::{Node, Value};
use crate::policy::latency::LatencyRules;
use crate::policy::strategies::lar1::Thresholds;
use crate::policy::strategies::{StrategyArgs, StrategyName};

/// More samples than this say nothing more.
const MOST_SAMPLES: u32 = 10_000;
/// The strategy of a routing group whose models are asked one after another.
const PRIORITY: &str = "priority";

/// Model groups that share a strategy, and a name that stands for all of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoutingGroup {
    pub name: String,
    /// Names of model groups.
    pub models: Vec<String>,
    /// `None`: the router's.
    pub strategy: Option<StrategyName>,
    pub args: StrategyArgs,
    /// Models with the turn they have: lower numbers first. Where this is not empty the group goes by it.
    pub priorities: Vec<(String, i64)>,
}

/// `routing_strategy` of a section; simple-shuffle when it is not there.
pub fn strategy(section: &Section<'_>) -> Option<StrategyName> {
    const KEY: &str = "routing_strategy";
    let text = section.text(KEY)?;
    let node = section.value(KEY)?;
    if let Some(strategy) = StrategyName::parse(&text) {
        return Some(strategy);
    }
    let path = section.path_of(KEY);
    let names = StrategyName::ALL.map(StrategyName::as_str);
    let message = format!(
        "expected one of {}, found {}",
        names.join(", "),
        found(node, &path)
    );
    let suggestion =
        nearest(&text, names.into_iter()).map(|name| format!("did you mean `{name}`?"));
    let sink = section.sink;
    sink.push(Severity::Error, node.pos, path, message, suggestion);
    None
}

/// `routing_strategy_args`. What a strategy does not know is told and ignored.
pub fn args(section: &Section<'_>) -> StrategyArgs {
    const KEY: &str = "routing_strategy_args";
    let open = |node| Section::open(node, section.path_of(KEY), section.sink, Severity::Error);
    let Some(args) = section.value(KEY).and_then(open) else {
        return StrategyArgs::default();
    };
    let default = LatencyRules::default();
    let read = StrategyArgs {
        latency: LatencyRules {
            ttl_ms: args
                .seconds("ttl")
                .map_or(default.ttl_ms, |ttl| ttl.as_millis() as u64),
            size: args
                .small("max_latency_list_size", MOST_SAMPLES)
                .map_or(default.size, |size| (size as usize).max(1)),
            first_token_percentile: percentile(&args),
        },
        lowest_latency_buffer: args.amount("lowest_latency_buffer").unwrap_or_default() as f32,
        lar1: thresholds(&args),
    };
    for entry in args.unread() {
        let path = args.path_of(&entry.key);
        let message = "no strategy knows this argument; it is ignored";
        section.sink.warning(entry.value.pos, path, message);
    }
    read
}

/// Of `lar1`.
fn thresholds(args: &Section<'_>) -> Thresholds {
    const LOW: &str = "confidence_threshold_low";
    let usual = Thresholds::default();
    let of = |key: &str, usual: f32| args.amount(key).map_or(usual, |own| own as f32);
    let read = Thresholds::new(
        of(LOW, usual.low()),
        of("confidence_threshold_medium", usual.medium()),
        of("confidence_threshold_high", usual.high()),
    );
    read.unwrap_or_else(|| {
        let message = "expected 0 < confidence_threshold_low < confidence_threshold_medium < confidence_threshold_high < 1";
        args.sink.error(args.node.pos, args.path.clone(), message);
        usual
    })
}

/// `ttft_percentile`: a percentage, or a share below 1.
fn percentile(args: &Section<'_>) -> Option<f32> {
    const KEY: &str = "ttft_percentile";
    let number = args.amount(KEY)?;
    if number > 100.0 {
        args.expected(KEY, args.value(KEY)?, "a percentage, such as 95");
        return None;
    }
    let percent = if number <= 1.0 {
        number * 100.0
    } else {
        number
    };
    Some(percent as f32)
}

/// `routing_groups`, in the order written.
pub fn groups(section: &Section<'_>) -> Vec<RoutingGroup> {
    const KEY: &str = "routing_groups";
    let Some(node) = section.value(KEY) else {
        return Vec::new();
    };
    let Value::List(items) = &node.value else {
        section.expected(
            KEY,
            node,
            "a list of groups, each with `group_name` and `models`",
        );
        return Vec::new();
    };
    let mut groups: Vec<RoutingGroup> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let path = format!("{}[{at}]", section.path_of(KEY));
        let Some(group) = group(item, path.clone(), section.sink) else {
            continue;
        };
        let taken = |model: &&String| {
            let mut others = groups.iter().filter(|other| other.priorities.is_empty());
            group.priorities.is_empty() && others.any(|other| other.models.contains(model))
        };
        if let Some(model) = group.models.iter().find(taken) {
            let message = format!("`{model}` is in another routing group already");
            section.sink.error(item.pos, path, message);
            continue;
        }
        groups.push(group);
    }
    groups
}

fn group(node: &Node, path: String, sink: &Sink) -> Option<RoutingGroup> {
    let section = Section::open(node, path, sink, Severity::Error)?;
    let name = section.text("group_name").unwrap_or_default();
    let path = section.path_of("group_name");
    if name.is_empty() || name == "default" {
        let message = "expected a name other than `default`, which is reserved";
        sink.error(node.pos, path, message);
        return None;
    }
    let is_by_priority = section
        .raw("routing_strategy")
        .and_then(scalar_text)
        .as_deref()
        == Some(PRIORITY);
    let priorities = priorities(&section);
    Some(RoutingGroup {
        name,
        models: section.texts("models"),
        strategy: match is_by_priority {
            true => Some(StrategyName::SimpleShuffle),
            false => strategy(&section),
        },
        args: args(&section),
        priorities,
    })
}

/// `model_priorities`: `model: number`.
fn priorities(section: &Section<'_>) -> Vec<(String, i64)> {
    const KEY: &str = "model_priorities";
    let open = |node| Section::open(node, section.path_of(KEY), section.sink, Severity::Error);
    let Some(map) = section.value(KEY).and_then(open) else {
        return Vec::new();
    };
    let priority = |key: &str| Some((key.to_owned(), map.integer(key)?));
    map.entries()
        .iter()
        .filter_map(|entry| priority(&entry.key))
        .collect()
}
