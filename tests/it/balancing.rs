//! Which deployment a call goes to.

use crate::harness::{Config, Deployment, Gateway, SOON, Setup, at_once, chat, json};
use crate::simulator::{Behaviour, Simulator};

fn group(
    simulator: &Simulator,
    count: usize,
    each: impl Fn(usize, Deployment) -> Deployment,
) -> Config {
    Config::of((0..count).map(|index| {
        each(
            index,
            Deployment::of(simulator, &format!("m{index}")).group("m"),
        )
    }))
}

#[test]
fn least_busy_spreads_what_is_simultaneous() {
    let simulator = Simulator::start();
    simulator.behave_by_default(Behaviour::of(json!({"hold": true})));
    let config =
        group(&simulator, 4, |_, deployment| deployment).router("routing_strategy", "least-busy");
    let gateway = Setup::new(&config).workers(4).start();
    let master = gateway.master();
    let held = at_once(64, |_| master.send(&chat("m")));
    assert!(
        simulator.wait_until(SOON, |simulator| simulator.held() == 64),
        "{}",
        simulator.held()
    );
    for index in 0..4 {
        let here = simulator.in_flight(&format!("m{index}"));
        assert!((15..=17).contains(&here), "{here} at m{index}");
    }
    simulator.release();
    for mut connection in held {
        connection.reply().unwrap().with_status(200);
    }
}

#[test]
fn least_busy_avoids_the_busy() {
    let simulator = Simulator::start();
    simulator.behave_by_default(Behaviour::of(json!({"hold": true})));
    let config =
        group(&simulator, 2, |_, deployment| deployment).router("routing_strategy", "least-busy");
    let gateway = Gateway::of(&config);
    let held = gateway.master().send(&chat("m"));
    assert!(simulator.wait_until(SOON, |simulator| simulator.held() == 1));
    let busy = if simulator.in_flight("m0") == 1 {
        "m0"
    } else {
        "m1"
    };
    simulator.behave_by_default(Behaviour::default());
    for _ in 0..10 {
        gateway.master().chat(&chat("m")).with_status(200);
    }
    assert_eq!(simulator.received(busy), 1, "calls went to the busy one");
    drop(held);
}

/// Shares of 400 calls; five standard deviations are allowed.
fn shares(field: &str) {
    let simulator = Simulator::start();
    let figure = |index: usize| if index == 0 { 3000 } else { 1000 };
    let config = group(&simulator, 2, |index, deployment| {
        deployment.param(field, figure(index))
    });
    let gateway = Gateway::of(&config);
    let master = gateway.master();
    let calls = 400;
    at_once(8, |_| {
        let mut connection = master.connect();
        let request = crate::harness::Request::post("/v1/chat/completions", chat("m").to_string());
        for _ in 0..calls / 8 {
            connection
                .ask(&master.signed(request.clone()))
                .unwrap()
                .with_status(200);
        }
    });
    let first = simulator.received("m0");
    assert_eq!(first + simulator.received("m1"), calls);
    assert!(
        (256..=344).contains(&first),
        "{first} of {calls} by {field}, expected about 300"
    );
}

#[test]
fn simple_shuffle_follows_weights() {
    shares("weight");
}

#[test]
fn simple_shuffle_follows_rpm() {
    shares("rpm");
}

#[test]
fn simple_shuffle_follows_tpm() {
    shares("tpm");
}
