//! G1 and G2, by table and by property.

use super::super::Limited;
use super::*;
use crate::types::{BudgetReset, Limits};
use proptest::prelude::*;

const MINUTE: u64 = 60_000;

fn keeper(strict: bool, limits: [Limits; 3]) -> (Gatekeeper, [Option<EntityIx>; 3]) {
    let mut keeper = Gatekeeper::new(MINUTE, strict);
    let kinds = [ScopeKind::Key, ScopeKind::User, ScopeKind::Team];
    let mut places = [None; 3];
    for ((place, kind), limits) in places.iter_mut().zip(kinds).zip(limits) {
        *place = Some(keeper.enroll(kind, &scope("x", limits)));
    }
    (keeper, places)
}

fn scope(id: &str, limits: Limits) -> Scope {
    Scope {
        limits,
        ..Scope::unlimited(id)
    }
}

fn ask(scopes: [Option<EntityIx>; 3], tokens: u64, hold: i64) -> Ask {
    Ask {
        scopes,
        input_tokens: tokens,
        output_tokens: Some(0),
        hold: NanoUsd(hold),
        free: false,
        user_budget_binds: true,
        is_copy: false,
    }
}

fn rpm(limit: u64) -> Limits {
    Limits {
        rpm: Some(limit),
        ..Limits::default()
    }
}

fn budget(amount: i64) -> Limits {
    Limits {
        max_budget: Some(NanoUsd(amount)),
        ..Limits::default()
    }
}

#[test]
fn a_refused_call_burns_nothing_anywhere() {
    // LiteLLM charges the team for call 3; then call 4 of another key would be refused.
    let (mut keeper, scopes) = keeper(false, [rpm(2), Limits::default(), rpm(3)]);
    let other = keeper.enroll(ScopeKind::Key, &Scope::unlimited("k2"));
    assert!(keeper.admit(&ask(scopes, 0, 0), 0).is_ok());
    assert!(keeper.admit(&ask(scopes, 0, 0), 1000).is_ok());
    let refusal = keeper.admit(&ask(scopes, 0, 0), 2000).unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.limited),
        (ScopeKind::Key, Limited::Requests { limit: 2 })
    );
    assert_eq!(refusal.resets_in_ms, 58_000);
    assert!(
        keeper
            .admit(&ask([Some(other), None, scopes[2]], 0, 0), 3000)
            .is_ok()
    );
    assert!(
        keeper
            .admit(&ask([Some(other), None, scopes[2]], 0, 0), 3001)
            .is_err()
    );
    assert!(keeper.admit(&ask(scopes, 0, 0), MINUTE).is_ok());
}

#[test]
fn slots_and_tokens_come_back() {
    let limits = Limits {
        tpm: Some(100),
        max_parallel_requests: Some(1),
        ..Limits::default()
    };
    let (mut keeper, scopes) = keeper(false, [limits, Limits::default(), Limits::default()]);
    let first = keeper.admit(&ask(scopes, 60, 5), 0).unwrap();
    let refusal = keeper.admit(&ask(scopes, 1, 5), 0).unwrap_err();
    assert_eq!(refusal.limited, Limited::Parallel { limit: 1 });
    keeper.settle(
        first,
        Settlement {
            tokens: 20,
            cost: NanoUsd(7),
        },
    );
    keeper.settle(
        first,
        Settlement {
            tokens: 20,
            cost: NanoUsd(7),
        },
    );
    let refusal = keeper.admit(&ask(scopes, 81, 5), 0).unwrap_err();
    assert_eq!(
        refusal.limited,
        Limited::Tokens {
            limit: 100,
            remaining: 80
        }
    );
    assert!(refusal.depends_on_the_estimate(false));
    let second = keeper.admit(&ask(scopes, 80, 5), 0).unwrap();
    keeper.settle(first, Settlement::default());
    assert_eq!(
        keeper.open_holds(),
        1,
        "an old id does not touch the slot's next owner"
    );
    keeper.settle(second, Settlement::default());
    assert_eq!((keeper.open_holds(), keeper.held()), (0, NanoUsd(0)));
    assert_eq!(
        keeper.find(ScopeKind::Key, &"x".into()).unwrap().spent,
        NanoUsd(7)
    );
}

#[test]
fn budgets_hold_and_shrink() {
    let (mut keeper, scopes) = keeper(false, [budget(100), Limits::default(), Limits::default()]);
    let first = keeper.admit(&ask(scopes, 0, 80), 0).unwrap();
    let second = keeper.admit(&ask(scopes, 0, 80), 0).unwrap();
    assert_eq!(
        keeper.held(),
        NanoUsd(80 * 3 + 20 + 80 * 2),
        "the key's second hold shrank to 20"
    );
    let refusal = keeper.admit(&ask(scopes, 0, 1), 0).unwrap_err();
    assert_eq!(
        refusal.limited,
        Limited::Budget {
            spend: NanoUsd(0),
            held: NanoUsd(100),
            max_budget: NanoUsd(100)
        }
    );
    keeper.settle(
        first,
        Settlement {
            tokens: 0,
            cost: NanoUsd(80),
        },
    );
    keeper.settle(
        second,
        Settlement {
            tokens: 0,
            cost: NanoUsd(50),
        },
    );
    assert_eq!(keeper.overshoot(), NanoUsd(30));
    assert!(keeper.admit(&ask(scopes, 0, 0), 0).is_err());
    let free = Ask {
        free: true,
        ..ask(scopes, 0, 0)
    };
    assert!(keeper.admit(&free, 0).is_ok());
}

#[test]
fn a_used_up_team_gets_one_more_call_at_a_time() {
    let (mut keeper, scopes) = keeper(false, [Limits::default(), Limits::default(), budget(0)]);
    let first = keeper.admit(&ask(scopes, 0, 10), 0).unwrap();
    assert!(keeper.admit(&ask(scopes, 0, 10), 0).is_err());
    keeper.settle(first, Settlement::default());
    let second = keeper.admit(&ask(scopes, 0, 10), 0).unwrap();
    keeper.settle(
        second,
        Settlement {
            tokens: 0,
            cost: NanoUsd(1),
        },
    );
    assert_eq!(
        keeper.admit(&ask(scopes, 0, 10), 0).unwrap_err().kind,
        ScopeKind::Team
    );
}

#[test]
fn a_team_key_is_not_bound_by_its_users_budget() {
    let (mut keeper, scopes) = keeper(false, [Limits::default(), budget(0), Limits::default()]);
    let team_key = Ask {
        user_budget_binds: false,
        ..ask(scopes, 0, 10)
    };
    assert!(keeper.admit(&team_key, 0).is_ok());
    assert_eq!(
        keeper.admit(&ask(scopes, 0, 10), 0).unwrap_err().kind,
        ScopeKind::User
    );
}

fn spend(keeper: &mut Gatekeeper, scopes: [Option<EntityIx>; 3], cost: i64) {
    let hold = keeper.admit(&ask(scopes, 0, 0), 0).unwrap();
    let cost = NanoUsd(cost);
    keeper.settle(hold, Settlement { tokens: 0, cost });
}

#[test]
fn a_budget_begins_anew_when_it_is_due_and_not_before() {
    let mut keeper = Gatekeeper::new(MINUTE, false);
    let monthly = |at| Scope {
        limits: budget(10),
        reset: Some(BudgetReset {
            every: "1mo".into(),
            at,
        }),
        ..Scope::unlimited("k")
    };
    // 2030-02-01 and 2030-03-01.
    let (february, march) = (1_896_134_400_000, 1_898_553_600_000);
    let place = keeper.enroll(ScopeKind::Key, &monthly(february));
    let scopes = [Some(place), None, None];
    spend(&mut keeper, scopes, 12);
    assert!(keeper.admit(&ask(scopes, 0, 0), 0).is_err());
    keeper.reset_due(february - 1);
    assert!(keeper.admit(&ask(scopes, 0, 0), 0).is_err());
    assert!(keeper.take_renewals().is_empty());

    // What is under way at that moment counts for the window it ends in.
    keeper.set_spent(ScopeKind::Key, &"k".into(), SpentChange::To(NanoUsd(9)));
    let under_way = keeper.admit(&ask(scopes, 0, 0), 0).unwrap();
    keeper.reset_due(february);
    keeper.settle(
        under_way,
        Settlement {
            tokens: 0,
            cost: NanoUsd(4),
        },
    );
    assert_eq!(keeper.standing(place).spent, NanoUsd(4));
    let renewal = Renewal {
        kind: ScopeKind::Key,
        id: "k".into(),
        spent: NanoUsd(9),
        was_due: february,
        next: march,
    };
    assert_eq!(keeper.take_renewals(), [renewal]);

    // A reading of the row from before the reset was booked changes nothing.
    keeper.enroll(ScopeKind::Key, &monthly(february));
    keeper.reset_due(february + 1);
    assert!(keeper.take_renewals().is_empty());
    assert_eq!(keeper.standing(place).spent, NanoUsd(4));
    // Many windows later it is one renewal.
    keeper.reset_due(march + 400 * 86_400_000);
    assert_eq!(keeper.take_renewals().len(), 1);
}

#[test]
fn of_two_readings_of_a_row_the_newer_holds() {
    let mut keeper = Gatekeeper::new(MINUTE, false);
    let read = |version, limit| Scope {
        version,
        ..scope("k", rpm(limit))
    };
    let place = keeper.enroll(ScopeKind::Key, &read(7, 1));
    keeper.enroll(ScopeKind::Key, &read(9, 3));
    keeper.enroll(ScopeKind::Key, &read(8, 2));
    assert_eq!(keeper.standing(place).limits.rpm, Some(3));
}

#[test]
fn a_renamed_key_keeps_what_it_used_and_a_forgotten_one_does_not() {
    let mut keeper = Gatekeeper::new(MINUTE, false);
    let old = keeper.enroll(ScopeKind::Key, &scope("old", budget(10)));
    let under_way = keeper
        .admit(&ask([Some(old), None, None], 0, 3), 0)
        .unwrap();
    spend(&mut keeper, [Some(old), None, None], 4);
    keeper.rename(ScopeKind::Key, &"old".into(), &"new".into());
    assert!(!keeper.knows(ScopeKind::Key, &"old".into()));
    let new = keeper.enroll(ScopeKind::Key, &scope("new", budget(10)));
    keeper.settle(
        under_way,
        Settlement {
            tokens: 0,
            cost: NanoUsd(3),
        },
    );
    assert_eq!((new, keeper.standing(new).spent), (old, NanoUsd(7)));

    let under_way = keeper
        .admit(&ask([Some(new), None, None], 0, 3), 0)
        .unwrap();
    keeper.forget(ScopeKind::Key, &"new".into());
    let another = keeper.enroll(ScopeKind::Key, &scope("new", budget(10)));
    keeper.settle(
        under_way,
        Settlement {
            tokens: 0,
            cost: NanoUsd(3),
        },
    );
    assert_ne!(another, new);
    assert_eq!(keeper.standing(another).spent, NanoUsd(0));
    assert_eq!(keeper.open_holds(), 0);
}

#[test]
fn a_call_that_goes_on_in_a_dearer_group_holds_more() {
    for (strict, holds) in [
        (true, [Some(60), None, Some(90)]),
        (false, [Some(60), Some(100), Some(100)]),
    ] {
        let (mut keeper, scopes) =
            keeper(strict, [budget(100), Limits::default(), Limits::default()]);
        let id = keeper.admit(&ask(scopes, 0, 50), 0).unwrap();
        for (wanted, held) in [60, 101, 90].into_iter().zip(holds) {
            let raised = keeper.raise(id, NanoUsd(wanted), 0).ok();
            let now = raised.map(|()| keeper.standing(scopes[0].unwrap()).held.0);
            assert_eq!(now, held, "{wanted} of 100, strict: {strict}");
        }
        keeper.settle(id, Settlement::default());
        assert_eq!((keeper.open_holds(), keeper.held()), (0, NanoUsd(0)));
        // Settled is settled.
        assert!(keeper.raise(id, NanoUsd(1), 0).is_ok());
        assert_eq!(keeper.held(), NanoUsd(0));
    }
}

#[test]
fn a_free_call_meets_the_budgets_when_it_becomes_a_paid_one() {
    let (mut keeper, scopes) = keeper(false, [budget(100), budget(0), Limits::default()]);
    spend(&mut keeper, [scopes[0], None, None], 100);
    let free = Ask {
        free: true,
        ..ask(scopes, 0, 0)
    };
    let id = keeper.admit(&free, 0).unwrap();
    assert_eq!(
        keeper.raise(id, NanoUsd(5), 0).unwrap_err().kind,
        ScopeKind::Key
    );
    assert_eq!(keeper.held(), NanoUsd(0));
}

proptest! {
    /// G1, G2: whatever comes and goes in whatever order, no limit is passed, strict budgets are kept, nothing leaks.
    #[test]
    fn limits_hold(
        steps in prop::collection::vec((0u8..3, 0u64..40, 0i64..40, 0u64..30_000), 1..200),
        limits in prop::array::uniform3((0u64..9, 0u64..200, 1u64..5, 0i64..300)),
    ) {
        let limits = limits.map(|(rpm, tpm, parallel, budget)| Limits {
            rpm: Some(rpm),
            tpm: Some(tpm),
            max_parallel_requests: Some(parallel),
            max_budget: Some(NanoUsd(budget)),
            soft_budget: None,
        });
        let (mut keeper, scopes) = keeper(true, limits);
        let mut open: Vec<(HoldId, u64, i64)> = Vec::new();
        let mut now = 0;
        for (step, tokens, hold, wait) in steps {
            now += wait;
            if step == 0 {
                let before = scopes.map(|place| keeper.standing(place.unwrap()));
                match keeper.admit(&ask(scopes, tokens, hold), now) {
                    Ok(id) => open.push((id, tokens, hold)),
                    Err(_) => {
                        for (place, before) in scopes.into_iter().zip(before) {
                            let after = keeper.standing(place.unwrap());
                            prop_assert!(after == before || after.requests == 0, "a refusal changed something");
                        }
                    }
                }
            } else if let (1, Some((id, _, held))) = (step, open.last_mut()) {
                // The call goes on in a group that may be dearer.
                let before = scopes.map(|place| keeper.standing(place.unwrap()));
                match keeper.raise(*id, NanoUsd(hold), now) {
                    Ok(()) => *held = hold.max(*held),
                    Err(_) => prop_assert_eq!(before, scopes.map(|place| keeper.standing(place.unwrap()))),
                }
            } else if let Some((id, tokens, hold)) = open.pop() {
                keeper.settle(id, Settlement { tokens: tokens / 2, cost: NanoUsd(hold / 3) });
            }
            for (place, limits) in scopes.into_iter().zip(limits) {
                let standing = keeper.standing(place.unwrap());
                prop_assert!(standing.requests <= limits.rpm.unwrap());
                prop_assert!(standing.tokens <= limits.tpm.unwrap());
                prop_assert!(standing.in_flight <= limits.max_parallel_requests.unwrap());
                prop_assert!(standing.spent.0 + standing.held.0 <= limits.max_budget.unwrap().0);
            }
        }
        for (id, ..) in open {
            keeper.settle(id, Settlement::default());
        }
        prop_assert_eq!((keeper.open_holds(), keeper.held()), (0, NanoUsd(0)));
    }
}
