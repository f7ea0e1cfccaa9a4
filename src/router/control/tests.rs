//! Steps of the control thread, one by one.

use super::*;
use crate::config::Config;
use crate::limits::ScopeKind;
use crate::policy::cooldown::Fault;
use crate::policy::selection::Passed;
use crate::router::turn::Queueing;
use crate::router::{Choice, Nobody, Pin, Verdict};
use crate::types::{Limits, Scope};

fn control(entry: &str, count: usize, strategy: &str) -> Control {
    let entries: String = (0..count)
        .map(|n| format!("  - model_name: m\n    litellm_params: {{model: openai/gpt-4o, api_base: 'http://h{n}/v1', api_key: k{entry}}}\n"))
        .collect();
    let text = format!("model_list:\n{entries}router_settings:\n  routing_strategy: {strategy}\n");
    let loaded = Config::from_text("test.yaml", &text, &|_| None).unwrap();
    let table = Arc::new(RoutingTable::compile(&loaded.config));
    Control::new(table, Rc::new(RefCell::new(Gatekeeper::new(60_000, false))))
}

const ESTIMATE: Estimate = Estimate {
    input_tokens: 1,
    max_tokens: None,
    choices: 1,
    tier: None,
};

fn begin() -> Begin {
    Begin {
        scopes: [None; 3],
        group: 0,
        estimate: ESTIMATE,
        user_budget_binds: true,
        is_copy: false,
        is_stream: false,
        pin: None,
        costs: None,
        wish: None,
        queue: None,
    }
}

fn begins(count: usize) -> Turn {
    Turn {
        begins: vec![begin(); count],
        ..Turn::default()
    }
}

fn nobody(answer: &Answer) -> Nobody {
    let denied = answer.as_ref().unwrap_err();
    denied.nobody().expect("a refusal of the deployments")
}

fn end(ticket: Ticket) -> End {
    End {
        hold: Some(ticket.hold),
        lease: Some((ticket.lease, Outcome::Neutral)),
        group: 0,
        ..End::default()
    }
}

#[test]
fn one_turn_of_64_spreads_evenly() {
    let mut control = control("", 4, "least-busy");
    let answer = control.turn(&begins(64));
    let mut counts = [0; 4];
    for ticket in answer.begins.into_iter().map(Result::unwrap) {
        counts[ticket.lease.deployment as usize] += 1;
    }
    assert_eq!(counts, [16; 4]);
}

#[test]
fn full_deployments_refuse_and_burn_nothing() {
    let mut control = control(", max_parallel_requests: 1", 2, "simple-shuffle");
    let mut answer = control.turn(&begins(3));
    let refused = answer.begins.pop().unwrap();
    assert!(
        matches!(nobody(&refused), Nobody::Busy { slots: 1, .. }),
        "{refused:?}"
    );
    assert_eq!(control.gatekeeper.borrow().open_holds(), 2);
    let tickets: Vec<Ticket> = answer.begins.into_iter().map(Result::unwrap).collect();
    // What ends in a turn is free for what begins in it.
    let turn = Turn {
        ends: tickets.iter().copied().map(end).collect(),
        ..begins(2)
    };
    assert!(control.turn(&turn).begins.iter().all(Result::is_ok));
    // Ending twice frees nothing twice.
    let again = Turn {
        ends: tickets.into_iter().map(end).collect(),
        ..Turn::default()
    };
    control.turn(&again);
    assert_eq!(control.gatekeeper.borrow().open_holds(), 2);
}

#[test]
fn a_call_goes_where_it_refers_to() {
    let mut control = control(", max_parallel_requests: 4", 3, "simple-shuffle");
    let pinned = |is_strict| Turn {
        begins: vec![Begin {
            pin: Some(Pin {
                deployment: 1,
                is_strict,
                is_named: false,
            }),
            ..begin()
        }],
        ..Turn::default()
    };
    for is_strict in [true, false, true, false] {
        let ticket = control.turn(&pinned(is_strict)).begins.remove(0).unwrap();
        assert_eq!(ticket.lease.deployment, 1);
    }
    // It is full now: who can go elsewhere does, the others are told.
    let elsewhere = control.turn(&pinned(false)).begins.remove(0).unwrap();
    assert_ne!(elsewhere.lease.deployment, 1);
    let refused = control.turn(&pinned(true)).begins.remove(0);
    assert!(
        matches!(nobody(&refused), Nobody::Busy { deployment: 1, .. }),
        "{refused:?}"
    );
    // So does another try.
    let mut tried = [u32::MAX; super::super::MAX_ATTEMPTS];
    tried[0] = 1;
    let next = Next {
        hold: elsewhere.hold,
        group: 0,
        from: 0,
        besides: NanoUsd(0),
        is_hedge: false,
        estimate: ESTIMATE,
        tried,
        above: None,
        is_stream: false,
        pin: Some(Pin {
            deployment: 1,
            is_strict: true,
            is_named: false,
        }),
        costs: None,
        wish: None,
    };
    let turn = Turn {
        nexts: vec![next],
        ..Turn::default()
    };
    let answer = control.turn(&turn).nexts.remove(0);
    assert_eq!(nobody(&answer), Nobody::Exhausted);
}

#[test]
fn another_try_leaves_out_what_failed() {
    let mut control = control("", 2, "simple-shuffle");
    for round in 0..20 {
        // Each when the last cooldowns are over.
        let now = round * 60_000;
        let ticket = control.turn_at(&begins(1), now).begins.remove(0).unwrap();
        let mut tried = [u32::MAX; super::super::MAX_ATTEMPTS];
        tried[0] = ticket.lease.deployment;
        let report = End {
            hold: None,
            lease: Some((ticket.lease, Outcome::Failure(Fault::of_status(500)))),
            ..end(ticket)
        };
        let next = Next {
            hold: ticket.hold,
            group: 0,
            from: 0,
            besides: NanoUsd(0),
            is_hedge: false,
            estimate: ESTIMATE,
            tried,
            above: None,
            is_stream: false,
            pin: None,
            costs: None,
            wish: None,
        };
        let turn = Turn {
            ends: vec![report],
            nexts: vec![next.clone()],
            begins: Vec::new(),
        };
        let second = control.turn_at(&turn, now).nexts.remove(0).unwrap();
        assert_ne!(second.lease.deployment, ticket.lease.deployment);
        tried[1] = second.lease.deployment;
        let none = Turn {
            nexts: vec![Next {
                tried,
                ..next.clone()
            }],
            ..Turn::default()
        };
        let refused = control.turn_at(&none, now).nexts.remove(0);
        assert_eq!(nobody(&refused), Nobody::Exhausted);
        let over = Turn {
            ends: vec![end(second)],
            ..Turn::default()
        };
        control.turn_at(&over, now);
    }
    let in_flight: u32 = (0..2)
        .map(|n| control.deployment(n).unwrap().borrow().in_flight())
        .sum();
    assert_eq!(
        (in_flight, control.gatekeeper.borrow().open_holds()),
        (0, 0)
    );
}

#[test]
fn a_fallback_counts_where_it_goes() {
    let entry = |name: &str, price: &str| {
        format!(
            "  - model_name: {name}\n    litellm_params: {{model: openai/x, api_base: 'http://h/v1', api_key: k, rpm: 5, \
             input_cost_per_token: {price}, output_cost_per_token: {price}}}\n"
        )
    };
    let text = format!(
        "model_list:\n{}{}",
        entry("cheap", "0.001"),
        entry("dear", "0.01")
    );
    let loaded = Config::from_text("test.yaml", &text, &|_| None).unwrap();
    let table = Arc::new(RoutingTable::compile(&loaded.config));
    let keeper = Rc::new(RefCell::new(Gatekeeper::new(60_000, true)));
    let limits = Limits {
        max_budget: Some(NanoUsd(1_000_000_000_000)),
        ..Limits::default()
    };
    let scope = Scope {
        limits,
        ..Scope::unlimited("k")
    };
    let key = keeper.borrow_mut().enroll(ScopeKind::Key, &scope);
    let mut control = Control::new(table, keeper.clone());
    let estimate = Estimate {
        max_tokens: Some(9),
        ..ESTIMATE
    };
    let turn = Turn {
        begins: vec![Begin {
            scopes: [Some(key), None, None],
            estimate,
            ..begin()
        }],
        ..Turn::default()
    };
    let ticket = control.turn(&turn).begins.remove(0).unwrap();
    let held = || keeper.borrow().standing(key).held;
    assert_eq!(
        (ticket.group_used, held()),
        (Some((1, 0)), NanoUsd(10_000_000))
    );
    let next = Next {
        hold: ticket.hold,
        group: 1,
        from: 0,
        besides: NanoUsd(0),
        is_hedge: false,
        estimate,
        tried: [u32::MAX; super::super::MAX_ATTEMPTS],
        above: None,
        is_stream: false,
        pin: None,
        costs: None,
        wish: None,
    };
    let turn = Turn {
        ends: vec![End {
            hold: None,
            ..end(ticket)
        }],
        nexts: vec![next],
        begins: Vec::new(),
    };
    let fallen = control.turn(&turn).nexts.remove(0).unwrap();
    assert_eq!((fallen.hold, fallen.lease.deployment), (ticket.hold, 1));
    assert_eq!(
        (fallen.group_used, held()),
        (Some((1, 0)), NanoUsd(100_000_000))
    );
    control.turn(&Turn {
        ends: vec![end(fallen)],
        ..Turn::default()
    });
    assert_eq!(held(), NanoUsd(0));
}

#[test]
fn what_cools_down_gets_no_call_until_it_is_over() {
    let mut control = control("", 2, "simple-shuffle");
    let fail = |control: &mut Control, now| {
        let ticket = control.turn_at(&begins(1), now).begins.remove(0).unwrap();
        let failed = End {
            lease: Some((ticket.lease, Outcome::Failure(Fault::of_status(429)))),
            ..end(ticket)
        };
        let turn = Turn {
            ends: vec![failed],
            ..Turn::default()
        };
        control.turn_at(&turn, now);
        ticket.lease.deployment
    };
    let first = fail(&mut control, 0);
    let second = fail(&mut control, 1_000);
    assert_ne!(first, second);
    let refused = |control: &mut Control, now| control.turn_at(&begins(1), now).begins.remove(0);
    for (now, returns_in_ms) in [(1_000, 4_000), (4_999, 1)] {
        assert_eq!(
            nobody(&refused(&mut control, now)),
            Nobody::Cooling { returns_in_ms }
        );
    }
    assert_eq!(control.gatekeeper.borrow().open_holds(), 0);
    assert_eq!(control.tell_returns(4_999), Some(1));
    assert_eq!(control.tell_returns(5_000), Some(1_000));
    for now in [5_000, 5_999] {
        let ticket = refused(&mut control, now).unwrap();
        assert_eq!(ticket.lease.deployment, first);
    }
    assert_eq!(control.tell_returns(6_000), None);
    assert!(!control.is_any_cooling());
}

#[test]
fn a_panicking_step_harms_nothing_else() {
    let mut control = control("", 1, "simple-shuffle");
    assert!(control.contained("t", |_| panic!("planted")).is_none());
    assert!(control.turn(&begins(1)).begins.remove(0).is_ok());
}

#[test]
fn limits_of_deployments_hold_exactly_where_the_strategy_keeps_them() {
    let limits = ", rpm: 5, tpm: 100000";
    for (strategy, granted) in [
        ("usage-based-routing", 10),
        ("usage-based-routing-v2", 10),
        ("latency-based-routing", 10),
        ("cost-based-routing", 10),
        // Here they are weights; `rpm` bounds calls at the same time.
        ("simple-shuffle", 10),
    ] {
        let mut control = control(limits, 2, strategy);
        let answer = control.turn_at(&begins(64), 7);
        let tickets: Vec<Ticket> = answer.begins.into_iter().flatten().collect();
        assert_eq!(tickets.len(), granted, "{strategy}");
        let ends = tickets.into_iter().map(end).collect();
        let over = Turn {
            ends,
            ..Turn::default()
        };
        control.turn_at(&over, 7);
        let refused = control.turn_at(&begins(1), 60_006).begins.remove(0);
        if strategy == "simple-shuffle" {
            assert!(refused.is_ok());
            continue;
        }
        assert_eq!(nobody(&refused), Nobody::Limited { resets_in_ms: 1 });
        let Err(Denied::NoDeployment(trace)) = refused else {
            panic!("no trace");
        };
        let full = Passed::Requests {
            used: 5,
            limit: 5,
            resets_in_ms: 1,
        };
        assert_eq!(trace.considered[1].passed, Some(full));
        assert!(control.turn_at(&begins(1), 60_007).begins.remove(0).is_ok());
    }
}

#[test]
fn the_lowest_order_is_asked_first_and_a_failed_level_is_left_behind() {
    let text = "model_list:\n".to_owned()
        + &["2", "1", "1", "null"]
            .map(|order| {
                format!(
                    "  - {{model_name: m, litellm_params: {{model: openai/x, api_base: 'http://h/v1', order: {order}, max_parallel_requests: 1}}}}\n"
                )
            })
            .concat();
    let loaded = Config::from_text("test.yaml", &text, &|_| None).unwrap();
    let table = Arc::new(RoutingTable::compile(&loaded.config));
    let keeper = Rc::new(RefCell::new(Gatekeeper::new(60_000, false)));
    let mut control = Control::new(table, keeper);
    let granted = control.turn_at(&begins(4), 0).begins;
    let order: Vec<u32> = granted
        .iter()
        .flatten()
        .map(|ticket| ticket.lease.deployment)
        .collect();
    assert!(order[..2] == [1, 2] || order[..2] == [2, 1], "{order:?}");
    assert_eq!(order[2..], [0, 3], "who has no order comes last");
    let tickets: Vec<Ticket> = granted.into_iter().flatten().collect();
    let (hold, over) = (
        tickets[0].hold,
        Turn {
            ends: tickets[1..].iter().map(|ticket| end(*ticket)).collect(),
            ..Turn::default()
        },
    );
    control.turn_at(&over, 0);
    for (above, expected) in [(Some(1), Some(0)), (Some(2), Some(3)), (None, Some(2))] {
        let next = Next {
            hold,
            group: 0,
            from: 0,
            besides: NanoUsd(0),
            is_hedge: false,
            estimate: ESTIMATE,
            tried: [u32::MAX; super::super::MAX_ATTEMPTS],
            above,
            is_stream: false,
            pin: None,
            costs: None,
            wish: None,
        };
        let turn = Turn {
            nexts: vec![next],
            ..Turn::default()
        };
        let ticket = control.turn_at(&turn, 0).nexts.remove(0).unwrap();
        let taken = ticket.lease.deployment;
        assert!(Some(taken) == expected || above.is_none() && [1, 2].contains(&taken));
        let over = Turn {
            ends: vec![End {
                hold: None,
                ..end(ticket)
            }],
            ..Turn::default()
        };
        control.turn_at(&over, 0);
    }
}

#[test]
fn a_decision_is_explained_without_being_made() {
    let mut control = control(", max_parallel_requests: 1", 2, "least-busy");
    let first = control.turn_at(&begins(1), 0).begins.remove(0).unwrap();
    let trace = control.explain_at(&begin(), 0).unwrap();
    assert_eq!(
        trace.verdict,
        Verdict::Chosen {
            deployment: 1,
            by: Choice::Strategy
        }
    );
    assert_eq!(
        trace.considered[first.lease.deployment as usize].passed,
        Some(Passed::SlotsInUse { slots: 1 })
    );
    assert_eq!(control.gatekeeper.borrow().open_holds(), 1);
}

fn of_text(text: &str) -> Control {
    let loaded = Config::from_text("test.yaml", text, &|_| None).unwrap();
    let table = Arc::new(RoutingTable::compile(&loaded.config));
    Control::new(table, Rc::new(RefCell::new(Gatekeeper::new(60_000, false))))
}

/// Who is refused because all callers together have enough under way waits no more: others must not wait for it.
#[test]
fn who_is_refused_leaves_the_queue() {
    let mut control = of_text(
        "model_list:\n  - {model_name: m, litellm_params: {model: openai/gpt-4o, api_base: 'http://h/v1', api_key: k, max_parallel_requests: 1}}\n  - {model_name: n, litellm_params: {model: openai/gpt-4o, api_base: 'http://h/v1', api_key: k}}\ngeneral_settings: {global_max_parallel_requests: 2}\n",
    );
    let asking = |group, queue| Turn {
        begins: vec![Begin {
            group,
            queue,
            ..begin()
        }],
        ..Turn::default()
    };
    let ask = |control: &mut Control, turn: Turn| control.turn_at(&turn, 0).begins.remove(0);
    let group = |control: &Control, name| {
        let found = control
            .table()
            .resolve(name, crate::router::Asker::default());
        found.unwrap().group
    };
    let (m, n) = (group(&control, "m"), group(&control, "n"));
    let join = Some(Queueing::Join { priority: 1 });
    ask(&mut control, asking(m, join)).unwrap();
    let Err(Denied::Queued(place)) = ask(&mut control, asking(m, join)) else {
        panic!("its one slot is in use");
    };
    ask(&mut control, asking(n, None)).unwrap();
    let refused = ask(&mut control, asking(m, Some(Queueing::Wait(place))));
    assert!(matches!(refused, Err(Denied::Crowded { limit: 2 })));
    assert!(control.queues.get_mut(&m).unwrap().is_empty(0));
}

/// A group that hedges, of deployments with one slot each, and a key with a budget.
struct Hedged {
    control: Control,
    keeper: Rc<RefCell<Gatekeeper>>,
    key: crate::limits::EntityIx,
}

impl Hedged {
    fn of(members: usize) -> Self {
        let entry = "  - model_name: m\n    litellm_params: {model: openai/x, api_base: 'http://h/v1', api_key: k, \
                     input_cost_per_token: 0.001, output_cost_per_token: 0.001, max_parallel_requests: 1}\n";
        let text = format!(
            "model_list:\n{}router_settings: {{hedge: {{after: 0.1, max_extra_cost: 0.5}}}}\n",
            entry.repeat(members)
        );
        let loaded = Config::from_text("test.yaml", &text, &|_| None).unwrap();
        let table = Arc::new(RoutingTable::compile(&loaded.config));
        let keeper = Rc::new(RefCell::new(Gatekeeper::new(60_000, false)));
        let limits = Limits {
            max_budget: Some(NanoUsd(1_000_000_000_000)),
            ..Limits::default()
        };
        let scope = Scope {
            limits,
            ..Scope::unlimited("k")
        };
        let key = keeper.borrow_mut().enroll(ScopeKind::Key, &scope);
        Self {
            control: Control::new(table, keeper.clone()),
            keeper,
            key,
        }
    }

    fn begin(&mut self) -> Ticket {
        let begin = Begin {
            scopes: [Some(self.key), None, None],
            estimate: Estimate {
                max_tokens: Some(9),
                ..ESTIMATE
            },
            is_stream: true,
            ..begin()
        };
        let turn = Turn {
            begins: vec![begin],
            ..Turn::default()
        };
        self.control.turn_at(&turn, 0).begins.remove(0).unwrap()
    }

    /// Asks for a second call beside that of a ticket.
    fn beside(&mut self, first: &Ticket) -> Answer {
        let mut tried = [u32::MAX; super::super::MAX_ATTEMPTS];
        tried[0] = first.lease.deployment;
        let next = Next {
            hold: first.hold,
            group: 0,
            from: 0,
            besides: first.held,
            is_hedge: true,
            estimate: Estimate {
                max_tokens: Some(9),
                ..ESTIMATE
            },
            tried,
            above: None,
            is_stream: true,
            pin: None,
            costs: None,
            wish: None,
        };
        let turn = Turn {
            nexts: vec![next],
            ..Turn::default()
        };
        self.control.turn_at(&turn, 0).nexts.remove(0)
    }

    fn end(&mut self, end: End) {
        let turn = Turn {
            ends: vec![end],
            ..Turn::default()
        };
        self.control.turn_at(&turn, 0);
    }

    fn held(&self) -> NanoUsd {
        self.keeper.borrow().standing(self.key).held
    }
}

/// A second call that is not made leaves nothing behind: no money that is held for it, nothing of the allowance.
#[test]
fn second_calls_that_are_not_made() {
    let mut scene = Hedged::of(3);
    let first = scene.begin();
    assert_eq!(first.hedge_after_ms, Some(100));
    let one = scene.held();
    assert_eq!(one, first.held);
    // The others are busy: what was about to be held for them is free again.
    let busy = [scene.begin(), scene.begin()];
    let all = scene.held();
    for _ in 0..5 {
        assert!(matches!(scene.beside(&first), Err(Denied::NoDeployment(_))));
        assert_eq!(scene.held(), all);
    }
    busy.into_iter().for_each(|ticket| scene.end(end(ticket)));
    // One is granted, and given back: the first call has answered meanwhile. The allowance has room for one of three.
    for _ in 0..5 {
        let second = scene.beside(&first).expect("a second call");
        assert_eq!(scene.held(), NanoUsd(2 * one.0));
        scene.end(End {
            hold: None,
            unmade: second.unmade,
            ..end(second)
        });
        assert_eq!(scene.held(), one);
    }
    // One that is made counts.
    let second = scene.beside(&first).expect("a second call");
    scene.end(End {
        hold: None,
        ..end(second)
    });
    assert_eq!(scene.held(), NanoUsd(2 * one.0));
    assert!(matches!(scene.beside(&first), Err(Denied::NotHedged)));
    // What comes back late changes nothing.
    scene.end(end(first));
    scene.end(End {
        hold: None,
        unmade: second.unmade,
        ..end(second)
    });
    assert_eq!(scene.held(), NanoUsd(0));
    assert_eq!(scene.begin().hedge_after_ms, Some(100));
}

#[test]
fn who_is_alone_has_nobody_for_a_second_call() {
    assert_eq!(Hedged::of(1).begin().hedge_after_ms, None);
}
