//! The last latencies of a deployment, summed up as latency-based routing compares them (LiteLLM 1.106.2).

use std::collections::VecDeque;

/// What a timeout counts as, in seconds.
pub const TIMED_OUT: f32 = 1_000.0;

/// `routing_strategy_args` of latency-based routing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatencyRules {
    /// Samples are forgotten when so long none came, in milliseconds.
    pub ttl_ms: u64,
    /// Samples that are kept, at least 1.
    pub size: usize,
    /// Of times to the first token: this percentile instead of the mean, in `[0, 100]`.
    pub first_token_percentile: Option<f32>,
}

impl Default for LatencyRules {
    fn default() -> Self {
        Self {
            ttl_ms: 3_600_000,
            size: 10,
            first_token_percentile: None,
        }
    }
}

/// What samples came to, until they are too old.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    seconds: f32,
    until: u64,
}

impl Measured {
    /// Counts for so long, in milliseconds from `now`.
    pub fn new(seconds: f32, ttl_ms: u64, now: u64) -> Self {
        Self {
            seconds,
            until: now.saturating_add(ttl_ms),
        }
    }

    /// 0 where nothing is known (any more).
    pub fn at(&self, now: u64) -> f32 {
        if now < self.until { self.seconds } else { 0.0 }
    }
}

/// The newest samples of one kind, in seconds.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    newest_last: VecDeque<f32>,
    at: u64,
}

impl Samples {
    /// Adds one; what is no number is no sample.
    pub fn add(&mut self, seconds: f32, rules: &LatencyRules, now: u64) {
        if !seconds.is_finite() {
            return;
        }
        if now.saturating_sub(self.at) >= rules.ttl_ms {
            self.newest_last.clear();
        }
        self.at = now;
        while self.newest_last.len() >= rules.size.max(1) {
            self.newest_last.pop_front();
        }
        self.newest_last.push_back(seconds);
    }

    /// 0 without samples.
    pub fn mean(&self) -> f32 {
        let count = self.newest_last.len().max(1) as f32;
        self.newest_last.iter().sum::<f32>() / count
    }

    /// Interpolated between neighbours; 0 without samples. `percent` is in `[0, 100]`.
    pub fn percentile(&self, percent: f32) -> f32 {
        let mut sorted: Vec<f32> = self.newest_last.iter().copied().collect();
        sorted.sort_by(f32::total_cmp);
        let place = percent.clamp(0.0, 100.0) / 100.0 * sorted.len().saturating_sub(1) as f32;
        let at = |place: usize| sorted.get(place).copied();
        let below = at(place as usize).unwrap_or_default();
        let above = at(place as usize + 1).unwrap_or(below);
        below + (above - below) * place.fract()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_count_until_they_are_old() {
        let rules = LatencyRules {
            size: 3,
            ..LatencyRules::default()
        };
        let mut samples = Samples::default();
        assert_eq!((samples.mean(), samples.percentile(95.0)), (0.0, 0.0));
        for seconds in [100.0, 1.0, 2.0, 3.0, f32::NAN] {
            samples.add(seconds, &rules, 0);
        }
        assert_eq!(samples.mean(), 2.0);
        assert_eq!(samples.percentile(50.0), 2.0);
        assert_eq!(samples.percentile(75.0), 2.5);
        assert_eq!(samples.percentile(500.0), 3.0);
        samples.add(9.0, &rules, 3_600_000);
        assert_eq!(samples.mean(), 9.0);
    }
}
