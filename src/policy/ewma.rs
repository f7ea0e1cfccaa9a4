//! Peak-EWMA: an average of latencies that follows a slow answer at once and forgets it slowly (Finagle's measure).

/// After so long a sample counts 1/e, in milliseconds.
const TAU: f32 = 10_000.0;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PeakEwma {
    value: f32,
    at: u64,
}

impl PeakEwma {
    /// A call took `ms`. What is no number is no sample.
    pub fn observe(&mut self, ms: f32, now: u64) {
        if !ms.is_finite() {
            return;
        }
        let ms = ms.max(0.0);
        let faded = self.at(now);
        self.value = if ms > faded {
            ms
        } else {
            let weight = self.weight(now);
            ms + (faded - ms) * weight
        };
        self.at = now;
    }

    /// In milliseconds; 0 before the first sample. It fades while nothing is observed, so that who was slow is tried again.
    pub fn at(&self, now: u64) -> f32 {
        self.value * self.weight(now)
    }

    fn weight(&self, now: u64) -> f32 {
        (-(now.saturating_sub(self.at) as f32) / TAU).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_count_at_once_and_fade() {
        let mut ewma = PeakEwma::default();
        ewma.observe(100.0, 0);
        assert_eq!(ewma.at(0), 100.0);
        ewma.observe(900.0, 10);
        assert_eq!(ewma.at(10), 900.0);
        ewma.observe(100.0, 10);
        assert_eq!(ewma.at(10), 900.0, "at the same moment nothing has faded");
        assert!((ewma.at(10_010) - 900.0 / std::f32::consts::E).abs() < 0.1);
        ewma.observe(f32::NAN, 10_010);
        ewma.observe(100.0, 10_010);
        let now = ewma.at(10_010);
        assert!((100.0..332.0).contains(&now), "{now}");
        assert!(ewma.at(u64::MAX) < 1e-6);
    }
}
