//! What the columns of a spend log row do not tell of its usage and its cost: JSON, in `usage_details`.

use serde::{Deserialize, Serialize};

use crate::types::{Amount, Breakdown, RowCost, SpendRow};

/// Only what is not zero is written.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct RowDetails {
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write_1h: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub input_audio: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub input_image: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub input_video: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub output_audio: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub output_image: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub output_video: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unpriced: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<String>,
    /// Dollars for input, cache reads, cache writes, output, reasoning and tools, then discount and margin; zeros are empty
    /// and left out at the end.
    #[serde(skip_serializing_if = "String::is_empty")]
    cost: String,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl RowDetails {
    pub(super) fn of(row: &SpendRow) -> Self {
        let (usage, cost) = (&row.usage, &row.cost);
        Self {
            cache_write_1h: usage.cache_write_1h,
            input_audio: usage.input_audio,
            input_image: usage.input_image,
            input_video: usage.input_video,
            output_audio: usage.output_audio,
            output_image: usage.output_image,
            output_video: usage.output_video,
            unpriced: cost.unpriced,
            tier: cost.service_tier.as_deref().map(str::to_owned),
            cost: joined(cost),
        }
    }

    /// JSON that we did not write counts as no details.
    pub(super) fn read(json: Option<&str>) -> Self {
        json.and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default()
    }

    pub(super) fn to_json(&self) -> Option<String> {
        if *self == Self::default() {
            return None;
        }
        serde_json::to_string(self).ok()
    }

    pub(super) fn cost(&self) -> RowCost {
        let mut parts = self
            .cost
            .split(',')
            .map(|text| Amount::parse(text).unwrap_or_default());
        let mut next = || parts.next().unwrap_or_default();
        RowCost {
            unpriced: self.unpriced,
            service_tier: self.tier.clone().map(Into::into),
            breakdown: Breakdown {
                input: next(),
                cache_read: next(),
                cache_creation: next(),
                output: next(),
                reasoning: next(),
                tools: next(),
            },
            discount: next(),
            margin: next(),
        }
    }
}

fn joined(cost: &RowCost) -> String {
    use std::fmt::Write;
    let parts = &cost.breakdown;
    let all = [
        parts.input,
        parts.cache_read,
        parts.cache_creation,
        parts.output,
        parts.reasoning,
        parts.tools,
        cost.discount,
        cost.margin,
    ];
    let last = all.iter().rposition(|part| *part != Amount::ZERO);
    let mut text = String::new();
    for (place, part) in all.iter().enumerate().take(last.map_or(0, |last| last + 1)) {
        if place > 0 {
            text.push(',');
        }
        if *part != Amount::ZERO {
            // Writing to a String cannot fail.
            let _ = write!(text, "{part}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_amount() -> impl Strategy<Value = Amount> {
        prop_oneof![Just(Amount::ZERO), (0..10_i128.pow(30)).prop_map(Amount)]
    }

    #[test]
    fn a_plain_row_has_short_details() {
        let mut row = crate::store::tests::spend_row(1);
        assert_eq!(RowDetails::of(&row).to_json(), None);
        row.cost.breakdown.input = Amount(2_500_000_000_000_000);
        row.cost.breakdown.output = Amount(1_200_000_000_000);
        let json = RowDetails::of(&row).to_json();
        assert_eq!(
            json.as_deref(),
            Some(r#"{"cost":"0.0000025,,,0.0000000012"}"#)
        );
        row.cost = RowCost {
            unpriced: true,
            ..RowCost::default()
        };
        let json = RowDetails::of(&row).to_json();
        assert_eq!(json.as_deref(), Some(r#"{"unpriced":true}"#));
    }

    proptest! {
        #[test]
        fn every_part_comes_back(amounts in prop::array::uniform8(any_amount()), unpriced: bool, tier in prop::option::of("[a-z]{1,9}")) {
            let [input, cache_read, cache_creation, output, reasoning, tools, discount, margin] = amounts;
            let cost = RowCost {
                unpriced,
                service_tier: tier.map(Into::into),
                breakdown: Breakdown { input, cache_read, cache_creation, output, reasoning, tools },
                discount,
                margin,
            };
            let row = SpendRow { cost: cost.clone(), ..crate::store::tests::spend_row(1) };
            let json = RowDetails::of(&row).to_json();
            prop_assert_eq!(RowDetails::read(json.as_deref()).cost(), cost);
        }
    }
}
