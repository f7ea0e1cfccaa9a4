//! `/health` of those who are no administrators.

use super::{ids, json};
use crate::harness::{Config, Deployment, Gateway, at_once};
use crate::simulator::{Behaviour, Simulator};

/// They cannot have providers asked again and again, and what is found for them does not push out the history.
#[test]
fn who_was_asked_a_moment_ago_is_not_asked_again_for_a_key() {
    let simulator = Simulator::start();
    simulator.behave("ill", Behaviour::failing(401));
    let gateway = Gateway::of(&Config::of(
        ["well", "ill", "other"].map(|name| Deployment::of(&simulator, name)),
    ));
    let caller = gateway.caller(json!({"models": ["well", "ill"]}));
    let received = || ["well", "ill", "other"].map(|name| simulator.received(name));
    at_once(4, |_| {
        let health = caller.get("/health").with_status(200).json();
        assert_eq!(ids(&health, "healthy_endpoints"), ["id-well"]);
        assert_eq!(ids(&health, "unhealthy_endpoints"), ["id-ill"]);
    });
    assert_eq!(received(), [1, 1, 0]);
    // Who sees more has only the rest asked.
    let all = gateway.caller(json!({}));
    let health = all.get("/health").with_status(200).json();
    assert_eq!(ids(&health, "healthy_endpoints"), ["id-well", "id-other"]);
    all.get("/health?model=ill").with_status(503);
    assert_eq!(received(), [1, 1, 1]);
    let latest = || {
        let latest = gateway.master().get("/health/latest");
        latest.with_status(200).json()["total_models"].clone()
    };
    assert_eq!(latest(), 0);
    // An administrator wants to know what is now.
    gateway.master().get("/health").with_status(200);
    assert_eq!((received(), latest()), ([2, 2, 2], json!(3)));
}
