//! Failing checks and cooldowns.

use super::{calls, health_when, json, routing_by_health};
use crate::harness::{Gateway, SOON, until};
use crate::simulator::Simulator;

/// With a policy for failures a failing check is one of them; it alone keeps nobody away.
#[test]
fn failing_checks_count_towards_a_cooldown() {
    for (allowed, is_left_out) in [(0, true), (5, false)] {
        let simulator = Simulator::start();
        let policy = json!({"AuthenticationErrorAllowedFails": allowed});
        let config = routing_by_health(&simulator, 401)
            .router("allowed_fails_policy", policy)
            .router("cooldown_time", 60);
        let gateway = Gateway::of(&config);
        health_when(&gateway, "the first round", |health| {
            health["unhealthy_count"] == 1
        });
        let before = simulator.received("ill");
        calls(&gateway, 24);
        assert_eq!(
            simulator.received("ill") == before,
            is_left_out,
            "{allowed}"
        );
    }
}

/// Where checks decide too, nobody is refused because all cool down.
#[test]
fn with_a_policy_those_that_cool_down_are_called_when_nobody_else_is_left() {
    let simulator = Simulator::start();
    let policy = json!({"AuthenticationErrorAllowedFails": 0});
    let config = routing_by_health(&simulator, 401)
        .router("allowed_fails_policy", policy)
        .router("cooldown_time", 60)
        .router("num_retries", 0);
    simulator.behave("well", crate::simulator::Behaviour::failing(401));
    let gateway = Gateway::of(&config);
    health_when(&gateway, "the first round", |health| {
        health["unhealthy_count"] == 2
    });
    simulator.behave("well", crate::simulator::Behaviour::default());
    until("it is called although it cools down", SOON, || {
        calls(&gateway, 1);
        simulator.received("ill") > 0
    });
}
