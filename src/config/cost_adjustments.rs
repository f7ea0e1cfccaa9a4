//! `litellm_settings.cost_discount_config` and `cost_margin_config`: what is taken off and put on a provider's prices.

use crate::policy::cost::{Adjustments, NotAShare, Share};
use crate::types::NanoUsd;

use super::diagnostic::Severity;
use super::read::{Section, decimal};
use super::yaml::{Node, Value};

const DISCOUNT: &str = "a fraction from 0 to 1 (5 percent is 0.05)";
const MARGIN: &str = "a fraction (10 percent is 0.1), or a map of `percentage` and `fixed_amount`";

/// Reads both; an entry that cannot be read is reported and left out.
pub fn read(settings: &Section<'_>) -> Adjustments {
    let mut adjustments = Adjustments::default();
    if let Some(section) = map(settings, "cost_discount_config") {
        for entry in section.entries() {
            match share(&entry.value, Share::discount) {
                Some(share) => {
                    adjustments.discounts.insert(entry.key.clone(), share);
                }
                None => section.expected(&entry.key, &entry.value, DISCOUNT),
            }
        }
    }
    if let Some(section) = map(settings, "cost_margin_config") {
        for entry in section.entries() {
            if let Some(margin) = margin(&section, &entry.key, &entry.value) {
                adjustments.margins.insert(entry.key.clone(), margin);
            }
        }
    }
    adjustments
}

fn map<'a>(settings: &Section<'a>, key: &str) -> Option<Section<'a>> {
    let path = settings.path_of(key);
    Section::open(settings.value(key)?, path, settings.sink, Severity::Error)
}

fn share(node: &Node, read: fn(&str) -> Result<Share, NotAShare>) -> Option<Share> {
    decimal(node).and_then(|text| read(&text).ok())
}

fn margin(section: &Section<'_>, key: &str, node: &Node) -> Option<(Share, NanoUsd)> {
    if !matches!(node.value, Value::Map(_)) {
        let margin = share(node, Share::margin);
        if margin.is_none() {
            section.expected(key, node, MARGIN);
        }
        return Some((margin?, NanoUsd::ZERO));
    }
    let parts = Section::open(node, section.path_of(key), section.sink, Severity::Error)?;
    let (mut percentage, mut fixed) = (Share::default(), NanoUsd::ZERO);
    for entry in parts.entries() {
        let read = match entry.key.as_str() {
            "percentage" => share(&entry.value, Share::margin).map(|share| percentage = share),
            "fixed_amount" => decimal(&entry.value)
                .and_then(|text| NanoUsd::parse(&text).ok())
                .map(|amount| fixed = amount),
            _ => None,
        };
        if read.is_none() {
            parts.expected(&entry.key, &entry.value, MARGIN);
        }
    }
    Some((percentage, fixed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::diagnostic::Sink;
    use crate::config::yaml::parse;

    fn of(text: &str) -> (Adjustments, Vec<String>) {
        let sink = Sink::new("f");
        let document = parse(text).expect("YAML");
        let root = document.root.expect("a map");
        let section = Section::open(&root, "litellm_settings", &sink, Severity::Error);
        let read = read(&section.expect("a map"));
        let told = sink.into_diagnostics();
        (read, told.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_providers_own_margin_beats_the_global_one() {
        let (adjustments, told) = of("cost_discount_config: {vertex_ai: 0.05}\n\
             cost_margin_config: {global: 0.1, openai: {percentage: 0.08, fixed_amount: 0.0005}}");
        assert_eq!(told, [""; 0]);
        let openai = adjustments.of("openai");
        assert_eq!(
            (openai.discount.to_f64(), openai.margin.to_f64()),
            (0.0, 0.08)
        );
        assert_eq!(openai.margin_fixed, NanoUsd(500_000));
        let vertex = adjustments.of("vertex_ai");
        assert_eq!(
            (vertex.discount.to_f64(), vertex.margin.to_f64()),
            (0.05, 0.1)
        );
        assert_eq!(vertex.margin_fixed, NanoUsd::ZERO);
    }

    #[test]
    fn what_is_no_fraction_is_told_with_its_place() {
        let (adjustments, told) = of("cost_discount_config: {a: 5, b: half}\n\
             cost_margin_config: {c: -1, d: {percent: 0.1}, e: [1]}");
        assert_eq!(adjustments.of("a"), Default::default());
        assert_eq!(told.len(), 5, "{told:?}");
        assert!(
            told[0].starts_with("f:1:27: error: litellm_settings.cost_discount_config.a: expected a fraction from 0 to 1"),
            "{told:?}"
        );
        assert!(told[3].contains("cost_margin_config.d.percent"), "{told:?}");
    }
}
