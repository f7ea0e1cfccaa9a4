//! Prices that an entry sets itself.

use crate::catalog::{Kind, PriceKey};
use crate::config::diagnostic::Severity;
use crate::config::fields::is_price_field;
use crate::config::read::{Section, decimal, whole_number};
use crate::config::suggest::nearest;
use crate::config::yaml::{Entry, Node, Value};
use crate::policy::cost::OffPeak;
use crate::types::Price;

const DOLLARS: &str = "dollars a unit (a number from 0 to 9223, not finer than 1e-15)";

/// A price as written: field name of the model catalogue, decimal text (`0.0000025`, `2.5e-06`), in dollars a unit. The
/// catalogue's multipliers (`regional_processing_uplift_multiplier_us`) come here as well. Reads as a
/// [`Price`](crate::types::Price).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceField {
    pub name: String,
    pub decimal: String,
}

/// Takes all that is about prices in a section.
pub fn read_all(section: &Section<'_>) -> (Vec<PriceField>, Option<OffPeak>) {
    (read(section), off_peak(section))
}

/// Takes all price fields of a section, in order; prices in maps and lists come as the fields they stand for.
pub fn read(section: &Section<'_>) -> Vec<PriceField> {
    let mut prices = Vec::new();
    for entry in section.entries() {
        match entry.key.as_str() {
            "search_context_cost_per_query" => inner(section, entry, "", &mut prices),
            "provider_specific_entry" => {
                inner(section, entry, "provider_specific_entry.", &mut prices)
            }
            "tiered_pricing" => tiers(section, entry, &mut prices),
            name if is_price_field(name) => one(section, entry, "", &mut prices),
            _ => {}
        }
    }
    prices
}

/// Takes `off_peak_pricing`.
pub fn off_peak(section: &Section<'_>) -> Option<OffPeak> {
    const KEY: &str = "off_peak_pricing";
    let node = section.value(KEY)?;
    let Some(json) = node.to_json() else {
        section.expected(KEY, node, "finite numbers only");
        return None;
    };
    OffPeak::parse(&json.to_string())
        .inspect_err(|error| {
            let path = section.path_of(KEY);
            section.sink.error(node.pos, path, error.to_string());
        })
        .ok()
}

/// One price; `prefix` makes the catalogue's name of the key's.
fn one(section: &Section<'_>, entry: &Entry, prefix: &str, prices: &mut Vec<PriceField>) {
    let name = format!("{prefix}{}", entry.key);
    if PriceKey::of_field(&name).is_none() {
        return unknown(section, entry);
    }
    // Asked for by its key, so that it counts as read.
    let Some(node) = section.value(&entry.key) else {
        return;
    };
    match decimal(node).filter(|text| text.parse::<Price>().is_ok()) {
        Some(decimal) => prices.push(PriceField { name, decimal }),
        None => section.expected(&entry.key, node, DOLLARS),
    }
}

/// A map of prices, or of factors.
fn inner(section: &Section<'_>, entry: &Entry, prefix: &str, prices: &mut Vec<PriceField>) {
    let Some(node) = section.value(&entry.key) else {
        return;
    };
    let path = section.path_of(&entry.key);
    if let Some(map) = Section::open(node, path, section.sink, Severity::Error) {
        for price in map.entries() {
            one(&map, price, prefix, prices);
        }
    }
}

/// A list of prices by prompt size: `range: [from, to]` and prices that hold for whole requests above `from` tokens.
fn tiers(section: &Section<'_>, entry: &Entry, prices: &mut Vec<PriceField>) {
    let Some(node) = section.value(&entry.key) else {
        return;
    };
    let Value::List(items) = &node.value else {
        return section.expected(&entry.key, node, "a list of price tiers");
    };
    for (place, item) in items.iter().enumerate() {
        let path = format!("{}[{place}]", section.path_of(&entry.key));
        let Some(tier) = Section::open(item, path, section.sink, Severity::Error) else {
            continue;
        };
        let above_k = tier.value("range").and_then(|range| match &range.value {
            Value::List(ends) => thousands(ends.first()?),
            _ => None,
        });
        let Some(above_k) = above_k else {
            let message = "expected `range: [from, to]`, where `from` is 0 or a multiple of 1000 tokens up to 65535000";
            tier.sink.error(item.pos, tier.path.clone(), message);
            continue;
        };
        let first = prices.len();
        for price in tier.entries().iter().filter(|price| price.key != "range") {
            one(&tier, price, "", prices);
        }
        for price in prices.iter_mut().skip(first) {
            if let Some(key) = PriceKey::of_field(&price.name) {
                price.name = PriceKey { above_k, ..key }.field().to_string();
            }
        }
    }
}

fn thousands(node: &Node) -> Option<u16> {
    let tokens = whole_number(node).filter(|tokens| tokens % 1000 == 0)?;
    u16::try_from(tokens / 1000).ok()
}

/// A price under a wrong name would be a price that silently does not count.
fn unknown(section: &Section<'_>, entry: &Entry) {
    let near = nearest(&entry.key, Kind::ALL.iter().map(|kind| kind.field()));
    let message = "unknown price, ignored".to_owned();
    let suggestion = near.map(|near| format!("did you mean `{near}`?"));
    section.sink.push(
        Severity::Warning,
        entry.key_pos,
        section.path_of(&entry.key),
        message,
        suggestion,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::diagnostic::Sink;
    use crate::config::yaml::parse;

    /// The prices of a map as `name=decimal`, and what was told about it.
    fn of(text: &str) -> (Vec<String>, Vec<String>) {
        let sink = Sink::new("f");
        let root = parse(text).ok().and_then(|document| document.root);
        let section = root
            .as_ref()
            .and_then(|root| Section::open(root, "p", &sink, Severity::Error));
        let prices = section.iter().flat_map(read);
        let prices = prices
            .map(|p| format!("{}={}", p.name, p.decimal))
            .collect();
        section.iter().for_each(|section| {
            off_peak(section);
        });
        let told = sink.into_diagnostics();
        (prices, told.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn prices_in_maps_and_lists() {
        let (prices, told) = of(
            "search_context_cost_per_query: {search_context_size_low: 0.03}\n\
             provider_specific_entry: {us: 1.1, fast: 6}\n\
             tiered_pricing:\n\
             - {range: [0, 32000], input_cost_per_token: 1e-6}\n\
             - {range: [32000.0, 128000.0], input_cost_per_token: 2e-6, output_cost_per_token: 5e-6}\n\
             off_peak_pricing: {windows: [{hours_utc: '16:30-00:30'}], input_cost_per_token: 5e-7}",
        );
        assert_eq!(told, [""; 0]);
        assert_eq!(
            prices,
            [
                "search_context_size_low=0.03",
                "provider_specific_entry.us=1.1",
                "provider_specific_entry.fast=6",
                "input_cost_per_token=1e-6",
                "input_cost_per_token_above_32k_tokens=2e-6",
                "output_cost_per_token_above_32k_tokens=5e-6",
            ]
        );
    }

    #[test]
    fn prices_that_cannot_be_read_are_told_with_their_place() {
        let (prices, told) = of("search_context_cost_per_query: 0.03\n\
             provider_specific_entry: {mars: 2}\n\
             tiered_pricing: [{range: [500, 600], input_cost_per_token: 1}, {input_cost_per_token: 1}]\n\
             off_peak_pricing: {windows: [{hours_utc: noon}]}");
        assert_eq!(prices, [""; 0]);
        assert_eq!(told.len(), 5, "{told:#?}");
        for (line, part) in told.iter().zip([
            "f:1:32: error: p.search_context_cost_per_query: expected a map",
            "f:2:27: warning: p.provider_specific_entry.mars: unknown price, ignored",
            "f:3:18: error: p.tiered_pricing[0]: expected `range: [from, to]`",
            "p.tiered_pricing[1]: expected `range: [from, to]`",
            "f:4:19: error: p.off_peak_pricing: off_peak_pricing: `noon` are no hours",
        ]) {
            assert!(line.contains(part), "{line}");
        }
    }

    #[test]
    fn prices_stay_as_written() {
        let text = "input_cost_per_token: 0.00000250\noutput_cost_per_token: 1e-05\ninput_cost_per_image: '0.04'\n\
                    output_cost_per_image: 1\ninput_cost_per_second: -1\noutput_cost_per_second: .nan\n\
                    ocr_cost_per_page: 10000\ncost_per_second: free\ninput_cost_per_query: null\nmax_tokens: 5\ninput_cost_per_tokn: 1";
        let sink = Sink::new("f");
        let root = parse(text).ok().and_then(|document| document.root);
        let section = root
            .as_ref()
            .and_then(|root| Section::open(root, "p", &sink, Severity::Error));
        let read: Vec<String> = section
            .iter()
            .flat_map(read)
            .map(|p| format!("{}={}", p.name, p.decimal))
            .collect();
        assert_eq!(
            read,
            [
                "input_cost_per_token=0.00000250",
                "output_cost_per_token=1e-05",
                "input_cost_per_image=0.04",
                "output_cost_per_image=1",
            ]
        );
        let shown: Vec<String> = sink
            .into_diagnostics()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(shown.len(), 5, "{shown:?}");
        assert!(
            shown.iter().any(|line| line.ends_with("found \"free\"")),
            "{shown:?}"
        );
        assert!(
            shown.iter().any(|line| line
                .ends_with("unknown price, ignored; did you mean `input_cost_per_token`?")),
            "{shown:?}"
        );
    }
}
