//! Budgets of what calls go to (providers, deployments, tags): what was spent in each, and what calls under way hold.
//!
//! A call remembers which budgets it was held in, so that it is settled there whatever the configuration says by then: a budget
//! that is gone stays until the last of its calls has ended, one that is new is not given back what it never held. Pure: `now`
//! is in milliseconds since the Unix epoch. The control thread owns one [`Spends`].

mod key;
mod window;

use std::collections::HashMap;

use foldhash::fast::FixedState;
use slab::Slab;

pub use key::{key, lasting, parts};
pub use window::{BudgetRule, SpendWindow};

use super::selection::Passed;
use crate::types::NanoUsd;

/// Names a budget: a hash, the same in every table and every process.
pub type BudgetName = u64;

/// A call's place among those that hold money; to be settled once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetHold(u32);

/// See the module.
#[derive(Default)]
pub struct Spends {
    by_name: HashMap<BudgetName, Spend, FixedState>,
    /// Windows that last, of budgets that the configuration does not have.
    remembered: HashMap<BudgetName, SpendWindow, FixedState>,
    holds: Slab<Held>,
}

#[derive(Default)]
struct Spend {
    /// `None`: the configuration has it no more, but calls under way were held in it.
    rule: Option<BudgetRule>,
    window: SpendWindow,
    /// Calls under way.
    open: u32,
}

struct Held {
    amount: NanoUsd,
    budgets: Box<[BudgetName]>,
}

impl Spends {
    /// Takes over what was spent before this process began.
    pub fn remember(&mut self, windows: impl IntoIterator<Item = (BudgetName, SpendWindow)>) {
        for (name, window) in windows {
            match self.by_name.get_mut(&name) {
                Some(spend) => spend.window = window,
                None => drop(self.remembered.insert(name, window)),
            }
        }
    }

    /// Keeps these budgets from now on. What was spent in those that stay still counts, and in those that come back too.
    pub fn keep(&mut self, rules: impl Iterator<Item = (BudgetName, BudgetRule)>, now: i64) {
        for spend in self.by_name.values_mut() {
            spend.rule = None;
        }
        for (name, rule) in rules {
            let spend = self.by_name.entry(name).or_insert_with(|| Spend {
                window: self.remembered.remove(&name).unwrap_or_default(),
                ..Spend::default()
            });
            spend.rule = Some(rule);
        }
        let gone = self
            .by_name
            .extract_if(|_, spend| spend.rule.is_none() && spend.open == 0);
        self.remembered
            .extend(gone.map(|(name, spend)| (name, spend.window)));
        self.remembered.retain(|_, window| !window.is_over(now));
    }

    /// There is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Calls that hold money.
    #[cfg(test)]
    pub fn open_holds(&self) -> usize {
        self.holds.len()
    }

    /// The first of these budgets that has nothing left.
    pub fn over(&self, mut names: impl Iterator<Item = BudgetName>, now: i64) -> Option<Passed> {
        names.find_map(|name| {
            let spend = self.by_name.get(&name)?;
            let rule = spend.rule.as_ref()?;
            (spend.window.left(rule, now) <= NanoUsd::ZERO).then(|| Passed::OverBudget {
                spent: spend.window.spent(now),
                limit: rule.limit,
            })
        })
    }

    /// Holds money for a call in each of these budgets: what it may cost, or what the tightest of them leaves. `None`: none of
    /// them is kept.
    pub fn hold(
        &mut self,
        names: impl Iterator<Item = BudgetName>,
        cost: NanoUsd,
        now: i64,
    ) -> Option<BudgetHold> {
        let kept = names.filter(|name| {
            let spend = self.by_name.get(name);
            spend.is_some_and(|spend| spend.rule.is_some())
        });
        let budgets: Box<[BudgetName]> = kept.collect();
        if budgets.is_empty() {
            return None;
        }
        let mut amount = cost;
        for name in &budgets {
            if let Some(Spend {
                rule: Some(rule),
                window,
                ..
            }) = self.by_name.get(name)
            {
                amount = amount.min(window.left(rule, now));
            }
        }
        for name in &budgets {
            if let Some(Spend {
                rule: Some(rule),
                window,
                open,
            }) = self.by_name.get_mut(name)
            {
                window.hold(amount, rule, now);
                *open += 1;
            }
        }
        let place = self.holds.insert(Held { amount, budgets });
        u32::try_from(place).ok().map(BudgetHold)
    }

    /// Puts what a call cost in the place of what was held for it.
    pub fn settle(&mut self, hold: BudgetHold, cost: NanoUsd, now: i64) {
        let Some(held) = self.holds.try_remove(hold.0 as usize) else {
            return;
        };
        for name in &held.budgets {
            let Some(spend) = self.by_name.get_mut(name) else {
                continue;
            };
            spend.open = spend.open.saturating_sub(1);
            spend.window.release(held.amount);
            match &spend.rule {
                Some(rule) => spend.window.book(cost, rule.length, now),
                None if spend.open == 0 => {
                    let window = spend.window;
                    self.by_name.remove(name);
                    self.remembered.insert(*name, window);
                }
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(limit: i64) -> BudgetRule {
        BudgetRule {
            limit: NanoUsd(limit),
            length: "1d".parse().unwrap(),
        }
    }

    fn spent(spends: &Spends, name: BudgetName) -> Option<i64> {
        let spend = spends.by_name.get(&name)?;
        Some(spend.window.spent(0).0)
    }

    #[test]
    fn a_call_is_settled_where_it_was_held() {
        let mut spends = Spends::default();
        spends.keep([(1, rule(100)), (2, rule(50))].into_iter(), 0);
        let hold = spends.hold([1, 2, 3].into_iter(), NanoUsd(70), 0).unwrap();
        assert!(spends.over([1].into_iter(), 0).is_none());
        assert!(spends.over([1, 2].into_iter(), 0).is_some(), "50 are held");
        // One budget goes, another comes while the call is under way.
        spends.keep([(1, rule(100)), (3, rule(10))].into_iter(), 0);
        assert!(
            spends.over([2].into_iter(), 0).is_none(),
            "it binds no more"
        );
        spends.settle(hold, NanoUsd(20), 0);
        assert_eq!(
            [1, 2, 3].map(|name| spent(&spends, name)),
            [Some(20), None, Some(0)]
        );
        spends.settle(hold, NanoUsd(20), 0);
        assert_eq!(spent(&spends, 1), Some(20), "once is enough");
        assert_eq!(spends.hold([2].into_iter(), NanoUsd(1), 0), None);
    }

    #[test]
    fn what_was_spent_is_remembered_while_its_window_lasts() {
        let mut spends = Spends::default();
        spends.keep([(1, rule(10))].into_iter(), 0);
        spends.remember([
            (1, SpendWindow::until(100, NanoUsd(7))),
            (2, SpendWindow::until(100, NanoUsd(10))),
        ]);
        assert_eq!(spent(&spends, 1), Some(7));
        spends.keep([(2, rule(10))].into_iter(), 1);
        assert!(spends.over([2].into_iter(), 99).is_some());
        assert!(spends.over([2].into_iter(), 100).is_none());
        spends.keep([(1, rule(10))].into_iter(), 2);
        assert_eq!(spent(&spends, 1), Some(7), "it came back");
        spends.keep([(1, rule(10)), (2, rule(10))].into_iter(), 100);
        assert!(spends.remembered.is_empty());
    }

    #[test]
    fn a_budget_that_comes_back_knows_who_still_holds() {
        let mut spends = Spends::default();
        spends.keep([(1, rule(10))].into_iter(), 0);
        let hold = spends.hold([1].into_iter(), NanoUsd(10), 0).unwrap();
        spends.keep(std::iter::empty(), 0);
        spends.keep([(1, rule(10))].into_iter(), 0);
        assert!(spends.over([1].into_iter(), 0).is_some());
        spends.settle(hold, NanoUsd(0), 0);
        assert!(spends.over([1].into_iter(), 0).is_none());
    }

    proptest! {
        /// However budgets come and go under calls, nothing stays held, and nothing that is gone is kept.
        #[test]
        fn nothing_stays_held(steps in prop::collection::vec((0u64..8, 0u64..8, 0i64..40), 1..80)) {
            let mut spends = Spends::default();
            let mut open = Vec::new();
            for (what, names, cost) in steps {
                let names = (0..3).filter(|bit| names >> bit & 1 == 1);
                match what {
                    0 => spends.keep(names.map(|name| (name, rule(100))), 0),
                    1..=3 => spends.settle_any(&mut open, cost),
                    _ => open.extend(spends.hold(names, NanoUsd(cost), 0)),
                }
            }
            while !open.is_empty() {
                spends.settle_any(&mut open, 1);
            }
            prop_assert!(spends.holds.is_empty());
            for spend in spends.by_name.values() {
                prop_assert!(spend.rule.is_some());
                prop_assert_eq!(spend.open, 0);
                let rule = rule(i64::MAX);
                prop_assert_eq!(spend.window.left(&rule, 0).0, i64::MAX - spend.window.spent(0).0);
            }
        }
    }

    impl Spends {
        fn settle_any(&mut self, open: &mut Vec<BudgetHold>, cost: i64) {
            if let Some(hold) = open.pop() {
                self.settle(hold, NanoUsd(cost), 0);
            }
        }
    }
}
