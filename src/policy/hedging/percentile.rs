//! A percentile of times, in little room: counts in steps of a tenth, of which the older ones fade.

/// Each step is so much wider than the one before.
const RATIO: f64 = 1.1;
/// The last step holds all times from about ten minutes on.
const STEPS: usize = 141;
/// When so many are known all counts are halved: what is new weighs more.
const MOST: u32 = 1_000;

/// See the module. 570 bytes; what it says is at most a tenth above the true value.
#[derive(Clone, Debug)]
pub struct Percentiles {
    counts: [u32; STEPS],
    total: u32,
}

impl Default for Percentiles {
    fn default() -> Self {
        Self {
            counts: [0; STEPS],
            total: 0,
        }
    }
}

impl Percentiles {
    pub fn add(&mut self, milliseconds: u32) {
        if let Some(count) = self.counts.get_mut(step(milliseconds)) {
            *count += 1;
            self.total += 1;
        }
        if self.total >= MOST {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.total = self.counts.iter().sum();
        }
    }

    /// How many times are known; faded ones count less.
    pub fn count(&self) -> u32 {
        self.total
    }

    /// Milliseconds that so many thousandths of the times do not exceed, rounded up to a step; `None`: no time is known.
    pub fn at(&self, thousandths: u32) -> Option<u32> {
        let wanted = (u64::from(self.total) * u64::from(thousandths)).div_ceil(1000);
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += u64::from(*count);
            *count > 0 && seen >= wanted
        });
        found.map(upper)
    }
}

/// The first step whose end is not below this time.
fn step(milliseconds: u32) -> usize {
    let exact = f64::from(milliseconds.max(1)).ln() / RATIO.ln();
    // Rounded so that a step's own end falls into it.
    ((exact - 1e-9).ceil().max(0.0) as usize).min(STEPS - 1)
}

/// The end of a step, in milliseconds.
fn upper(step: usize) -> u32 {
    RATIO.powi(step as i32).ceil() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Never below the true percentile, and at most a tenth (and a millisecond) above it.
        #[test]
        fn close_to_the_true_one(
            mut times in prop::collection::vec(0_u32..600_000, 1..900),
            thousandths in 1_u32..=1000,
        ) {
            let mut known = Percentiles::default();
            times.iter().for_each(|time| known.add(*time));
            times.sort_unstable();
            let place = (times.len() * thousandths as usize).div_ceil(1000).max(1) - 1;
            let (exact, said) = (times[place], known.at(thousandths).unwrap());
            prop_assert!(said >= exact, "{said} for {exact}");
            prop_assert!(f64::from(said) <= f64::from(exact.max(1)) * RATIO + 1.0, "{said} for {exact}");
        }

        /// Whatever comes, it stays small, and what is new is seen.
        #[test]
        fn old_times_fade(old in 0_u32..50_000, new in 0_u32..50_000) {
            let mut known = Percentiles::default();
            (0..20_000).for_each(|_| known.add(old));
            prop_assert!(known.count() < MOST);
            (0..20_000).for_each(|_| known.add(new));
            let said = known.at(950).unwrap();
            prop_assert!(f64::from(said) <= f64::from(new.max(1)) * RATIO + 1.0);
        }
    }

    #[test]
    fn of_nothing_nothing_is_known() {
        assert_eq!(Percentiles::default().at(950), None);
        assert_eq!(step(0), 0);
        assert_eq!(step(u32::MAX), STEPS - 1);
        assert!(upper(STEPS - 1) >= 600_000);
    }
}
