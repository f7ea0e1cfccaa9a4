//! What was spent in the budgets of providers, deployments and tags. Kept by this process alone, from its start.

use super::Control;
use crate::policy::selection::Passed;
use crate::policy::spend_window::SpendWindow;
use crate::router::table::RoutingTable;
use crate::router::turn::Lease;
use crate::types::NanoUsd;

/// Budgets of tags that bind one call.
pub const MOST_TAGS: usize = 4;
/// No budget.
pub const NO_BUDGET: u16 = u16::MAX;

impl Control {
    /// The budget that lets a deployment take no call.
    pub(super) fn over_budget(&self, deployment: u32, tags: &[u16], now: u64) -> Option<Passed> {
        let budgets = &self.table.budgets;
        let now = self.wall_at(now);
        let mut numbers = budgets.of(deployment).iter().chain(tags);
        numbers.find_map(|number| {
            let (_, rule) = budgets.rules.get(*number as usize)?;
            let window = self.spends.get(*number as usize)?;
            (window.left(rule, now) <= NanoUsd::ZERO).then(|| Passed::OverBudget {
                spent: window.spent(now),
                limit: rule.limit,
            })
        })
    }

    /// Holds money for a call in every budget that binds it.
    pub(super) fn hold_budgets(
        &mut self,
        lease: &mut Lease,
        tags: &[u16],
        cost: NanoUsd,
        now: u64,
    ) {
        let table = self.table.clone();
        if table.budgets.is_empty() {
            return;
        }
        for (place, tag) in lease.tag_budgets.iter_mut().zip(tags) {
            *place = *tag;
        }
        let wall = self.wall_at(now);
        // What the tightest leaves is held in all of them, so that one number gives it back.
        let left = self.numbers(&table, lease).filter_map(|number| {
            let (_, rule) = table.budgets.rules.get(number as usize)?;
            Some(self.spends.get(number as usize)?.left(rule, wall))
        });
        lease.held = left.fold(cost, NanoUsd::min);
        let held = lease.held;
        for number in self.numbers(&table, lease).collect::<Vec<_>>() {
            let rule = table.budgets.rules.get(number as usize);
            if let (Some((_, rule)), Some(window)) = (rule, self.spends.get_mut(number as usize)) {
                window.hold(held, rule, wall);
            }
        }
    }

    /// Puts what a call cost in the place of what was held for it.
    pub(super) fn settle_budgets(&mut self, lease: &Lease, cost: NanoUsd, now: u64) {
        let table = self.table.clone();
        if table.budgets.is_empty() {
            return;
        }
        let wall = self.wall_at(now);
        for number in self.numbers(&table, lease).collect::<Vec<_>>() {
            let rule = table.budgets.rules.get(number as usize);
            if let (Some((_, rule)), Some(window)) = (rule, self.spends.get_mut(number as usize)) {
                window.settle(lease.held, cost, rule, wall);
            }
        }
    }

    /// The budgets that bind a call.
    fn numbers(&self, table: &RoutingTable, lease: &Lease) -> impl Iterator<Item = u16> {
        let own = table.budgets.of(lease.deployment).to_vec();
        let tags = lease.tag_budgets;
        own.into_iter()
            .chain(tags.into_iter().filter(|tag| *tag != NO_BUDGET))
    }

    /// Takes over what was spent in the budgets that another table still has.
    pub(super) fn keep_spends(&mut self, before: &RoutingTable, after: &RoutingTable) {
        let kept = after.budgets.rules.iter().map(|(of, _)| {
            let mut earlier = before.budgets.rules.iter();
            let place = earlier.position(|(known, _)| known == of)?;
            self.spends.get(place).copied()
        });
        self.spends = kept
            .map(Option::unwrap_or_default)
            .collect::<Vec<SpendWindow>>();
    }
}
