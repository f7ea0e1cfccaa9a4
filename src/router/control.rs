//! The moving state of the control thread, and how a turn is answered.
//!
//! Each step computes first and commits last, under `catch_unwind`: a step that panics costs its own request a 503 and
//! changes nothing else.

mod affinity;
mod budgets;
mod queue;
mod replace;
mod select;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use self::select::Call;
use super::actor::HealthFinding;
use super::clock;
use super::deployment::DeploymentState;
use super::table::{Costs, RoutingTable};
use super::trace::Trace;
use super::turn::{
    Answer, Begin, Denied, End, Estimate, Lease, Next, Outcome, Ticket, Turn, TurnAnswer, Unmade,
    Used,
};
use crate::limits::{Ask, Gatekeeper, HoldId};
use crate::metrics::Cooldowns;
use crate::policy::claims::Claims;
use crate::policy::cooldown::Cooling;
use crate::policy::cost::Expected;
use crate::policy::hedging::Hedging;
use crate::policy::output_estimate::OutputEstimate;
use crate::policy::priority_queue::PriorityQueue;
use crate::policy::selection::{Gauge, Need};
use crate::policy::spends::Spends;
use crate::policy::strategies::{Strategy, StrategyName};
use crate::policy::window::Window;
use crate::steps;
use crate::types::NanoUsd;

/// The window of a group's use, in milliseconds.
const MINUTE: u64 = 60_000;

struct GroupState {
    /// What was asked of a group with `rpm` or `tpm`, for the headers that tell what is left.
    used: Option<Window>,
    /// The group's own.
    strategy: Box<dyn Strategy>,
    /// Those that requests have wanted in its place.
    others: Vec<(StrategyName, Box<dyn Strategy>)>,
    output: OutputEstimate,
    /// Of groups that hedge.
    hedging: Option<Hedging>,
}

impl GroupState {
    /// The strategy of this name, if it was prepared; else the group's own.
    fn strategy(&self, name: Option<StrategyName>) -> &dyn Strategy {
        let other = self.others.iter().find(|(known, _)| Some(*known) == name);
        other.map_or(&*self.strategy, |(_, strategy)| &**strategy)
    }
}

/// See the module. Shared on its thread as `Rc<RefCell<Control>>`: the actors are its mailboxes.
pub struct Control {
    table: Arc<RoutingTable>,
    gatekeeper: Rc<RefCell<Gatekeeper>>,
    /// By number; `None`: the table has no such deployment.
    fleet: Vec<Option<Rc<RefCell<DeploymentState>>>>,
    /// What decisions see of each, by number: read in one pass, where asking the states would take a thousand steps aside.
    gauges: Vec<Gauge>,
    /// How many deployments have had each number before: the generation of leases.
    generations: Vec<u32>,
    /// By number.
    groups: Vec<Option<GroupState>>,
    /// Deployments whose return is to be told.
    cooling: Vec<u32>,
    /// In budgets of providers, deployments and tags.
    spends: Spends,
    claims: Claims,
    /// Requests that wait, by number of the group.
    queues: HashMap<u32, PriorityQueue>,
    /// What the wall clock says of the monotonic clock's zero, in milliseconds since the Unix epoch.
    epoch: i64,
    cooldowns: Option<Cooldowns>,
    /// Somebody has failed a health check or is on trial after a cooldown, the last time it was looked.
    is_anybody_spared: bool,
    random: fastrand::Rng,
}

impl Control {
    pub fn new(table: Arc<RoutingTable>, gatekeeper: Rc<RefCell<Gatekeeper>>) -> Self {
        let mut control = Self {
            fleet: Vec::new(),
            gauges: Vec::new(),
            generations: Vec::new(),
            groups: Vec::new(),
            gatekeeper,
            table: table.clone(),
            cooling: Vec::new(),
            spends: Spends::default(),
            claims: Claims::default(),
            queues: HashMap::new(),
            epoch: wall_clock_ms() - clock::now() as i64,
            cooldowns: None,
            is_anybody_spared: false,
            random: fastrand::Rng::new(),
        };
        control.take_up(&table);
        control
    }

    /// Counts cooldowns there.
    pub fn counting(self, cooldowns: Cooldowns) -> Self {
        Self {
            cooldowns: Some(cooldowns),
            ..self
        }
    }

    pub fn table(&self) -> &Arc<RoutingTable> {
        &self.table
    }

    pub fn deployment(&self, number: u32) -> Option<&Rc<RefCell<DeploymentState>>> {
        self.fleet.get(number as usize)?.as_ref()
    }

    fn group_state(&self, number: u32) -> Option<&GroupState> {
        self.groups.get(number as usize)?.as_ref()
    }

    /// Looks at the state of a deployment that has changed.
    fn look_at(&mut self, number: u32) {
        if let Some(gauge) = self.deployment(number).map(|state| state.borrow().gauge()) {
            self.see(number, gauge);
        }
    }

    /// What the state of a deployment shows from now on.
    fn see(&mut self, number: u32, gauge: Gauge) {
        if let Some(seen) = self.gauges.get_mut(number as usize) {
            *seen = gauge;
        }
    }

    /// Prepares the strategy that a request wants in the place of its group's own.
    fn prepare_strategy(&mut self, group: u32, name: Option<StrategyName>) {
        let table = self.table.clone();
        let (Some(name), Some(group), Some(state)) =
            (name, table.group(group), self.group_state_mut(group))
        else {
            return;
        };
        if name != group.strategy && state.others.iter().all(|(known, _)| *known != name) {
            let strategy = name.prepare(&group.members, &group.strategy_args);
            state.others.push((name, strategy));
        }
    }

    fn group_state_mut(&mut self, number: u32) -> Option<&mut GroupState> {
        self.groups.get_mut(number as usize)?.as_mut()
    }

    /// Answers a turn: endings first, then the rest in order.
    pub fn turn(&mut self, turn: &Turn) -> TurnAnswer {
        self.begin_budgets_anew();
        let now = clock::now();
        if !self.spends.is_empty() {
            // The wall clock may have been set since.
            self.epoch = wall_clock_ms() - now as i64;
        }
        self.turn_at(turn, now)
    }

    /// The same at a given moment of a monotonic clock, in milliseconds.
    pub fn turn_at(&mut self, turn: &Turn, now: u64) -> TurnAnswer {
        for end in &turn.ends {
            self.end(end, now);
        }
        let mut answer = TurnAnswer::default();
        answer.nexts.reserve_exact(turn.nexts.len());
        for next in &turn.nexts {
            answer.nexts.push(
                self.contained("router.next", |control| control.next(next, now))
                    .unwrap_or(Err(Denied::Failed)),
            );
        }
        answer.begins.reserve_exact(turn.begins.len());
        for begin in &turn.begins {
            answer.begins.push(
                self.contained("router.begin", |control| control.begin(begin, now))
                    .unwrap_or(Err(Denied::Failed)),
            );
        }
        answer
    }

    /// Before anything of a turn is decided: so no call sees a budget whose window is over.
    fn begin_budgets_anew(&mut self) {
        let Some(next) = self.gatekeeper.borrow().next_reset() else {
            return;
        };
        let now = wall_clock_ms();
        if now >= next {
            self.contained("gatekeeper.reset", |control| {
                control.gatekeeper.borrow_mut().reset_due(now)
            });
        }
    }

    fn contained<T>(&mut self, name: &'static str, step: impl FnOnce(&mut Self) -> T) -> Option<T> {
        steps::contained(name, || step(self))
    }

    fn begin(&mut self, begin: &Begin, now: u64) -> Answer {
        self.is_in_turn(begin, now)?;
        let Some(group) = self.table.group(begin.group) else {
            return Err(self.unknown(begin.group));
        };
        if let Some(limit) = self.table.global_parallel
            && !begin.is_copy
            && self.gatekeeper.borrow().open_calls() as u64 >= limit
        {
            self.leave_queue(begin);
            return Err(Denied::Crowded { limit });
        }
        let estimate = &begin.estimate;
        let costs = begin.costs.as_deref().unwrap_or(&group.costs);
        let (hold, free) = self.hold_for(begin.group, costs, estimate);
        let ask = Ask {
            scopes: begin.scopes,
            input_tokens: estimate.input_tokens,
            output_tokens: estimate
                .max_tokens
                .map(|most| most.saturating_mul(estimate.choices)),
            hold,
            free,
            user_budget_binds: begin.user_budget_binds,
            is_copy: begin.is_copy,
        };
        let admitted = self.gatekeeper.borrow_mut().admit(&ask, now);
        let id = match admitted {
            Ok(id) => id,
            Err(refusal) => {
                self.leave_queue(begin);
                return Err(Denied::Refused(refusal));
            }
        };
        let call = self.call(begin, hold, now);
        let dispatched = self.contained("router.dispatch", |control| control.dispatch(call));
        match dispatched.unwrap_or(Err(Denied::Failed)) {
            Ok(lease) => {
                self.leave_queue(begin);
                let used = self.use_group(begin.group, now);
                self.count_for_hedging(begin.group, begin.is_stream, estimate.input_tokens);
                Ok(self.ticket(id, lease, hold, begin, used, call.need.output_tokens))
            }
            Err(denied) => {
                // Refused calls burn nothing, also when it is the deployments that are full.
                self.gatekeeper.borrow_mut().cancel(id);
                Err(self.queued(begin, denied, now))
            }
        }
    }

    fn use_group(&mut self, group: u32, now: u64) -> Option<(u64, u64)> {
        let used = self.group_state_mut(group)?.used.as_mut()?;
        used.roll(now, MINUTE);
        used.take(now, 0);
        Some((used.requests(), used.tokens()))
    }

    fn ticket(
        &self,
        hold: HoldId,
        lease: Lease,
        held: NanoUsd,
        begin: &Begin,
        group_used: Option<(u64, u64)>,
        output_tokens: u64,
    ) -> Ticket {
        let gatekeeper = self.gatekeeper.borrow();
        let standings = begin
            .scopes
            .map(|place| place.map(|place| gatekeeper.standing(place)));
        Ticket {
            hold,
            lease,
            held,
            group_used,
            standings,
            hedge_after_ms: self.hedge_after(begin.group, begin.is_stream),
            output_tokens,
            unmade: None,
        }
    }

    fn count_for_hedging(&mut self, group: u32, is_stream: bool, input_tokens: u64) {
        if let Some(hedging) = self.hedging_mut(group).filter(|_| is_stream) {
            hedging.admitted(input_tokens);
        }
    }

    fn hedge_after(&self, group: u32, is_stream: bool) -> Option<u32> {
        let hedging = self.group_state(group)?.hedging.as_ref()?;
        let rule = self.table.group(group)?.hedge?;
        hedging.after(rule).filter(|_| is_stream)
    }

    fn hedging_mut(&mut self, group: u32) -> Option<&mut Hedging> {
        self.group_state_mut(group)?.hedging.as_mut()
    }

    /// Money to hold at the group's dearest prices, and whether the group is known to cost nothing.
    fn hold_for(&self, index: u32, costs: &Costs, estimate: &Estimate) -> (NanoUsd, bool) {
        let output = self.group_state(index).map(|state| &state.output);
        let is_strict = self.gatekeeper.borrow().is_strict();
        let each = if is_strict {
            let most = costs.max_output_tokens;
            estimate.max_tokens.map_or(most, |asked| asked.min(most))
        } else {
            output
                .map_or(0, |output| output.expected(estimate.max_tokens))
                .min(costs.max_output_tokens)
        };
        let expected = Expected {
            tier: estimate.tier,
            input_tokens: estimate.input_tokens,
            output_tokens: each.saturating_mul(estimate.choices),
        };
        (costs.hold(&expected, is_strict), costs.is_free)
    }

    /// A group that the table does not have.
    fn unknown(&self, group: u32) -> Denied {
        Denied::NoDeployment(Box::new(Trace::new(group, StrategyName::default())))
    }

    /// What a call will take of a deployment's minute.
    fn need(&self, group: u32, estimate: &Estimate, cost: NanoUsd) -> Need {
        let state = self.group_state(group);
        let each = state.map_or(0, |state| state.output.expected(estimate.max_tokens));
        Need {
            input_tokens: estimate.input_tokens,
            output_tokens: each.saturating_mul(estimate.choices),
            cost,
        }
    }

    /// The wall clock at a moment of the monotonic one, in milliseconds since the Unix epoch.
    fn wall_at(&self, now: u64) -> i64 {
        self.epoch.saturating_add_unsigned(now)
    }

    fn next(&mut self, next: &Next, now: u64) -> Answer {
        if !next.is_hedge {
            return self.another(next, now);
        }
        let rule = self.table.group(next.group).and_then(|group| group.hedge);
        let (Some(rule), Some(hedging)) = (rule, self.hedging_mut(next.group)) else {
            return Err(Denied::NotHedged);
        };
        let tokens = next.estimate.input_tokens;
        if !hedging.permit(rule, tokens) {
            return Err(Denied::NotHedged);
        }
        let unmade = Unmade {
            hold: next.hold,
            alone: next.besides,
            input_tokens: tokens,
        };
        match self.another(next, now) {
            Ok(ticket) => Ok(Ticket {
                unmade: Some(unmade),
                ..ticket
            }),
            Err(denied) => {
                self.give_back(next.group, unmade);
                Err(denied)
            }
        }
    }

    /// A second call that was granted, or nearly, is not made.
    fn give_back(&mut self, group: u32, unmade: Unmade) {
        if let Some(hedging) = self.hedging_mut(group) {
            hedging.give_back(unmade.input_tokens);
        }
        let mut gatekeeper = self.gatekeeper.borrow_mut();
        gatekeeper.lower(unmade.hold, unmade.alone);
    }

    fn another(&mut self, next: &Next, now: u64) -> Answer {
        let Some(group) = self.table.group(next.group) else {
            return Err(self.unknown(next.group));
        };
        let costs = next.costs.as_deref().unwrap_or(&group.costs);
        let (own, free) = self.hold_for(next.group, costs, &next.estimate);
        let call = Call {
            group: next.group,
            tried: &next.tried,
            above: next.above,
            pin: next.pin,
            is_stream: next.is_stream,
            wish: next.wish.as_deref(),
            need: self.need(next.group, &next.estimate, own),
            now,
        };
        let hedge_after_ms = self.hedge_after(next.group, next.is_stream && !next.is_hedge);
        let ticket = |lease, held, group_used| Ticket {
            hold: next.hold,
            lease,
            held,
            group_used,
            standings: [None; 3],
            hedge_after_ms,
            output_tokens: call.need.output_tokens,
            unmade: None,
        };
        let is_same = next.group == next.from;
        if is_same && next.besides.0 == 0 {
            let lease = self.dispatch(call)?;
            return Ok(ticket(lease, NanoUsd(0), None));
        }
        let hold = NanoUsd(own.0.saturating_add(next.besides.0));
        // What was added stays when no deployment is free: the request may fall back further, and settles all at once.
        if !free || next.besides.0 > 0 {
            self.gatekeeper
                .borrow_mut()
                .raise(next.hold, hold, now)
                .map_err(Denied::Refused)?;
        }
        let lease = self.dispatch(call)?;
        let used = match is_same {
            true => None,
            false => {
                self.count_for_hedging(next.group, next.is_stream, next.estimate.input_tokens);
                self.use_group(next.group, now)
            }
        };
        Ok(ticket(lease, hold, used))
    }

    /// Each part by itself: a panic in one must not keep another from giving back what is reserved.
    fn end(&mut self, end: &End, now: u64) {
        if let Some((lease, outcome)) = end.lease {
            steps::insisted("deployment.report", || {
                self.report(lease, outcome, end.used, now)
            });
            steps::insisted("router.budgets", || {
                self.settle_budgets(&lease, end.used.cost, now);
            });
        }
        if let Some(unmade) = end.unmade {
            self.contained("router.unmade", |control| {
                control.give_back(end.group, unmade);
            });
        }
        self.contained("router.learn", |control| control.learn(end, now));
        if let Some(hold) = end.hold {
            let settled = steps::insisted("gatekeeper.settle", || {
                self.gatekeeper.borrow_mut().settle(hold, end.settlement);
            });
            if settled.is_none() {
                self.contained("gatekeeper.cancel", |control| {
                    control.gatekeeper.borrow_mut().cancel(hold);
                });
            }
        }
    }

    fn learn(&mut self, end: &End, now: u64) {
        if let (Some(tokens), Some(state)) = (end.output_tokens, self.group_state_mut(end.group)) {
            state.output.learn(tokens);
        }
        if let (Some(time), Some(hedging)) = (end.first_content_ms, self.hedging_mut(end.group)) {
            hedging.answered(time);
        }
        if let Some(used) = self
            .group_state_mut(end.group)
            .and_then(|state| state.used.as_mut())
        {
            used.roll(now, MINUTE);
            used.add(end.settlement.tokens);
        }
    }

    fn report(&mut self, lease: Lease, outcome: Outcome, used: Used, now: u64) {
        let Some(deployment) = self.deployment(lease.deployment) else {
            return;
        };
        let mut state = deployment.borrow_mut();
        let reported = state.report(lease, outcome, used, now);
        let gauge = state.gauge();
        drop(state);
        self.see(lease.deployment, gauge);
        let Some(reported) = reported else {
            return;
        };
        if let Some(cooling) = reported.cooldown {
            self.cools(lease.deployment, &cooling, now);
        }
        if reported.has_returned {
            self.look_who_is_spared(now);
        }
    }

    fn look_who_is_spared(&mut self, now: u64) {
        let mut states = self.fleet.iter().flatten();
        self.is_anybody_spared = states.any(|state| state.borrow().may_be_spared(now));
    }

    fn cools(&mut self, index: u32, cooling: &Cooling, now: u64) {
        self.is_anybody_spared = true;
        if !self.cooling.contains(&index) {
            self.cooling.push(index);
        }
        let Some(deployment) = self.table.deployment(index) else {
            return;
        };
        log::warn!(
            "deployment {} of {} takes no calls for {:.1} s: it failed with {} ({})",
            deployment.id,
            deployment.group,
            (cooling.until - now) as f64 / 1e3,
            cooling.fault.status,
            cooling.fault.class.as_str(),
        );
        if let Some(cooldowns) = &self.cooldowns {
            cooldowns.begun(deployment.health_labels(), cooling.fault.status);
        }
    }

    /// Takes findings of health checks, which count for `fresh_for` milliseconds. A deployment is known by number and id: it may
    /// have gone since it was asked.
    pub fn found(&mut self, findings: &[HealthFinding], fresh_for: u64, now: u64) {
        for finding in findings {
            let known = self.table.deployment(finding.number);
            if known.is_none_or(|known| known.id != finding.id) {
                continue;
            }
            let Some(state) = self.deployment(finding.number) else {
                continue;
            };
            let begun = {
                let mut state = state.borrow_mut();
                if let Some(is_healthy) = finding.decides {
                    state.is_found(is_healthy, now.saturating_add(fresh_for));
                }
                state.is_probed(finding.fault.as_ref(), now)
            };
            self.look_at(finding.number);
            if let Some(cooling) = begun {
                self.cools(finding.number, &cooling, now);
            }
        }
        self.look_who_is_spared(now);
    }

    /// Whether a return is to be told.
    pub fn is_any_cooling(&self) -> bool {
        !self.cooling.is_empty()
    }

    /// Tells of deployments whose cooldown is over; the milliseconds until the next one's is, if any is left.
    pub fn tell_returns(&mut self, now: u64) -> Option<u64> {
        let (fleet, table) = (&self.fleet, &self.table);
        let mut soonest: Option<u64> = None;
        self.cooling.retain(|index| {
            let state = fleet.get(*index as usize).and_then(Option::as_ref);
            if let Some(cooling) = state.and_then(|state| state.borrow().cooling(now)) {
                let left = cooling.until - now;
                soonest = Some(soonest.map_or(left, |soonest| soonest.min(left)));
                return true;
            }
            if let Some(deployment) = table.deployment(*index) {
                let (id, group) = (&deployment.id, &deployment.group);
                log::info!("deployment {id} of {group} takes calls again");
            }
            false
        });
        soonest
    }
}

/// Milliseconds since the Unix epoch.
fn wall_clock_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_millis() as i64
}
