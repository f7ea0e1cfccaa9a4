//! Who takes a call: the members of its group, one after another past everything that may keep them from it, then a strategy.
//!
//! The order is LiteLLM's: what the request excludes, health, cooldown, slots and limits, budgets, affinity, `order`, strategy.
//! One rule says whether a member is passed over, for the decision and for whoever asks how it came about.

use crate::policy::claims::Kind;
use crate::policy::selection::{Gauge, Need, Passed, RateLimits};
use crate::policy::spends::BudgetName;
use crate::policy::strategies::{Candidates, Member, StrategyName, Weights};
use crate::router::clock;
use crate::router::table::{Group, Kept};
use crate::router::trace::{Choice, Trace, Verdict};
use crate::router::turn::{Begin, Denied, Lease, Pin};
use crate::router::wish::{Told, Wish};
use crate::types::NanoUsd;

use super::affinity::claims;
use super::{Control, GroupState};

/// What one call asks of a group.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub group: u32,
    /// Deployments that failed this request; unused places hold `u32::MAX`.
    pub tried: &'a [u32],
    /// Only those that come later in `order`.
    pub above: Option<i64>,
    pub pin: Option<Pin>,
    pub is_stream: bool,
    pub wish: Option<&'a Wish>,
    pub need: Need,
    pub now: u64,
}

/// A decision under way; see the module.
pub struct Selection<'a> {
    control: &'a Control,
    group: &'a Group,
    state: &'a GroupState,
    call: Call<'a>,
    kept: Kept,
}

impl<'a> Selection<'a> {
    /// `None`: there is no such group.
    pub fn new(control: &'a Control, call: Call<'a>) -> Option<Self> {
        let group = control.table.group(call.group)?;
        let state = control.group_state(call.group)?;
        let own = call.wish.and_then(|wish| wish.strategy);
        let kept = if own.is_some_and(StrategyName::keeps_limits) {
            Kept::All
        } else {
            group.kept
        };
        Some(Self {
            control,
            group,
            state,
            call,
            kept,
        })
    }

    fn member(&self, position: usize) -> Option<&'a Member> {
        self.group.members.get(position)
    }

    fn limits(&self, position: usize) -> Option<RateLimits> {
        let limits = self.group.limits.get(position)?;
        match self.kept {
            Kept::All => Some(*limits),
            Kept::Requests => Some(RateLimits {
                rpm: limits.rpm,
                ..RateLimits::NONE
            }),
            Kept::None => None,
        }
    }

    /// Why the request does not go to a member, whatever its state; `None`: it may.
    fn excluded(&self, position: usize) -> Option<Passed> {
        let call = &self.call;
        let member = self.member(position)?;
        let number = member.deployment;
        if !Pin::allows(call.pin, number) {
            return Some(Passed::NotAskedFor);
        }
        if member.blocked {
            return Some(Passed::Paused);
        }
        let shortlist = call.wish.and_then(|wish| wish.shortlist.as_ref());
        if shortlist.is_some_and(|list| !list.allows(number)) {
            return Some(Passed::Unfit);
        }
        if call.tried.contains(&number) {
            return Some(Passed::Tried);
        }
        match (call.above, member.order) {
            (Some(above), Some(order)) if order <= above => Some(Passed::EarlierInOrder { order }),
            _ => None,
        }
    }

    fn gauge(&self, position: usize) -> Option<&'a Gauge> {
        let number = self.member(position)?.deployment;
        self.control.gauges.get(number as usize)
    }

    fn is_full(&self, position: usize) -> Option<Passed> {
        let limits = self.limits(position);
        let full = self
            .gauge(position)?
            .is_full(limits.as_ref(), self.call.need, self.call.now);
        if full.is_some() || self.control.spends.is_empty() {
            return full;
        }
        let number = self.member(position)?.deployment;
        self.control
            .over_budget(number, self.tag_budgets(), self.call.now)
    }

    fn tag_budgets(&self) -> &'a [BudgetName] {
        self.call.wish.map_or(&[], |wish| &wish.tag_budgets)
    }

    /// Why a member does not take the call; `None`: it may.
    fn passed(&self, position: usize) -> Option<Passed> {
        let cooling = || {
            let gauge = self.gauge(position)?;
            // Who names it wants it, whatever it has done.
            let is_named = self.call.pin.is_some_and(|pin| pin.is_named);
            gauge.cooling(self.call.now).filter(|_| !is_named)
        };
        self.excluded(position)
            .or_else(cooling)
            .or_else(|| self.is_full(position))
    }

    fn spared(&self, position: usize) -> Option<Passed> {
        self.gauge(position)?.spared(self.call.now)
    }

    /// Chooses; `None`: nobody takes the call.
    fn choose(&self, random: f64) -> Option<(usize, Choice)> {
        let takes = |position: usize| self.passed(position).is_none();
        let pinned = self.pinned().filter(|position| takes(*position));
        if let Some(position) = pinned {
            return Some((position, Choice::Pinned));
        }
        let is_well = |position: usize| takes(position) && self.spared(position).is_none();
        // Who is spared is asked only when there is nobody else.
        let positions = || 0..self.group.members.len();
        let chosen = if self.control.is_anybody_spared && positions().any(is_well) {
            self.choose_among(&is_well, random)
        } else {
            self.choose_among(&takes, random)
        };
        let may_try =
            |position: usize| self.excluded(position).is_none() && self.is_full(position).is_none();
        match chosen {
            None if self.control.table.failover.tries_cooling => {
                self.choose_among(&may_try, random)
            }
            chosen => chosen,
        }
    }

    fn pinned(&self) -> Option<usize> {
        let pin = self.call.pin?;
        let mut members = self.group.members.iter();
        members.position(|member| member.deployment == pin.deployment)
    }

    fn choose_among(
        &self,
        eligible: &dyn Fn(usize) -> bool,
        random: f64,
    ) -> Option<(usize, Choice)> {
        let claimed = self.claimed(eligible);
        if claimed.is_some() {
            return claimed;
        }
        let level = match self.group.is_ordered {
            true => Some(self.level(eligible)?),
            false => None,
        };
        let in_level = |position: usize| {
            let order = self.member(position).map(|member| member.order);
            order == level && eligible(position)
        };
        let eligible = if level.is_some() { &in_level } else { eligible };
        let kin = self.call.wish.map(|wish| &wish.kin);
        let candidates = Candidates {
            members: &self.group.members,
            gauges: &self.control.gauges,
            eligible,
            now: self.call.now,
            is_stream: self.call.is_stream,
            sticky: kin.and_then(|kin| kin.session.or(kin.opening)),
            lar1: self
                .call
                .wish
                .and_then(|wish| wish.lar1)
                .unwrap_or_default(),
        };
        let position = self.by_strategy(&candidates, random)?;
        Some((position, Choice::Strategy))
    }

    /// Where the first went of the calls that this one shares something with, if it takes calls.
    fn claimed(&self, eligible: &dyn Fn(usize) -> bool) -> Option<(usize, Choice)> {
        let kin = &self.call.wish?.kin;
        let claims = claims(self.call.group, self.group.affinity, kin);
        let mut claims = claims.filter_map(|claim| {
            let position = self.control.claimed(&claim, self.call.now)?;
            let choice = match claim.kind {
                Kind::Session => Choice::Session,
                Kind::Caller => Choice::Caller,
                Kind::Beginning => Choice::Beginning,
            };
            eligible(position).then_some((position, choice))
        });
        claims.next()
    }

    /// The level of `order` whose turn it is: the lowest that has somebody; who has none comes last.
    fn level(&self, eligible: &dyn Fn(usize) -> bool) -> Option<Option<i64>> {
        let rank = |order: Option<i64>| (order.is_none(), order);
        let mut lowest: Option<Option<i64>> = None;
        for (position, member) in self.group.members.iter().enumerate() {
            let is_lower = lowest.is_none_or(|lowest| rank(member.order) < rank(lowest));
            if is_lower && eligible(position) {
                lowest = Some(member.order);
            }
        }
        lowest
    }

    fn by_strategy(&self, candidates: &Candidates<'_>, random: f64) -> Option<usize> {
        let wish = self.call.wish;
        if let Some(weights) = wish.and_then(|wish| wish.weights.as_deref()) {
            let weight = |member: &Member| {
                let own = weights.binary_search_by_key(&member.deployment, |(number, _)| *number);
                let own = own.ok().and_then(|place| weights.get(place));
                own.map_or(0.0, |(_, weight)| *weight)
            };
            let weights = Weights::of(candidates.members.iter().map(weight));
            let chosen = weights.pick(candidates, random);
            if chosen.is_some() {
                return chosen;
            }
        }
        let own = wish.and_then(|wish| wish.strategy);
        self.state.strategy(own).pick(candidates, random)
    }

    fn strategy_name(&self) -> StrategyName {
        let wish = self.call.wish;
        let weighted = wish
            .and_then(|wish| wish.weights.as_ref())
            .map(|_| StrategyName::SimpleShuffle);
        weighted
            .or_else(|| wish.and_then(|wish| wish.strategy))
            .unwrap_or(self.group.strategy)
    }

    /// How the decision came about.
    fn trace(&self, chosen: Option<(usize, Choice)>) -> Trace {
        let mut trace = Trace::new(self.call.group, self.strategy_name());
        // Who went by something else than the strategy did not ask whose turn it is.
        let by_strategy = chosen.filter(|(_, by)| *by == Choice::Strategy);
        let level = by_strategy.and_then(|(position, _)| self.member(position)?.order);
        for (position, member) in self.group.members.iter().enumerate() {
            let number = member.deployment;
            if chosen.is_some_and(|(chosen, _)| chosen == position) {
                trace.add(number, None);
                continue;
            }
            match self.passed(position) {
                Some(passed) => trace.pass(number, passed),
                None => trace.add(number, Some(self.why_not_chosen(position, member, level))),
            }
        }
        if let Some((position, by)) = chosen
            && let Some(member) = self.member(position)
        {
            let deployment = member.deployment;
            trace.verdict = Verdict::Chosen { deployment, by };
        }
        trace
    }

    fn why_not_chosen(&self, position: usize, member: &Member, level: Option<i64>) -> Passed {
        if let Some(spared) = self.spared(position) {
            return spared;
        }
        match (member.order, level) {
            (order, Some(level)) if order != Some(level) => Passed::LaterInOrder { order, level },
            _ => Passed::NotChosen,
        }
    }
}

impl Control {
    /// Gives a call to a deployment of its group.
    pub(super) fn dispatch(&mut self, call: Call<'_>) -> Result<Lease, Denied> {
        let random = self.random.f64();
        let own = call.wish.and_then(|wish| wish.strategy);
        self.prepare_strategy(call.group, own);
        let nobody =
            || Denied::NoDeployment(Box::new(Trace::new(call.group, StrategyName::default())));
        let selection = Selection::new(self, call).ok_or_else(nobody)?;
        let chosen = selection.choose(random);
        if let Some((wish, explained)) = call
            .wish
            .and_then(|wish| Some((wish, wish.explain.as_ref()?)))
        {
            explained.add(Told::Decided {
                trace: selection.trace(chosen),
                shortlist: wish.shortlist.clone(),
            });
        }
        let Some((position, _)) = chosen else {
            return Err(Denied::NoDeployment(Box::new(selection.trace(None))));
        };
        let limits = selection.limits(position);
        let number = selection.member(position).map(|member| member.deployment);
        let number = number.ok_or_else(nobody)?;
        let deployment = self.deployment(number).ok_or_else(nobody)?.clone();
        let mut state = deployment.borrow_mut();
        let mut lease = state.acquire(number, call.need, limits.as_ref(), call.now);
        self.see(number, state.gauge());
        let tags = call.wish.map_or(&[][..], |wish| &wish.tag_budgets);
        self.hold_budgets(&mut lease, tags, call.need.cost, call.now);
        if let Some(wish) = call.wish {
            self.claim(call.group, &wish.kin, &lease, call.now);
        }
        Ok(lease)
    }

    /// How a decision about such a call would come about now. Changes nothing. `None`: there is no such group.
    pub fn explain(&mut self, begin: &Begin) -> Option<Trace> {
        self.explain_at(begin, clock::now())
    }

    /// The same at a given moment.
    pub fn explain_at(&mut self, begin: &Begin, now: u64) -> Option<Trace> {
        let call = self.call(begin, NanoUsd::ZERO, now);
        let random = self.random.f64();
        self.prepare_strategy(call.group, call.wish.and_then(|wish| wish.strategy));
        let selection = Selection::new(self, call)?;
        let chosen = selection.choose(random);
        Some(selection.trace(chosen))
    }

    /// What a request that begins asks of its group.
    pub(super) fn call<'a>(&self, begin: &'a Begin, cost: NanoUsd, now: u64) -> Call<'a> {
        Call {
            group: begin.group,
            tried: &[],
            above: None,
            pin: begin.pin,
            is_stream: begin.is_stream,
            wish: begin.wish.as_deref(),
            need: self.need(begin.group, &begin.estimate, cost),
            now,
        }
    }
}
