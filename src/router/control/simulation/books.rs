//! What callers were granted and have used, counted apart from the states that decide: by what callers know.

use std::collections::HashMap;

use super::call::Call;
use crate::policy::selection::RateLimits;
use crate::policy::spends::{BudgetName, BudgetRule};
use crate::router::table::{Kept, RoutingTable};
use crate::router::turn::{Lease, Used};

/// In milliseconds.
const MINUTE: u64 = 60_000;

/// See the module.
#[derive(Default)]
pub struct Books {
    /// By number of the deployment, and which of those that have had it.
    minutes: HashMap<(u32, u32), Minute>,
    budgets: HashMap<BudgetName, Window>,
}

/// One that begins with the first call after the one before.
#[derive(Default)]
struct Minute {
    since: u64,
    requests: u64,
    /// Of calls that have ended.
    input: u64,
    output: u64,
    /// Who is under way, with the input that is known before.
    open: Vec<(usize, u64)>,
}

#[derive(Default)]
struct Window {
    ends_at: Option<u64>,
    spent: i64,
}

impl Window {
    fn spent(&mut self, now: u64) -> i64 {
        if self.ends_at.is_some_and(|end| now >= end) {
            *self = Self::default();
        }
        self.spent
    }
}

/// The budgets that bind a call at a deployment.
pub fn budgets(
    table: &RoutingTable,
    deployment: u32,
    call: &Call,
) -> Vec<(BudgetName, BudgetRule)> {
    let own = table.budgets.of(deployment).iter();
    let names: Vec<BudgetName> = own.chain(call.tag_budgets()).copied().collect();
    let rules = table.budgets.rules.iter();
    let rules = rules.map(|(of, rule)| (of.name(), *rule));
    rules.filter(|(name, _)| names.contains(name)).collect()
}

impl Books {
    /// Takes down a lease that was just granted. Panics where it passes a limit or a budget.
    pub fn granted(
        &mut self,
        table: &RoutingTable,
        who: usize,
        call: &Call,
        lease: Lease,
        now: u64,
    ) {
        let place = (lease.deployment, lease.generation);
        let minute = self.minutes.entry(place).or_default();
        if minute.requests == 0 || now - minute.since >= MINUTE {
            *minute = Minute {
                since: now,
                ..Minute::default()
            };
        }
        let input = call.estimate.input_tokens;
        let under_way: u64 = minute.open.iter().map(|(_, input)| input).sum();
        minute.requests += 1;
        if let Some(limits) = limits(table, call.group, lease.deployment) {
            let coming = minute.input + under_way + input;
            let is_within = minute.requests <= limits.rpm
                && coming.saturating_add(minute.output) <= limits.tpm
                && coming <= limits.itpm
                && minute.output < limits.otpm;
            assert!(
                is_within,
                "{} calls, {coming} + {} tokens of {limits:?}",
                minute.requests, minute.output
            );
        }
        minute.open.push((who, input));
        for (name, rule) in budgets(table, lease.deployment, call) {
            let spent = self.budgets.entry(name).or_default().spent(now);
            assert!(spent < rule.limit.0, "{spent} of {rule:?} are spent");
        }
    }

    /// Takes down what a call used that has ended. `bound` are the budgets that bound it when it was granted.
    pub fn ended(
        &mut self,
        who: usize,
        lease: Lease,
        used: Used,
        bound: &[(BudgetName, BudgetRule)],
        now: u64,
    ) {
        let minute = self
            .minutes
            .entry((lease.deployment, lease.generation))
            .or_default();
        if let Some(place) = minute.open.iter().position(|(own, _)| *own == who) {
            minute.open.remove(place);
            minute.input += used.input;
            minute.output += used.output;
        }
        for (name, rule) in bound.iter().filter(|_| used.cost.0 > 0) {
            let window = self.budgets.entry(*name).or_default();
            window.spent(now);
            let end = rule.length.expires_at(now as i64).map(|end| end as u64);
            window.ends_at = window.ends_at.or(end);
            window.spent += used.cost.0;
        }
    }
}

/// Those that the group keeps.
fn limits(table: &RoutingTable, group: u32, deployment: u32) -> Option<RateLimits> {
    let group = table.group(group)?;
    let mut members = group.members.iter();
    let position = members.position(|member| member.deployment == deployment)?;
    let limits = *group.limits.get(position)?;
    match group.kept {
        Kept::All => Some(limits),
        Kept::Requests => Some(RateLimits {
            rpm: limits.rpm,
            ..RateLimits::NONE
        }),
        Kept::None => None,
    }
}
