//! One panic at each place, and calls of each kind around it.

use std::time::Instant;

use super::visits::{self, Visit};
use super::{config, ends_well, gateway, is_broken, nothing_is_left, toggle};
use crate::harness::{Config, Deployment, Gateway, SOON, chat, chat_with, json, streamed, until};
use crate::simulator::{Behaviour, Simulator};

fn one_panic_at(places: &[&str], visit: Visit) {
    let simulator = Simulator::start();
    let config = config(&simulator);
    for place in places {
        one_panic(&config, place, visit);
    }
}

/// No more than one answer fails, in its caller's form; then all goes on, and nothing is left over.
fn one_panic(config: &Config, place: &str, visit: Visit) {
    let mut gateway = gateway(config, &format!("at={place},count=1"));
    let caller =
        gateway.caller(json!({"max_budget": 1, "rpm_limit": 1000, "budget_duration": "1s"}));
    toggle(&gateway, "armed");
    let mut failed = 0;
    let struck = |gateway: &Gateway| {
        let log = gateway.log();
        log.contains(&format!("on purpose at {place}"))
    };
    let until_when = Instant::now() + SOON;
    while !struck(&gateway) && Instant::now() < until_when {
        for reply in visit(&gateway, &caller) {
            let is_broken = is_broken(&reply);
            assert!(
                !is_broken || ends_well(&reply),
                "{place}: {}: {}",
                reply.status,
                reply.text()
            );
            failed += usize::from(is_broken);
        }
    }
    assert!(struck(&gateway), "{place} was not visited");
    assert!(failed <= 1, "{place}: {failed} requests failed");
    for body in [chat("m"), streamed("m", json!({}))] {
        let reply = caller.chat(&body).with_status(200);
        assert!(!is_broken(&reply), "{place}: {}", reply.text());
    }
    nothing_is_left(&gateway);
    until("the books agree", SOON, || gateway.totals().agree());
    gateway.terminate();
    gateway.books_agree();
}

#[test]
fn where_it_is_decided() {
    one_panic_at(
        &[
            "router.begin",
            "router.dispatch",
            "router.mailbox",
            "router.budgets",
            "router.learn",
            "deployment.report",
            "gatekeeper.settle",
            "gatekeeper.enroll",
            "gatekeeper.reset",
        ],
        visits::calls,
    );
}

#[test]
fn where_another_way_is_decided() {
    one_panic_at(
        &[
            "router.next",
            "router.dispatch",
            "deployment.report",
            "router.budgets",
        ],
        visits::detours,
    );
}

#[test]
fn on_a_worker() {
    one_panic_at(
        &[
            "port.pump",
            "desk.pump",
            "http.authorise",
            "http.handler",
            "journey.admit",
            "journey.attempt",
            "journey.answered",
            "journey.settle",
            "journey.stream",
        ],
        visits::calls,
    );
}

#[test]
fn when_clients_leave() {
    one_panic_at(&["journey.abandon", "journey.leave"], visits::leaving);
}

#[test]
fn beside_the_requests() {
    one_panic_at(
        &[
            "spend.flush",
            "store.query",
            "budgets.tick",
            "gatekeeper.report",
            "gatekeeper.renewals",
            "deployment.describe",
        ],
        visits::looks,
    );
    one_panic_at(&["router.explain"], visits::explanations);
}

#[test]
fn in_the_life_of_a_key() {
    one_panic_at(
        &[
            "gatekeeper.enroll",
            "gatekeeper.rename",
            "gatekeeper.forget",
            "gatekeeper.set_spent",
        ],
        visits::keys,
    );
}

#[test]
fn in_conversations() {
    one_panic_at(
        &["responses.keep", "responses.write", "journey.background"],
        visits::conversations,
    );
}

#[test]
fn in_health_checks() {
    let simulator = Simulator::start();
    let config = config(&simulator)
        .router("enable_health_check_routing", true)
        .general("background_health_checks", true)
        .general("health_check_interval", 1);
    one_panic(&config, "router.findings", visits::calls);
}

/// What a call holds in the budget of its provider comes back, and what it cost is spent there: a panic changes nothing of it.
#[test]
fn budgets_of_providers_stay_exact() {
    const CALLS: usize = 4;
    let simulator = Simulator::start();
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20});
    simulator.behave("m", Behaviour::of(json!({ "usage": usage })));
    // A call costs 0.02 dollars and holds all that is left.
    let config = Config::of([Deployment::of(&simulator, "m").priced(0.001, 0.001)])
        .router("num_retries", 0)
        .router(
            "provider_budget_config",
            json!({"openai": {"budget_limit": 0.02 * CALLS as f64, "time_period": "1d"}}),
        );
    let gateway = gateway(&config, "at=router.budgets,count=2");
    toggle(&gateway, "armed");
    let ask = || {
        let body = chat_with("m", json!({"max_tokens": 10_000}));
        gateway.master().chat(&body)
    };
    for _ in 0..CALLS {
        ask().with_status(200);
    }
    assert_eq!(super::strikes(&gateway), 2);
    let refused = ask().with_status(429);
    let message = refused.message();
    assert!(
        message.contains("(budget spent: 0.08 of 0.08 dollars)"),
        "{message}"
    );
}

/// A client is told of a panic in the protocol that it speaks.
#[test]
fn told_in_the_callers_protocol() {
    let simulator = Simulator::start();
    let config = config(&simulator);
    for (place, stream) in [
        ("http.handler", false),
        ("journey.attempt", true),
        ("journey.stream", true),
    ] {
        let gateway = gateway(&config, &format!("at={place},count=1"));
        let caller = gateway.caller(json!({}));
        toggle(&gateway, "armed");
        let body = json!({
            "model": "m", "max_tokens": 9, "stream": stream, "messages": [{"role": "user", "content": "Hi"}],
        });
        let reply = caller.post("/v1/messages", &body);
        let error = match reply.status {
            200 => {
                let text = reply.text();
                let (_, data) = text.split_once("event: error\ndata: ").expect(place);
                serde_json::from_str(data.trim_end()).expect("JSON")
            }
            _ => reply.json(),
        };
        assert_eq!(error["type"], "error", "{place}: {error}");
        assert_eq!(error["error"]["type"], "api_error", "{place}: {error}");
        nothing_is_left(&gateway);
    }
}

/// Without the thread that decides nothing can go on: the process ends in order and says that it must be started again.
#[test]
fn a_lost_control_thread_ends_the_process() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&config(&simulator), "at=control.thread,count=1");
    gateway.master().chat(&chat("m")).with_status(200);
    toggle(&gateway, "armed");
    let reply = gateway.master().chat(&chat("m"));
    assert!(
        reply.status == 200 || reply.status == 503,
        "{}",
        reply.text()
    );
    let status = gateway.ended(SOON);
    assert_eq!(status.code(), Some(1), "{}", gateway.log());
    assert!(gateway.log().contains("the control thread was lost"));
    gateway.books_agree();
    gateway.start_again();
    gateway.master().chat(&chat("m")).with_status(200);
}
