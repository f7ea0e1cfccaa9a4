//! Budgets of providers, deployments and tags: which of them bind a call.

use super::Control;
use crate::policy::selection::Passed;
use crate::policy::spends::{BudgetName, SpendWindow};
use crate::router::turn::Lease;
use crate::types::NanoUsd;

impl Control {
    /// With what earlier processes have spent.
    pub fn having_spent(mut self, spent: Vec<(BudgetName, SpendWindow)>) -> Self {
        self.spends.remember(spent);
        self
    }

    /// The budget that lets a deployment take no call.
    pub(super) fn over_budget(
        &self,
        deployment: u32,
        tags: &[BudgetName],
        now: u64,
    ) -> Option<Passed> {
        let own = self.table.budgets.of(deployment);
        let names = own.iter().chain(tags).copied();
        self.spends.over(names, self.wall_at(now))
    }

    /// Holds money for a call in every budget that binds it.
    pub(super) fn hold_budgets(
        &mut self,
        lease: &mut Lease,
        tags: &[BudgetName],
        cost: NanoUsd,
        now: u64,
    ) {
        if self.spends.is_empty() {
            return;
        }
        let wall = self.wall_at(now);
        let own = self.table.budgets.of(lease.deployment);
        let names = own.iter().chain(tags).copied();
        lease.budget_hold = self.spends.hold(names, cost, wall);
    }

    /// Puts what a call cost in the place of what was held for it.
    pub(super) fn settle_budgets(&mut self, lease: &Lease, cost: NanoUsd, now: u64) {
        let wall = self.wall_at(now);
        if let Some(hold) = lease.budget_hold {
            self.spends.settle(hold, cost, wall);
        }
    }
}
