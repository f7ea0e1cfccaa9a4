//! Budgets of what calls go to: `provider_budget_config`, `tag_budget_config`, and `max_budget` of one deployment.

use super::diagnostic::Severity;
use super::read::{Section, decimal};
use crate::policy::duration::{Span, parse_budget_duration};
use crate::policy::spends::BudgetRule;
use crate::types::NanoUsd;

/// A map of names to budgets, in the order written: `openai: {budget_limit: 100, time_period: 1d}`.
pub fn by_name(section: &Section<'_>, key: &str) -> Vec<(String, BudgetRule)> {
    section.by_name(key, |map, entry| {
        let path = map.path_of(&entry.key);
        let budget = Section::open(map.value(&entry.key)?, path, map.sink, Severity::Error)?;
        let limits = ["budget_limit", "max_budget"];
        let lengths = ["time_period", "budget_duration"];
        rule(&budget, &limits, &lengths)
    })
}

/// A deployment's own: `max_budget` with `budget_duration`.
pub fn own(section: &Section<'_>) -> Option<BudgetRule> {
    section.value("max_budget")?;
    rule(section, &["max_budget"], &["budget_duration"])
}

/// Both parts, each by the first of its names that is there; told, where one is missing.
fn rule(section: &Section<'_>, limits: &[&str], lengths: &[&str]) -> Option<BudgetRule> {
    let limit = limits.iter().find_map(|key| amount(section, key));
    let length = lengths.iter().find_map(|key| span(section, key));
    let rule = BudgetRule {
        limit: limit?,
        length: match length {
            Some(length) => length,
            None => {
                let message = format!(
                    "a budget needs its `{}`, such as `1d`: it is not kept without",
                    lengths.first().unwrap_or(&"")
                );
                let sink = section.sink;
                sink.warning(section.node.pos, section.path.clone(), message);
                return None;
            }
        },
    };
    Some(rule)
}

fn amount(section: &Section<'_>, key: &str) -> Option<NanoUsd> {
    let node = section.value(key)?;
    let amount = decimal(node).and_then(|text| NanoUsd::parse(&text).ok());
    let amount = amount.filter(|amount| *amount >= NanoUsd::ZERO);
    if amount.is_none() {
        section.expected(key, node, "dollars, such as 100 or 0.5");
    }
    amount
}

fn span(section: &Section<'_>, key: &str) -> Option<Span> {
    let text = section.text(key)?;
    match parse_budget_duration(&text) {
        Ok(span) => Some(span),
        Err(_) => {
            let node = section.value(key)?;
            section.expected(key, node, "a duration such as 30s, 1h, 1d or 1mo");
            None
        }
    }
}
