//! G2: concurrency does not overrun a budget, and what was held is given back whatever happens.

use crate::harness::{
    Client, Config, Deployment, Gateway, Reply, SOON, Setup, at_once, chat, chat_with, json,
    streamed, until,
};
use crate::simulator::{Behaviour, Simulator};

/// A token of output costs a cent, input nothing: a call's price is its output.
fn config(simulator: &Simulator) -> Config {
    Config::of([Deployment::of(simulator, "m").priced(0.0, 0.01)]).router("num_retries", 0)
}

fn gateway(simulator: &Simulator) -> Gateway {
    Setup::new(&config(simulator)).workers(4).start()
}

fn uses(simulator: &Simulator, output: u64) {
    let usage =
        json!({"prompt_tokens": 7, "completion_tokens": output, "total_tokens": 7 + output});
    simulator.behave("m", Behaviour::of(json!({"usage": usage})));
}

fn passed(replies: &[Reply]) -> usize {
    for reply in replies {
        assert!(
            [200, 422].contains(&reply.status),
            "{} {}",
            reply.status,
            String::from_utf8_lossy(&reply.body)
        );
    }
    replies.iter().filter(|reply| reply.status == 200).count()
}

/// Nothing is reserved any more, and no call is counted as under way.
fn all_is_settled(gateway: &Gateway) {
    until("no hold is open", SOON, || {
        gateway.metric("pointsman_open_holds") == Some(0.0)
    });
    assert_eq!(gateway.metric("pointsman_held_usd"), Some(0.0));
    until("nothing is in flight", SOON, || {
        gateway.metric("pointsman_in_flight_requests") == Some(0.0)
    });
}

#[test]
fn a_used_up_budget_is_refused_in_litellms_words() {
    let simulator = Simulator::start();
    uses(&simulator, 5);
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({"max_budget": 0.05, "key_alias": "ci-bot"}));
    let caller = gateway.client(&key.secret);
    caller
        .chat(&chat_with("m", json!({"max_tokens": 5})))
        .with_status(200);
    let refused = caller.chat(&chat("m")).with_status(422);
    let error = refused.error();
    assert_eq!(
        (&error["type"], &error["param"]),
        (&json!("budget_exceeded"), &json!(null))
    );
    let message = error["message"].as_str().unwrap();
    assert!(
        message.starts_with("Budget has been exceeded! Key=ci-bot"),
        "{message}"
    );
    assert!(
        message.ends_with("Current cost: 0.05, Max budget: 0.05"),
        "{message}"
    );
    assert_eq!(simulator.received("m"), 1);
}

#[test]
fn the_status_of_a_refusal_is_configured() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&config(&simulator).litellm("budget_exceeded_status_code", 429));
    gateway
        .caller(json!({"max_budget": 0}))
        .chat(&chat("m"))
        .with_status(429);
}

#[test]
fn teams_and_users_have_budgets() {
    let simulator = Simulator::start();
    uses(&simulator, 5);
    let gateway = gateway(&simulator);
    let budget = Some(pointsman::types::NanoUsd(30_000_000));
    gateway.team("t", |team| team.row.max_budget = budget);
    gateway.user("u", |user| user.max_budget = budget);
    let body = chat_with("m", json!({"max_tokens": 5}));
    let of_team = gateway.caller(json!({"team_id": "t"}));
    of_team.chat(&body).with_status(200);
    let message = of_team.chat(&body).with_status(422).message();
    assert!(
        message
            .starts_with("Budget has been exceeded! Team=t Current cost: 0.05, Max budget: 0.03"),
        "{message}"
    );
    let of_user = gateway.caller(json!({"user_id": "u"}));
    of_user.chat(&body).with_status(200);
    let message = of_user.chat(&body).with_status(422).message();
    assert!(
        message.starts_with("ExceededBudget: User=u over budget. Spend=0.05, Budget=0.03"),
        "{message}"
    );
    // The budget of a user binds personal keys only.
    gateway.team("rich", |_| {});
    gateway
        .caller(json!({"user_id": "u", "team_id": "rich"}))
        .chat(&body)
        .with_status(200);
}

#[test]
fn concurrency_does_not_overrun_a_budget() {
    let simulator = Simulator::start();
    uses(&simulator, 10);
    let gateway = gateway(&simulator);
    // Each call holds 0.1 and costs 0.1.
    let key = gateway.key(json!({"max_budget": 1.0}));
    let caller = gateway.client(&key.secret);
    let body = chat_with("m", json!({"max_tokens": 10}));
    assert_eq!(passed(&at_once(200, |_| caller.chat(&body))), 10);
    gateway.rows_when(10);
    assert_eq!(gateway.key_info(&key)["spend"], 1.0);
    all_is_settled(&gateway);
    gateway.books_agree();
}

/// The hold shrinks to what is left; only then may spend pass the budget, by what calls cost above their holds.
#[test]
fn by_default_the_last_call_may_cost_more_than_is_left() {
    let simulator = Simulator::start();
    uses(&simulator, 10);
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({"max_budget": 0.25}));
    let caller = gateway.client(&key.secret);
    let body = chat_with("m", json!({"max_tokens": 10}));
    assert_eq!(passed(&at_once(100, |_| caller.chat(&body))), 3);
    gateway.rows_when(3);
    assert_eq!(gateway.key_info(&key)["spend"], 0.3);
    assert_eq!(gateway.metric("pointsman_budget_overshoot_usd"), Some(0.05));
    all_is_settled(&gateway);
}

#[test]
fn strict_never_passes_the_budget() {
    let simulator = Simulator::start();
    uses(&simulator, 10);
    let config = config(&simulator).general("budget_enforcement", "strict");
    let gateway = Setup::new(&config).workers(4).start();
    let key = gateway.key(json!({"max_budget": 0.25}));
    let caller = gateway.client(&key.secret);
    let body = chat_with("m", json!({"max_tokens": 10}));
    for _ in 0..3 {
        at_once(60, |_| caller.chat(&body));
    }
    gateway.rows_when(2);
    assert_eq!(gateway.key_info(&key)["spend"], 0.2);
    // Less than is left still fits.
    uses(&simulator, 5);
    caller
        .chat(&chat_with("m", json!({"max_tokens": 5})))
        .with_status(200);
    caller
        .chat(&chat_with("m", json!({"max_tokens": 1})))
        .with_status(422);
    all_is_settled(&gateway);
    assert_eq!(gateway.metric("pointsman_budget_overshoot_usd"), Some(0.0));
}

#[test]
fn a_free_model_is_not_stopped_by_a_budget() {
    let simulator = Simulator::start();
    let deployments = [
        Deployment::of(&simulator, "m").priced(0.0, 0.01),
        Deployment::of(&simulator, "free").priced(0.0, 0.0),
    ];
    let gateway = Gateway::of(&Config::of(deployments));
    let caller = gateway.caller(json!({"max_budget": 0}));
    caller.chat(&chat("m")).with_status(422);
    caller.chat(&chat("free")).with_status(200);
    // Lists and information cost nothing either.
    caller.get("/v1/models").with_status(200);
    caller.get("/key/info").with_status(200);
}

/// However calls end, nothing stays reserved: slots, tokens and money are all free again.
#[test]
fn holds_return_to_zero_whatever_dies() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    gateway.team("t", |_| {});
    gateway.user("u", |_| {});
    let limits = json!({
        "user_id": "u", "team_id": "t",
        "max_budget": 1000, "rpm_limit": 100_000, "tpm_limit": 100_000_000, "max_parallel_requests": 1000,
    });
    let caller = gateway.caller(limits);
    let leave = |body: &serde_json::Value, wait_for_upstream: usize| {
        let connection = caller.send(body);
        assert!(
            simulator.wait_until(SOON, |simulator| simulator.in_flight("m")
                >= wait_for_upstream)
        );
        connection.leave();
    };
    at_once(40, |index| {
        let mood = match index % 8 {
            0 => json!({"content": "a b c d", "chunk_delay_ms": 5}),
            1 => json!({"status": 500}),
            2 => json!({"cut_after_bytes": 300, "chunk_delay_ms": 5}),
            3 => json!({"garbage": "not_http"}),
            4 => json!({"error_mid_stream": {"after_chunks": 2}, "chunk_delay_ms": 5}),
            5 => json!({"hang": "before_head"}),
            6 => json!({"silent_after_chunks": 1}),
            _ => json!({"hang": "after_head"}),
        };
        let body = if index < 20 {
            chat_with("m", json!({"simulate": mood}))
        } else {
            streamed("m", json!({"simulate": mood}))
        };
        if index % 8 >= 5 {
            leave(&body, 1);
        } else {
            caller.chat(&body);
        }
    });
    all_is_settled(&gateway);
    assert!(simulator.wait_until(SOON, |simulator| simulator.in_flight("m") == 0));
    // The slots are free as well: as many calls as are allowed at once pass.
    let reply = caller.chat(&chat("m")).with_status(200);
    assert_eq!(
        reply.must("x-ratelimit-api_key-remaining-max_parallel_requests"),
        "999"
    );
    let calls = simulator.received("m");
    until("every call is booked", SOON, || {
        gateway.rows().len() as u64 >= calls
    });
    gateway.books_agree();
}

#[test]
fn a_spent_budget_stays_spent_over_a_restart() {
    let simulator = Simulator::start();
    uses(&simulator, 5);
    let mut gateway = gateway(&simulator);
    let key = gateway.key(json!({"max_budget": 0.05}));
    let body = chat_with("m", json!({"max_tokens": 5}));
    let call = |gateway: &Gateway| -> Reply {
        Client {
            address: gateway.address(),
            key: Some(key.secret.clone()),
        }
        .chat(&body)
    };
    call(&gateway).with_status(200);
    gateway.kill();
    gateway.start_again();
    call(&gateway).with_status(422);
    gateway.terminate();
    gateway.start_again();
    call(&gateway).with_status(422);
    assert_eq!(simulator.received("m"), 1);
}

/// A strict budget holds money for an upper bound of the prompt; what is billed without usage is the estimate.
#[test]
fn a_strict_hold_is_no_bill() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m").general("budget_enforcement", "strict");
    let gateway = Gateway::of(&config);
    let body = chat_with(
        "m",
        json!({"simulate": {"no_usage": true, "content": "hello"}}),
    );
    gateway.master().chat(&body).with_status(200);
    let rows = gateway.rows_when(1);
    assert!(rows[0].usage_estimated);
    let billed = rows[0].usage.prompt_tokens();
    let bytes = body.to_string().len() as u64;
    assert!(billed * 3 < bytes, "{billed} tokens of {bytes} bytes");
}

/// What is held for a call of several choices is what so many of the group's answers use, not its square.
#[test]
fn choices_are_learnt_one_by_one() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({"max_budget": 1000.0}));
    let caller = gateway.client(&key.secret);
    uses(&simulator, 400);
    let body = chat_with("m", json!({"n": 4}));
    for _ in 0..21 {
        caller.chat(&body).with_status(200);
    }
    simulator.behave("m", Behaviour::of(json!({"hold": true})));
    let held = caller.send(&body);
    assert!(simulator.wait_until(SOON, |simulator| simulator.held() == 1));
    // A hundred tokens each, within a quarter, and a cent a token.
    let dollars = gateway.metric("pointsman_held_usd").unwrap_or_default();
    assert!((4.0..=5.2).contains(&dollars), "{dollars}");
    drop(held);
}
