//! A budget of a provider, a deployment or a tag: what was spent and is held in its window (LiteLLM 1.106.2's windows: each
//! begins with the first spending after the one before, and lasts the whole duration).
//!
//! Like the budgets of keys by default: a call is refused when nothing is uncommitted, and holds no more than is left.

use crate::policy::duration::Span;
use crate::types::NanoUsd;

/// What a budget allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetRule {
    pub limit: NanoUsd,
    pub length: Span,
}

/// See the module. Instants are milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpendWindow {
    /// When the window ends; `None`: none has begun.
    ends_at: Option<i64>,
    spent: NanoUsd,
    /// Of calls under way, in whatever window they began.
    held: NanoUsd,
}

impl SpendWindow {
    /// One that ends at `ends_at`, in which so much was spent.
    pub fn until(ends_at: i64, spent: NanoUsd) -> Self {
        Self {
            ends_at: Some(ends_at),
            spent,
            held: NanoUsd::ZERO,
        }
    }

    /// Its end, if it has begun, and what was spent in it.
    pub fn begun(&self) -> Option<(i64, NanoUsd)> {
        Some((self.ends_at?, self.spent))
    }

    /// What was spent in it counts no more.
    pub fn is_over(&self, now: i64) -> bool {
        self.ends_at.is_none_or(|end| now >= end)
    }

    /// Forgets what was spent in a window that is over.
    fn roll(&mut self, now: i64) {
        if self.ends_at.is_some_and(|end| now >= end) {
            self.ends_at = None;
            self.spent = NanoUsd::ZERO;
        }
    }

    /// What was spent in the window that `now` lies in.
    pub fn spent(&self, now: i64) -> NanoUsd {
        let mut here = *self;
        here.roll(now);
        here.spent
    }

    /// What is neither spent nor held; nothing where the budget is used up.
    pub fn left(&self, rule: &BudgetRule, now: i64) -> NanoUsd {
        let committed = self.spent(now).0.saturating_add(self.held.0);
        NanoUsd(rule.limit.0.saturating_sub(committed).max(0))
    }

    /// Holds money for a call, no more than is left; how much.
    pub fn hold(&mut self, amount: NanoUsd, rule: &BudgetRule, now: i64) -> NanoUsd {
        self.roll(now);
        let held = NanoUsd(amount.0.clamp(0, self.left(rule, now).0));
        self.held.0 = self.held.0.saturating_add(held.0);
        held
    }

    /// Gives back what was held for a call.
    pub fn release(&mut self, held: NanoUsd) {
        self.held.0 = self.held.0.saturating_sub(held.0).max(0);
    }

    /// Books what a call cost, which begins a window of this length where none lasts.
    pub fn book(&mut self, cost: NanoUsd, length: Span, now: i64) {
        if cost.0 <= 0 {
            return;
        }
        self.roll(now);
        if self.ends_at.is_none() {
            self.ends_at = Some(length.expires_at(now).unwrap_or(i64::MAX));
        }
        self.spent.0 = self.spent.0.saturating_add(cost.0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(limit: i64) -> BudgetRule {
        BudgetRule {
            limit: NanoUsd(limit),
            length: "10s".parse().unwrap(),
        }
    }

    #[test]
    fn a_window_begins_with_the_first_spending() {
        let rule = rule(100);
        let mut window = SpendWindow::default();
        assert_eq!(window.hold(NanoUsd(70), &rule, 0), NanoUsd(70));
        assert_eq!(window.hold(NanoUsd(70), &rule, 0), NanoUsd(30));
        assert_eq!(window.left(&rule, 0), NanoUsd(0));
        window.release(NanoUsd(100));
        window.book(NanoUsd(20), rule.length, 5_000);
        assert_eq!(window.left(&rule, 14_999), NanoUsd(80));
        window.book(NanoUsd(90), rule.length, 14_999);
        assert_eq!(window.spent(14_999), NanoUsd(110));
        assert_eq!(window.left(&rule, 14_999), NanoUsd(0));
        assert_eq!(window.left(&rule, 15_000), NanoUsd(100));
    }

    proptest! {
        /// Calls that cost no more than was held for them never pass the budget, and holds all come back.
        #[test]
        fn never_above_the_budget(limit in 0i64..1_000, steps in prop::collection::vec((0i64..4_000, 1i64..400, any::<bool>(), 0.0..1.0f64), 1..100)) {
            let rule = rule(limit);
            let (mut window, mut now) = (SpendWindow::default(), 0);
            let mut open = Vec::new();
            for (wait, amount, ends, share) in steps {
                now += wait;
                if ends && let Some(held) = open.pop() {
                    let NanoUsd(amount) = held;
                    window.release(held);
                    window.book(NanoUsd((amount as f64 * share) as i64), rule.length, now);
                } else if window.left(&rule, now).0 > 0 {
                    open.push(window.hold(NanoUsd(amount), &rule, now));
                }
                prop_assert!(window.spent(now).0 + window.held.0 <= limit);
            }
            for held in open {
                window.release(held);
            }
            prop_assert_eq!(window.held, NanoUsd(0));
        }
    }
}
