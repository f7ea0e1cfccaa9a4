//! How a row's spend came about.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Amount;

/// A call's cost by what it was for, before discount and margin. The parts are disjoint and add up to the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breakdown {
    /// Input outside caches: text, audio, images, video, and what is billed by the second, character, query or request.
    pub input: Amount,
    pub cache_read: Amount,
    pub cache_creation: Amount,
    /// Output without reasoning: text, audio, images, video, pages.
    pub output: Amount,
    pub reasoning: Amount,
    /// The provider's own tools: searches, maps, code sessions.
    pub tools: Amount,
}

impl Breakdown {
    /// Both together, part by part.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            input: self.input + other.input,
            cache_read: self.cache_read + other.cache_read,
            cache_creation: self.cache_creation + other.cache_creation,
            output: self.output + other.output,
            reasoning: self.reasoning + other.reasoning,
            tools: self.tools + other.tools,
        }
    }

    /// Input, cached or not.
    pub fn whole_input(&self) -> Amount {
        self.input + self.cache_read + self.cache_creation
    }

    /// Output with its reasoning.
    pub fn whole_output(&self) -> Amount {
        self.output + self.reasoning
    }

    pub fn sum(&self) -> Amount {
        [
            self.input,
            self.cache_read,
            self.cache_creation,
            self.output,
            self.reasoning,
            self.tools,
        ]
        .into_iter()
        .sum()
    }
}

/// What a row keeps of its bill beside the amount; the default is a call that cost nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCost {
    /// Nobody knows a price: the spend is zero for want of one.
    pub unpriced: bool,
    /// The tier billed, where it is not the standard one.
    pub service_tier: Option<Cow<'static, str>>,
    pub breakdown: Breakdown,
    pub discount: Amount,
    /// Percentage and fixed part together.
    pub margin: Amount,
}
