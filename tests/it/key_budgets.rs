//! Budgets of keys that begin anew, exactly and through restarts.

use crate::harness::{Config, Deployment, Gateway, SOON, chat, json, now_ms, until};
use crate::simulator::Simulator;

fn gateway(simulator: &Simulator) -> Gateway {
    Gateway::of(&Config::of([
        Deployment::of(simulator, "m").priced(0.001, 0.001)
    ]))
}

#[test]
fn a_spent_budget_opens_again_when_its_time_has_come() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({"max_budget": 0.0001, "budget_duration": "2s"}));
    let caller = gateway.client(&key.secret);
    let mut windows = 0;
    until("three windows open", SOON, || {
        // Each window lets one call in: it costs more than the budget.
        if caller.chat(&chat("m")).status == 200 {
            windows += 1;
            assert!([200, 422].contains(&caller.chat(&chat("m")).status));
        }
        windows >= 3
    });
    // The books say the same a moment later: nothing is left of the windows that are over.
    until("the budget is unspent in the books", SOON, || {
        gateway.key_info(&key)["spend"] == 0.0 && gateway.rows().iter().all(|row| row.spend.0 > 0)
    });
    let info = gateway.key_info(&key);
    assert!(info["total_spend"].as_f64().unwrap() > 0.0, "{info}");
    until("the books agree", SOON, || gateway.totals().agree());
}

#[test]
fn a_monthly_budget_stays_spent_through_a_restart() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator);
    let key = gateway
        .key(json!({"max_budget": 0.0001, "budget_duration": "1mo", "soft_budget": 0.00005}));
    let caller = gateway.client(&key.secret);
    assert_eq!(caller.chat(&chat("m")).status, 200);
    assert_eq!(caller.chat(&chat("m")).status, 422);
    assert!(
        gateway.log().contains("soft budget"),
        "no warning was logged"
    );
    let spend = gateway.rows_when(1)[0].spend;
    gateway.kill();
    gateway.start_again();
    let caller = gateway.client(&key.secret);
    assert_eq!(caller.chat(&chat("m")).status, 422);
    assert_eq!(gateway.key_info(&key)["spend"], spend.to_f64());
}

#[test]
fn a_budget_whose_time_came_while_nothing_ran_is_open_at_start() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator);
    let key = gateway.key(json!({"max_budget": 0.0001, "budget_duration": "1s", "user_id": "u"}));
    let due = now_ms() + 1_000;
    let caller = gateway.client(&key.secret);
    assert_eq!(caller.chat(&chat("m")).status, 200);
    gateway.rows_when(1);
    gateway.kill();
    until("its time has come", SOON, || now_ms() > due);
    gateway.start_again();
    assert_eq!(gateway.key_info(&key)["spend"], 0.0);
    assert_eq!(gateway.client(&key.secret).chat(&chat("m")).status, 200);
    until("the books agree", SOON, || gateway.totals().agree());
}
