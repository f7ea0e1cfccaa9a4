//! G7: SIGTERM drops no request in flight.

use std::time::{Duration, Instant};

use crate::harness::{Config, Connection, Gateway, SOON, chat, chat_with, json, streamed, until};
use crate::simulator::Simulator;

fn gateway(simulator: &Simulator) -> Gateway {
    Gateway::of(&Config::single(simulator, "m"))
}

#[test]
fn calls_in_flight_are_finished_and_booked() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator);
    let how = json!({"simulate": {"hold": true, "content": "to the very end"}});
    let bodies = [chat_with("m", how.clone()), streamed("m", how)];
    let calls: Vec<_> = bodies
        .iter()
        .map(|body| gateway.master().send(body))
        .collect();
    assert!(simulator.wait_until(SOON, |simulator| simulator.held() == 2));
    gateway.ask_to_stop();
    let address = gateway.address();
    until("new connections are refused", SOON, || {
        Connection::open(address).is_err()
    });
    simulator.release();
    for (mut call, body) in calls.into_iter().zip(bodies) {
        let reply = call
            .reply()
            .unwrap_or_else(|error| panic!("{body}: {error}"))
            .with_status(200);
        assert!(reply.text().contains("end"), "{}", reply.text());
        assert!(body["stream"] != true || reply.is_done());
    }
    assert!(gateway.ended(SOON).success(), "{}", gateway.log());
    assert_eq!(gateway.rows().len(), 2, "booked on the way out");
    gateway.books_agree();
}

#[test]
fn an_idle_gateway_is_gone_at_once() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator);
    let master = gateway.master();
    // Idle connections of clients are no reason to wait.
    let mut idle = master.connect();
    idle.ask(&master.signed(crate::harness::Request::post(
        "/v1/chat/completions",
        chat("m").to_string(),
    )))
    .unwrap();
    let _never_used = master.connect();
    let asked = Instant::now();
    gateway.ask_to_stop();
    assert!(gateway.ended(SOON).success());
    assert!(
        asked.elapsed() < Duration::from_secs(3),
        "took {:?}",
        asked.elapsed()
    );
}

/// A call that does not end is not waited for without end.
#[test]
fn a_hanging_call_delays_the_end_only_so_long() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator);
    let _hangs = gateway.master().send(&chat_with(
        "m",
        json!({"simulate": {"hang": "before_head"}}),
    ));
    assert!(simulator.wait_until(SOON, |simulator| simulator.in_flight("m") == 1));
    gateway.ask_to_stop();
    let status = gateway.ended(Duration::from_secs(25));
    assert!(status.code().is_some(), "it was killed: {status}");
}

#[test]
fn an_orderly_end_leaves_everything_booked() {
    let simulator = Simulator::start();
    let mut gateway = Gateway::of(&Config::single(&simulator, "m"));
    for _ in 0..3 {
        gateway.master().chat(&chat("m")).with_status(200);
    }
    // At once: the rows are still in the journal alone.
    gateway.terminate();
    assert_eq!(gateway.rows().len(), 3, "booked before the next start");
    gateway.start_again();
    assert_eq!(gateway.rows().len(), 3);
}
