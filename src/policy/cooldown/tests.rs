//! LiteLLM 1.106.2's rules, one after the other.

use proptest::prelude::*;

use super::*;
use crate::policy::by_class::ByClass;
use crate::policy::upstream_error::ErrorClass;

const SECOND: u64 = 1_000;

fn alone() -> Rules {
    Rules {
        is_alone: true,
        ..Rules::default()
    }
}

fn counting(allowed: u32) -> Rules {
    let mut rules = Rules::default();
    rules.router.allowed.any = Some(allowed);
    rules
}

fn policy(fields: &[(&str, u32)]) -> ByClass {
    let mut policy = ByClass::default();
    for (field, value) in fields {
        assert!(policy.set(field, "AllowedFails", *value), "{field}");
    }
    policy
}

/// The duration of the cooldown that one failure begins, in seconds.
fn first_failure(rules: &Rules, fault: &Fault) -> Option<u64> {
    let cooling = Health::default().failed(fault, rules, true, 0)?;
    Some(cooling.until / SECOND)
}

/// How many failures of a kind, a millisecond apart, it takes; `None`: 20,000 are not enough.
fn failures_needed(rules: &Rules, fault: &Fault) -> Option<u64> {
    let mut health = Health::default();
    (1..=20_000).find(|n| health.failed(fault, rules, true, *n).is_some())
}

#[test]
fn by_status() {
    // Of a deployment with company, and of one that is alone.
    for (status, with_others, by_itself) in [
        (400, None, None),
        (401, Some(1), Some(1)),
        (402, Some(1), Some(1_000)),
        (403, None, None),
        (404, Some(1), Some(1)),
        (408, Some(5), Some(1_000)),
        (409, None, None),
        (413, None, None),
        (418, None, None),
        (422, None, None),
        (429, Some(1), Some(1_000)),
        (500, Some(5), Some(1_000)),
        (502, Some(5), Some(1_000)),
        (503, Some(5), Some(1_000)),
        (504, Some(5), Some(1_000)),
        (529, Some(5), Some(1_000)),
        // No answer of HTTP's, but LiteLLM counts odd statuses like errors of servers.
        (302, Some(1), Some(1)),
    ] {
        let fault = Fault::of_status(status);
        assert_eq!(
            failures_needed(&Rules::default(), &fault),
            with_others,
            "{status}"
        );
        assert_eq!(
            failures_needed(&alone(), &fault),
            by_itself,
            "{status} alone"
        );
    }
}

#[test]
fn what_never_counts() {
    let fault = Fault::of_status(401);
    let callers = Fault {
        is_callers_limit: true,
        ..Fault::of_status(408)
    };
    let unreachable = Fault {
        class: ErrorClass::APIConnectionError,
        ..Fault::of_status(500)
    };
    let disabled = Rules {
        never: true,
        ..Rules::default()
    };
    let mut no_time = Rules::default();
    no_time.router.time_ms = Some(0);
    let mut no_time_of_its_own = Rules::default();
    no_time_of_its_own.own.time_ms = Some(0);
    for (what, rules, fault) in [
        ("a caller's short limit", Rules::default(), callers),
        ("no connection", Rules::default(), unreachable),
        ("cooldowns are off", disabled, fault),
        ("a cooldown of no time", no_time, fault),
        (
            "a cooldown of no time for this one",
            no_time_of_its_own,
            fault,
        ),
        (
            "the upstream says: at once",
            Rules::default(),
            Fault {
                retry_after_ms: Some(0),
                ..fault
            },
        ),
    ] {
        assert_eq!(failures_needed(&rules, &fault), None, "{what}");
    }
}

#[test]
fn how_long() {
    let limits = |seconds: Option<u64>| Limits {
        time_ms: seconds.map(|seconds| seconds * SECOND),
        ..Limits::default()
    };
    for (own, asked, router, seconds) in [
        (None, None, None, 5),
        (None, None, Some(60), 60),
        (None, Some(7_000), Some(60), 7),
        (None, Some(86_400_000), Some(60), 3_600),
        (Some(9), Some(7_000), Some(60), 9),
        (Some(9), None, None, 9),
    ] {
        let rules = Rules {
            own: limits(own),
            router: limits(router),
            ..alone()
        };
        let fault = Fault {
            retry_after_ms: asked,
            ..Fault::of_status(401)
        };
        assert_eq!(
            first_failure(&rules, &fault),
            Some(seconds),
            "{own:?} {asked:?} {router:?}"
        );
    }
}

#[test]
fn more_than_half_of_a_minute() {
    let fault = Fault::of_status(500);
    let rules = Rules::default();
    // Three of five, but not three of six, and never before the fifth call.
    for (successes, cools_at) in [(0, Some(5)), (2, Some(3)), (3, Some(4)), (30, Some(31))] {
        let mut health = Health::default();
        for _ in 0..successes {
            health.succeeded(true, 0);
        }
        let needed = (1..=40).find(|_| health.failed(&fault, &rules, true, 1).is_some());
        assert_eq!(needed, cools_at, "after {successes} successes");
    }
    // The next minute begins with the first call in it.
    let mut health = Health::default();
    for at in [0, 1, 2, 59_999] {
        assert_eq!(health.failed(&fault, &rules, true, at), None);
    }
    for at in [60_000, 60_001, 60_002, 119_999] {
        assert_eq!(health.failed(&fault, &rules, true, at), None);
    }
    assert!(health.failed(&fault, &rules, true, 119_999).is_some());
}

#[test]
fn thresholds_can_be_set() {
    let fault = Fault::of_status(500);
    let shares = Shares {
        share: 0.9,
        minimum: 2,
        alone: 7,
    };
    let rules = Rules {
        shares,
        ..Rules::default()
    };
    assert_eq!(failures_needed(&rules, &fault), Some(2));
    let rules = Rules {
        is_alone: true,
        ..rules
    };
    assert_eq!(failures_needed(&rules, &fault), Some(7));
}

#[test]
fn three_allowed_failures_are_none_said() {
    let fault = Fault::of_status(500);
    for (allowed, needed) in [(0, 1), (1, 2), (2, 3), (3, 5), (4, 5), (10, 11)] {
        assert_eq!(
            failures_needed(&counting(allowed), &fault),
            Some(needed),
            "{allowed}"
        );
    }
    // Counting makes no exception for a deployment that is alone, nor for 429.
    let rules = Rules {
        is_alone: true,
        ..counting(1)
    };
    assert_eq!(failures_needed(&rules, &fault), Some(2));
    assert_eq!(
        failures_needed(&counting(1), &Fault::of_status(429)),
        Some(2)
    );
    // But only failures of the deployment count.
    assert_eq!(failures_needed(&counting(0), &Fault::of_status(400)), None);
}

#[test]
fn counted_failures_are_forgotten_after_a_cooldown_time() {
    let fault = Fault::of_status(500);
    let rules = counting(1);
    let mut health = Health::default();
    assert_eq!(health.failed(&fault, &rules, true, 0), None);
    assert_eq!(
        health.failed(&fault, &rules, true, 5_000),
        None,
        "5 s are over"
    );
    assert!(health.failed(&fault, &rules, true, 9_999).is_some());
    // Successes in between do not help.
    let mut health = Health::default();
    assert_eq!(health.failed(&fault, &rules, true, 0), None);
    health.succeeded(true, 1);
    assert!(health.failed(&fault, &rules, true, 2).is_some());
}

#[test]
fn a_request_counts_once() {
    let fault = Fault::of_status(500);
    let again = Fault {
        is_repeat: true,
        ..fault
    };
    let mut health = Health::default();
    for fault in [fault, again, again] {
        assert_eq!(health.failed(&fault, &counting(1), true, 0), None);
    }
    assert!(health.failed(&fault, &counting(1), true, 1).is_some());
    // Shares are of calls.
    let mut health = Health::default();
    for fault in [fault, again, again, again] {
        assert_eq!(health.failed(&fault, &Rules::default(), true, 0), None);
    }
    assert!(health.failed(&again, &Rules::default(), true, 0).is_some());
}

#[test]
fn by_class_of_error() {
    let mut rules = Rules::default();
    rules.router.allowed.by_class = policy(&[
        ("RateLimitErrorAllowedFails", 2),
        ("InternalServerErrorAllowedFails", 1),
        ("BadRequestErrorAllowedFails", 0),
    ]);
    for (status, needed) in [
        (429, Some(3)),
        (500, Some(2)),
        (503, Some(4)),
        (401, Some(4)),
        (400, None),
    ] {
        assert_eq!(
            failures_needed(&rules, &Fault::of_status(status)),
            needed,
            "{status}"
        );
    }
    rules.router.allowed.any = Some(0);
    assert_eq!(failures_needed(&rules, &Fault::of_status(503)), Some(1));
    // Each has a counter of its own.
    let mut health = Health::default();
    for status in [429, 500, 429] {
        assert_eq!(
            health.failed(&Fault::of_status(status), &rules, true, 0),
            None,
            "{status}"
        );
    }
    assert!(
        health
            .failed(&Fault::of_status(500), &rules, true, 0)
            .is_some()
    );
}

#[test]
fn what_a_deployment_says_itself_comes_first() {
    let mut rules = counting(5);
    rules.own.allowed.any = Some(1);
    assert_eq!(failures_needed(&rules, &Fault::of_status(500)), Some(2));
    // A plain number is not heard where the deployment is alone.
    rules.is_alone = true;
    assert_eq!(failures_needed(&rules, &Fault::of_status(500)), Some(6));
    // A class is, also one that otherwise never counts.
    rules.own.allowed.by_class = policy(&[("BadRequestErrorAllowedFails", 2)]);
    assert_eq!(failures_needed(&rules, &Fault::of_status(400)), Some(3));
    assert_eq!(failures_needed(&rules, &Fault::of_status(422)), None);
    // It beats the router's.
    rules.router.allowed.by_class = policy(&[("BadRequestErrorAllowedFails", 0)]);
    assert_eq!(failures_needed(&rules, &Fault::of_status(400)), Some(3));
    // Where the router counts nothing, its own number alone is counted.
    let mut rules = Rules::default();
    rules.own.allowed.any = Some(3);
    assert_eq!(failures_needed(&rules, &Fault::of_status(500)), Some(4));
}

#[test]
fn a_cooldown_ends_by_itself_and_never_early() {
    let rules = Rules::default();
    let long = Fault {
        retry_after_ms: Some(10_000),
        ..Fault::of_status(429)
    };
    let short = Fault {
        retry_after_ms: Some(1_000),
        ..long
    };
    let mut health = Health::default();
    assert_eq!(health.state(0), State::Healthy);
    assert_eq!(
        health.failed(&long, &rules, true, 0).map(|c| c.until),
        Some(10_000)
    );
    // Calls that were under way: a shorter wait takes nothing back, a later one prolongs.
    assert_eq!(
        health.failed(&short, &rules, true, 5_000).map(|c| c.until),
        Some(10_000)
    );
    health.succeeded(true, 6_000);
    assert_eq!(
        health.failed(&short, &rules, true, 9_500).map(|c| c.until),
        Some(10_500)
    );
    assert_eq!(health.state(10_499), State::Cooling);
    assert_eq!(
        (health.cooling(10_500), health.state(10_500)),
        (None, State::Failing)
    );
    health.succeeded(true, 10_501);
    assert_eq!(health.state(10_501), State::Healthy);
}

/// A deployment in company that has just come back, at 5 s.
fn come_back(rules: &Rules) -> Health {
    let mut health = Health::default();
    let fault = Fault::of_status(429);
    assert_eq!(
        health.failed(&fault, rules, true, 0).map(|c| c.until),
        Some(5_000)
    );
    assert!(!health.is_on_trial(4_999));
    health
}

/// A call that decides is under way, which keeps others away.
fn is_being_tried(health: &Health, now: u64) -> bool {
    health.is_on_trial(now) && now < health.tried_until()
}

/// Long streams that began before the cooldown end after it in whatever way: nothing is known by that.
#[test]
fn only_the_call_that_tries_decides() {
    let rules = Rules::default();
    let mut health = Health::default();
    let old = health.began(0);
    assert_eq!(old, 0, "nothing is in question");
    assert!(
        health
            .failed(&Fault::of_status(429), &rules, false, 0)
            .is_some()
    );
    let trial = health.began(5_000);
    let beside = health.began(5_001);
    let decides = |health: &Health| [old, trial, beside].map(|call| health.is_decided_by(call));
    assert_eq!(decides(&health), [false, true, false]);
    health.succeeded(false, 5_002);
    assert!(is_being_tried(&health, 5_003));
    assert_eq!(
        health.failed(&Fault::of_status(500), &rules, false, 5_003),
        None
    );
    assert!(is_being_tried(&health, 5_004));
    assert!(
        health
            .failed(&Fault::of_status(500), &rules, true, 5_005)
            .is_some()
    );
    // The call of an earlier trial decides nothing in the next one.
    let next = health.began(60_000);
    assert_ne!(next, trial);
    assert!(!health.is_decided_by(trial) && health.is_decided_by(next));
    health.succeeded(true, 60_001);
    assert_eq!(decides(&health), [false; 3]);
}

#[test]
fn one_call_finds_out_whether_it_works_again() {
    let rules = Rules::default();
    let mut health = come_back(&rules);
    assert!(health.is_on_trial(5_000) && !is_being_tried(&health, 5_000));
    health.began(5_000);
    assert!(is_being_tried(&health, 5_001));
    // A call that tells nothing lets another one try, and so does one that takes long.
    health.left();
    assert!(!is_being_tried(&health, 5_002) && health.is_on_trial(5_002));
    health.began(5_003);
    health.began(15_000);
    assert!(is_being_tried(&health, 15_002) && !is_being_tried(&health, 15_003));
    health.succeeded(true, 15_004);
    assert!(!health.is_on_trial(15_004));
    // What was before counts no more: it takes more than half of five calls again.
    let failed = |health: &mut Health| health.failed(&Fault::of_status(500), &rules, true, 15_005);
    for _ in 0..3 {
        assert_eq!(failed(&mut health), None);
    }
    assert!(failed(&mut health).is_some());
}

#[test]
fn failed_trials_keep_it_away_for_longer() {
    let rules = Rules::default();
    let mut health = come_back(&rules);
    let mut now = 5_000;
    for seconds in [10, 20, 40, 80, 160, 300, 300] {
        health.began(now);
        // A failure that never begins a cooldown decides nothing.
        assert_eq!(
            health.failed(&Fault::of_status(400), &rules, true, now),
            None
        );
        assert!(health.is_on_trial(now) && !is_being_tried(&health, now));
        // Any other ends the trial, though one alone would not begin a cooldown.
        let cooling = health
            .failed(&Fault::of_status(500), &rules, true, now)
            .unwrap();
        assert_eq!(cooling.until, now + seconds * SECOND);
        now = cooling.until;
    }
    // Who is told how long keeps to it.
    let told = Fault {
        retry_after_ms: Some(7_000),
        ..Fault::of_status(429)
    };
    let cooling = health.failed(&told, &rules, true, now).unwrap();
    assert_eq!(cooling.until, now + 7 * SECOND);
    // It begins anew after a success, also one that a health check has found.
    now = cooling.until;
    health.works(now);
    let cooling = health
        .failed(&Fault::of_status(429), &rules, true, now)
        .unwrap();
    assert_eq!(cooling.until, now + 5 * SECOND);
}

#[test]
fn who_is_alone_or_shall_come_back_at_once_is_not_tried() {
    let at_once = Rules {
        returns: Return::AtOnce,
        ..Rules::default()
    };
    for rules in [alone(), at_once] {
        let mut health = Health::default();
        let cooling = health
            .failed(&Fault::of_status(401), &rules, true, 0)
            .unwrap();
        let now = cooling.until;
        health.began(now);
        assert!(!health.is_on_trial(now) && !is_being_tried(&health, now));
        assert_eq!(
            health.failed(&Fault::of_status(500), &rules, true, now),
            None
        );
    }
}

proptest! {
    /// Whatever happens, cooldowns are never shortened, end in bounded time, and happen by failures only.
    #[test]
    fn cooldowns_are_bounded(
        steps in prop::collection::vec((0u64..20_000, 0usize..8, prop::option::of(0u32..), any::<[bool; 3]>()), 1..200),
        (is_alone, any_own, any_router) in (any::<bool>(), prop::option::of(0u32..5), prop::option::of(0u32..5)),
    ) {
        let mut rules = Rules { is_alone, ..Rules::default() };
        rules.own.allowed.any = any_own;
        rules.router.allowed.any = any_router;
        let mut health = Health::default();
        let mut now = 0;
        for (wait, what, retry_after_ms, [succeeds, is_callers_limit, is_repeat]) in steps {
            now += wait;
            let before = health.cooling(now);
            if succeeds {
                health.succeeded(true, now);
                prop_assert_eq!(health.cooling(now), before);
                continue;
            }
            let status = [400, 401, 402, 404, 408, 429, 500, 503][what];
            let fault = Fault { retry_after_ms, is_callers_limit, is_repeat, ..Fault::of_status(status) };
            let begun = health.failed(&fault, &rules, true, now);
            let after = health.cooling(now);
            match (before, after) {
                (Some(before), Some(after)) => prop_assert!(after.until >= before.until),
                (Some(_), None) => prop_assert!(false, "a failure ended a cooldown"),
                (None, Some(_)) => prop_assert_eq!(begun, after),
                (None, None) => prop_assert_eq!(begun, None),
            }
            if let Some(cooling) = after {
                prop_assert!(cooling.until <= now + 3_600_000);
                prop_assert_eq!(health.cooling(cooling.until), None);
            }
        }
    }
}
