//! How long a group's answers are: the running 95th percentile of their output tokens.
//!
//! Budgets hold money for a call before its length is known. Until enough answers were seen, the request's own `max_tokens`
//! or a fixed figure serves.

/// Answers that must be known before the percentile is trusted.
const KNOWN_AFTER: u32 = 20;
/// Held for an answer of unknown length, in tokens.
const UNKNOWN: u64 = 256;
/// Counts are halved at this many answers, so that old ones fade.
const FADE_AT: u32 = 1024;

/// A histogram whose bucket borders grow by a quarter: within 25 % of the true percentile.
#[derive(Clone, Debug)]
pub struct OutputEstimate {
    buckets: [u16; 64],
    seen: u32,
}

impl Default for OutputEstimate {
    fn default() -> Self {
        Self {
            buckets: [0; 64],
            seen: 0,
        }
    }
}

impl OutputEstimate {
    /// Learns from one answer's output tokens.
    pub fn learn(&mut self, tokens: u64) {
        if let Some(count) = self.buckets.get_mut(bucket(tokens)) {
            *count = count.saturating_add(1);
        }
        self.seen += 1;
        if self.seen >= FADE_AT {
            self.buckets.iter_mut().for_each(|count| *count /= 2);
            self.seen = self.buckets.iter().map(|count| u32::from(*count)).sum();
        }
    }

    /// Output tokens to hold money for: never more than `max_tokens`, when the request gave it.
    pub fn expected(&self, max_tokens: Option<u64>) -> u64 {
        if self.seen < KNOWN_AFTER {
            return max_tokens.unwrap_or(UNKNOWN);
        }
        let percentile = self.percentile_95();
        max_tokens.map_or(percentile, |most| most.min(percentile))
    }

    fn percentile_95(&self) -> u64 {
        let wanted = (u64::from(self.seen) * 95).div_ceil(100);
        let mut upto = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            upto += u64::from(*count);
            if upto >= wanted {
                return border(index);
            }
        }
        border(self.buckets.len() - 1)
    }
}

fn bucket(tokens: u64) -> usize {
    (0..63).find(|index| border(*index) >= tokens).unwrap_or(63)
}

/// The largest count of a bucket: 1, 2, 3, 4, 5, 7, 9 … growing by a quarter.
fn border(index: usize) -> u64 {
    (0..index).fold(1, |border, _| (border * 5 / 4).max(border + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_then_learned() {
        let mut estimate = OutputEstimate::default();
        assert_eq!(
            (estimate.expected(None), estimate.expected(Some(9000))),
            (256, 9000)
        );
        for tokens in 1..=100 {
            estimate.learn(tokens);
        }
        let expected = estimate.expected(None);
        assert!((95..=125).contains(&expected), "{expected}");
        assert_eq!(estimate.expected(Some(10)), 10);
        for _ in 0..5000 {
            estimate.learn(3);
        }
        assert!(estimate.expected(None) <= 4);
        estimate.learn(u64::MAX);
    }
}
