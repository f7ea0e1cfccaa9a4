//! What must hold after every turn, seen from outside: by what callers have, and what the states say.

use super::call::Call;
use super::world::World;
use crate::router::control::Control;
use crate::router::table::Kept;
use crate::router::trace::Nobody;
use crate::router::turn::{Begin, Denied, Lease};
use crate::types::NanoUsd;

/// Longest cooldown there can be, in milliseconds.
const HOUR: u64 = 3_600_000;

/// `open` are the requests that are not over.
pub fn check(world: &World, control: &Control, open: &[&Call], now: u64) {
    let keeper = world.keeper.borrow();
    let with_hold = open.iter().filter(|call| call.hold.is_some()).count();
    assert_eq!(
        keeper.open_holds(),
        with_hold,
        "holds that nobody has, or that are gone"
    );
    if let Some(limit) = world.global_parallel {
        assert!(
            with_hold as u64 <= limit,
            "more calls than all together may make"
        );
    }
    for (number, deployment) in world.table.deployments() {
        let state = control.deployment(number).expect("a state").borrow();
        let generation = control.generations[number as usize];
        let has_lease = |call: &&&Call| {
            let lease = call.lease.filter(|lease| lease.deployment == number);
            lease.is_some_and(|lease| lease.generation == generation)
        };
        let leases = open.iter().filter(has_lease).count() as u32;
        assert_eq!(state.in_flight(), leases, "slots of {}", deployment.id);
        assert_eq!(
            control.gauges[number as usize].in_flight, leases,
            "what decisions see of {}",
            deployment.id
        );
        if let Some(slots) = deployment.slots {
            assert!(leases <= slots, "{} has {slots} slots", deployment.id);
        }
        let cooling = state.cooling(now);
        if let Some(cooling) = cooling {
            assert!(!world.disables_cooldowns, "cooldowns are switched off");
            assert!(
                state.failures > 0,
                "{} cools down and has not failed",
                deployment.id
            );
            assert!(
                cooling.until <= now + HOUR,
                "{} would stay away for ever",
                deployment.id
            );
        }
        assert_eq!(
            deployment.gauges.cooling_for(now),
            cooling.map(|cooling| cooling.until - now)
        );
    }
    for place in &world.entities {
        let standing = keeper.standing(*place);
        let of = |call: &&&Call| call.hold.is_some() && call.scopes.contains(&Some(*place));
        assert_eq!(
            standing.in_flight,
            open.iter().filter(of).count() as u64,
            "calls of {place:?}"
        );
        let limits = standing.limits;
        let within = |used: u64, limit: Option<u64>| limit.is_none_or(|limit| used <= limit);
        assert!(
            within(standing.in_flight, limits.max_parallel_requests),
            "{standing:?}"
        );
        assert!(within(standing.requests, limits.rpm), "{standing:?}");
        assert!(within(standing.tokens, limits.tpm), "{standing:?}");
        assert!(standing.held >= NanoUsd::ZERO, "{standing:?}");
    }
}

/// Strict budgets hold for whom they bind.
pub fn check_budgets(world: &World, unbound_users_paid: bool) {
    let keeper = world.keeper.borrow();
    if !world.is_strict {
        return;
    }
    for (n, place) in world.entities.iter().enumerate() {
        // A user's budget does not bind the keys of a team, whose calls count in it all the same.
        if n == 3 && unbound_users_paid {
            continue;
        }
        let standing = keeper.standing(*place);
        if let Some(budget) = standing.limits.max_budget {
            assert!(
                standing.spent.0 + standing.held.0 <= budget.0,
                "{standing:?}"
            );
        }
    }
}

/// A lease that was just granted.
pub fn check_grant(world: &World, control: &Control, call: &Call, lease: Lease, now: u64) {
    let group = world.table.group(call.group).expect("its group");
    let is_member = |number| {
        group
            .members
            .iter()
            .any(|member| member.deployment == number)
    };
    assert!(is_member(lease.deployment), "a deployment of another group");
    let state = control
        .deployment(lease.deployment)
        .expect("a state")
        .borrow();
    assert_eq!(
        state.cooling(now),
        None,
        "a lease of a deployment that cools down"
    );
    assert!(
        !call.left_out().contains(&lease.deployment),
        "it was to be left out"
    );
    let granted = group.members.iter();
    let granted = granted.filter(|member| member.deployment == lease.deployment);
    let order = granted.clone().next().and_then(|member| member.order);
    for (position, member) in (0..).zip(&group.members) {
        let number = member.deployment;
        if number == lease.deployment {
            assert!(!member.blocked, "a lease of a deployment that is paused");
            continue;
        }
        let comes_before = (member.order.is_none(), member.order) < (order.is_none(), order);
        if comes_before && !member.blocked && !call.left_out().contains(&number) {
            let gauge = control.gauges[number as usize];
            let is_out = gauge.cooling(now).is_some() || gauge.spared(now).is_some();
            let need = control.need(call.group, &call.estimate, NanoUsd::ZERO);
            let limits = group
                .limits
                .get(position)
                .filter(|_| group.kept != Kept::None);
            let is_full = gauge.is_full(limits, need, now).is_some();
            let over = control.over_budget(number, call.tag_budgets(), now);
            assert!(
                is_out || is_full || over.is_some(),
                "deployment {number} comes before it"
            );
        }
    }
}

/// A refusal that blames the deployments, at the end of a turn that had nothing after it.
pub fn check_denial(world: &World, control: &Control, call: &Call, denied: &Denied, now: u64) {
    let group = world.table.group(call.group).expect("its group");
    let members = (0..).zip(&group.members);
    let untried: Vec<(usize, u32)> = members
        .filter(|(_, member)| !member.blocked && !call.left_out().contains(&member.deployment))
        .map(|(position, member)| (position, member.deployment))
        .collect();
    let cooling_for = |number: u32| {
        let state = control.deployment(number).expect("a state").borrow();
        Some(state.cooling(now)?.until - now)
    };
    let Some(nobody) = denied.nobody() else {
        assert!(*denied != Denied::Failed, "a step panicked");
        return;
    };
    let need = control.need(call.group, &call.estimate, NanoUsd::ZERO);
    for (position, number) in &untried {
        let limits = group
            .limits
            .get(*position)
            .filter(|_| group.kept != Kept::None);
        let gauge = control.gauges[*number as usize];
        let is_full = gauge.is_full(limits, need, now).is_some();
        assert!(
            is_full
                || cooling_for(*number).is_some()
                || control
                    .over_budget(*number, call.tag_budgets(), now)
                    .is_some(),
            "deployment {number} has room"
        );
    }
    match nobody {
        Nobody::Exhausted => assert!(untried.is_empty(), "one is left: {untried:?}"),
        Nobody::Cooling { returns_in_ms } => {
            // Of the others some may have spent a budget.
            let waits = untried
                .iter()
                .filter_map(|(_, number)| cooling_for(*number));
            assert_eq!(waits.min(), Some(returns_in_ms));
        }
        Nobody::Busy { deployment, slots } => {
            assert!(untried.iter().any(|(_, number)| *number == deployment));
            assert!(slots > 0);
        }
        Nobody::Limited { resets_in_ms } => {
            assert!(group.kept != Kept::None, "nothing is limited");
            assert!((1..=60_000).contains(&resets_in_ms), "{resets_in_ms} ms");
        }
        Nobody::OverBudget { .. } => assert!(!world.table.budgets.is_empty()),
    }
}

/// Everybody is gone, and everything is back.
pub fn check_rest(world: &World, control: &Control, now: u64) {
    check(world, control, &[], now);
    assert_eq!(
        world.keeper.borrow().held(),
        NanoUsd::ZERO,
        "money is still held"
    );
    assert_eq!(control.spends.open_holds(), 0, "budgets are still held");
}

/// A call without limits.
pub fn probe(group: u32) -> Begin {
    Begin {
        scopes: [None; 3],
        group,
        estimate: crate::router::turn::Estimate {
            input_tokens: 1,
            max_tokens: None,
            choices: 1,
            tier: None,
        },
        user_budget_binds: false,
        is_copy: false,
        is_stream: false,
        pin: None,
        costs: None,
        wish: None,
        queue: None,
    }
}
