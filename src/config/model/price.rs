//! Prices that an entry sets itself.

use crate::catalog::{Kind, PriceKey};
use crate::config::diagnostic::Severity;
use crate::config::fields::is_price_field;
use crate::config::read::{Section, decimal};
use crate::config::suggest::nearest;
use crate::config::yaml::Entry;
use crate::types::Price;

/// A price as written: field name of the model catalogue, decimal text (`0.0000025`, `2.5e-06`), in dollars a unit. The
/// catalogue's multipliers (`regional_processing_uplift_multiplier_us`) come here as well. Reads as a
/// [`Price`](crate::types::Price).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceField {
    pub name: String,
    pub decimal: String,
}

/// Takes all price fields of a section, in order.
pub fn read(section: &Section<'_>) -> Vec<PriceField> {
    let mut prices = Vec::new();
    for entry in section
        .entries()
        .iter()
        .filter(|entry| is_price_field(&entry.key))
    {
        if PriceKey::of_field(&entry.key).is_none() {
            unknown(section, entry);
            continue;
        }
        let Some(node) = section.value(&entry.key) else {
            continue;
        };
        match decimal(node).filter(|text| text.parse::<Price>().is_ok()) {
            Some(decimal) => prices.push(PriceField {
                name: entry.key.clone(),
                decimal,
            }),
            None => section.expected(
                &entry.key,
                node,
                "dollars a unit (a number from 0 to 9223, not finer than 1e-15)",
            ),
        }
    }
    prices
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
