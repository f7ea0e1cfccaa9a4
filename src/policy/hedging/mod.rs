//! When a slow stream gets a second call beside the first, and how often that may be.
//!
//! The control thread keeps one [`Hedging`] for each group that hedges: it learns how long first contents take, and what
//! second calls may still cost. Pure: time comes in as milliseconds, chance not at all.

mod allowance;
mod percentile;

use std::time::Duration;

use self::allowance::Allowance;
use self::percentile::Percentiles;

/// Share of extra input, in thousandths, where the configuration says nothing.
pub const MAX_EXTRA: u32 = 100;
/// Answers that must be known before their 95th percentile says anything.
const ENOUGH: u32 = 20;

/// How long the first content may take before a second call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// As long as in 95 of 100 answers of the group; nobody is hedged until 20 are known.
    P95,
    Time(Duration),
}

/// `hedge`, of the router or of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    pub after: After,
    /// What second calls may cost at most, in thousandths of what the group's streams cost, both by input tokens.
    pub max_extra: u32,
}

/// What is known of one group's streams.
#[derive(Clone, Debug, Default)]
pub struct Hedging {
    first_content: Percentiles,
    allowance: Allowance,
}

impl Hedging {
    /// A stream of so many input tokens was admitted.
    pub fn admitted(&mut self, input_tokens: u64) {
        self.allowance.earn(input_tokens);
    }

    /// The first content of a stream came after so many milliseconds, counted from the first call that was made for it.
    pub fn answered(&mut self, first_content_ms: u32) {
        self.first_content.add(first_content_ms);
    }

    /// Milliseconds after which a stream that says nothing gets a second call; `None`: it gets none.
    pub fn after(&self, rule: Rule) -> Option<u32> {
        match rule.after {
            After::Time(time) => Some(u32::try_from(time.as_millis()).unwrap_or(u32::MAX)),
            After::P95 if self.first_content.count() < ENOUGH => None,
            After::P95 => self.first_content.at(950),
        }
    }

    /// Whether a second call of so many input tokens may be made; it counts if so.
    pub fn permit(&mut self, rule: Rule, input_tokens: u64) -> bool {
        self.allowance.spend(input_tokens, rule.max_extra)
    }

    /// A permitted call was not made after all.
    pub fn give_back(&mut self, input_tokens: u64) {
        self.allowance.give_back(input_tokens);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_second_call_is_made() {
        let mut hedging = Hedging::default();
        let rule = |after| Rule {
            after,
            max_extra: MAX_EXTRA,
        };
        let fixed = rule(After::Time(Duration::from_millis(700)));
        assert_eq!(hedging.after(fixed), Some(700));
        for known in 0..ENOUGH {
            assert_eq!(hedging.after(rule(After::P95)), None, "{known} known");
            hedging.answered(200);
        }
        let after = hedging.after(rule(After::P95));
        assert!(
            after.is_some_and(|after| (200..=220).contains(&after)),
            "{after:?}"
        );
        // One in ten: after ten streams of the same size one may have a second call, the next after twenty.
        let permitted = (0..30).filter(|_| {
            hedging.admitted(50);
            hedging.permit(fixed, 50)
        });
        assert_eq!(permitted.count(), 3);
    }
}
