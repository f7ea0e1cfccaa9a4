//! What second calls may cost: a share of what the first ones do.

/// When so many tokens were seen both sides are halved: what was saved up long ago is not spent in one bad minute.
const MOST: u64 = 50_000_000;

/// See the module. Counted in input tokens: the call that loses is ended before it has said much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    seen: u64,
    extra: u64,
}

impl Allowance {
    /// A first call was made. Each counts one token at least.
    pub fn earn(&mut self, tokens: u64) {
        self.seen = self.seen.saturating_add(tokens.max(1));
        if self.seen >= MOST {
            self.seen /= 2;
            self.extra /= 2;
        }
    }

    /// Whether a second call fits into `share` thousandths of what was seen; it counts if so.
    pub fn spend(&mut self, tokens: u64, share: u32) -> bool {
        let extra = self.extra.saturating_add(tokens.max(1));
        let fits = u128::from(extra) * 1000 <= u128::from(self.seen) * u128::from(share);
        if fits {
            self.extra = extra;
        }
        fits
    }

    /// The second call was not made.
    pub fn give_back(&mut self, tokens: u64) {
        self.extra = self.extra.saturating_sub(tokens.max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However calls come, second ones never take more than their share of what was seen before.
        #[test]
        fn never_above_the_share(
            share in 0_u32..=1000,
            calls in prop::collection::vec((0_u64..100_000, any::<bool>()), 0..300),
        ) {
            let mut allowance = Allowance::default();
            let (mut seen, mut extra) = (0_u128, 0_u128);
            for (tokens, asks) in calls {
                allowance.earn(tokens);
                seen += u128::from(tokens.max(1));
                if asks && allowance.spend(tokens, share) {
                    extra += u128::from(tokens.max(1));
                }
                prop_assert!(extra * 1000 <= seen * u128::from(share));
            }
        }
    }

    #[test]
    fn what_is_given_back_may_be_spent() {
        let mut allowance = Allowance::default();
        allowance.earn(100);
        assert!(allowance.spend(10, 100));
        assert!(!allowance.spend(1, 100));
        allowance.give_back(10);
        assert!(allowance.spend(10, 100));
    }

    #[test]
    fn savings_fade() {
        let mut allowance = Allowance::default();
        (0..1_000_000).for_each(|_| allowance.earn(1_000_000));
        assert!(allowance.seen < MOST);
    }
}
