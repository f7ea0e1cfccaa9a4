//! Which efforts a model takes, as far as the catalogue tells.

use super::Effort;
use crate::catalog::ModelEntry;

impl Effort {
    /// The highest that a model takes; `None` for one that is not known to reason.
    pub fn highest(row: Option<&ModelEntry>) -> Option<Self> {
        let is = |flag: &str| row.and_then(|row| row.flag(flag)) == Some(true);
        is("supports_reasoning").then(|| {
            if is("supports_max_reasoning_effort") {
                Self::Max
            } else if is("supports_xhigh_reasoning_effort") {
                Self::XHigh
            } else {
                Self::High
            }
        })
    }
}
