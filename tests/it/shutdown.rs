//! G7: SIGTERM drops no request in flight.

use std::time::{Duration, Instant};

use pointsman::types::CallStatus;

use crate::harness::{
    Config, Connection, Deployment, Gateway, SOON, chat, chat_with, json, streamed, until,
};
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

fn patient(simulator: &Simulator, seconds: f64) -> Config {
    let deployment = Deployment::of(simulator, "m").priced(1e-6, 1e-6);
    Config::of([deployment])
        .router("num_retries", 0)
        .general("drain_timeout", seconds)
}

/// What is not over in time is cut short: its client is told in the form it knows, and it is charged for what it got.
#[test]
fn what_takes_too_long_is_told_so_and_charged() {
    let simulator = Simulator::start();
    let mut gateway = Gateway::of(&patient(&simulator, 0.5));
    let silent = json!({"simulate": {"chunks": 9, "chunk_bytes": 40, "silent_after_chunks": 3}});
    let (mut stream, mut incoming) = gateway.master().begin(&streamed("m", silent));
    let mut whole = gateway.master().send(&chat_with(
        "m",
        json!({"simulate": {"hang": "before_head"}}),
    ));
    assert!(simulator.wait_until(SOON, |simulator| simulator.in_flight("m") == 2));
    gateway.ask_to_stop();
    let refused = whole.reply().expect("an answer").with_status(503);
    assert!(
        refused.message().contains("shutting down"),
        "{}",
        refused.text()
    );
    stream.read_until(&mut incoming, "cut short here");
    let ended = gateway.ended(SOON);
    assert!(ended.success(), "{ended}");
    let rows = gateway.rows();
    assert_eq!(rows.len(), 2);
    for row in &rows {
        assert_eq!(row.status, CallStatus::Interrupted);
        assert_eq!(row.http_status, 503);
    }
    let charged: Vec<_> = rows.iter().filter(|row| row.spend.0 > 0).collect();
    assert_eq!(
        charged.len(),
        1,
        "what was streamed, and no more: {rows:#?}"
    );
    assert!(charged[0].usage_estimated && charged[0].usage.output == 30);
    gateway.books_agree();
    let hung_up = simulator.hangups();
    assert_eq!(hung_up.len(), 2, "{hung_up:?}");
}

/// A client that reads nothing can be told nothing; it delays the end no longer and pays as well.
#[test]
fn who_does_not_read_is_charged_too() {
    let simulator = Simulator::start();
    let mut gateway = Gateway::of(&patient(&simulator, 0.2));
    let large = json!({"simulate": {"chunks": 4000, "chunk_bytes": 8000}});
    let reads_nothing = gateway.master().send(&streamed("m", large));
    // Some of it waits for the client; all of it is more than fits between the two.
    let mut waiting = vec![0; 32 * 1024];
    until("it is streamed", SOON, || {
        reads_nothing.stream.peek(&mut waiting).unwrap() == waiting.len()
    });
    assert_eq!(gateway.metric("pointsman_in_flight_requests"), Some(1.0));
    gateway.ask_to_stop();
    let asked = Instant::now();
    assert!(gateway.ended(SOON).success(), "{}", gateway.log());
    assert!(asked.elapsed() < Duration::from_secs(8));
    let rows = gateway.rows();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].status, CallStatus::Interrupted);
    assert!(rows[0].spend.0 > 0, "{rows:#?}");
    gateway.books_agree();
}

#[test]
fn a_second_signal_ends_at_once_and_books() {
    let simulator = Simulator::start();
    let mut gateway = Gateway::of(&patient(&simulator, 600.0));
    let silent = json!({"simulate": {"chunks": 9, "silent_after_chunks": 3}});
    let (mut stream, mut incoming) = gateway.master().begin(&streamed("m", silent));
    gateway.ask_to_stop();
    let address = gateway.address();
    until("new connections are refused", SOON, || {
        Connection::open(address).is_err()
    });
    gateway.signal(libc::SIGINT);
    stream.read_until(&mut incoming, "cut short here");
    let asked = Instant::now();
    assert!(gateway.ended(SOON).success());
    assert!(asked.elapsed() < Duration::from_secs(4));
    assert_eq!(gateway.rows().len(), 1);
    gateway.books_agree();
}

/// Load balancers need a moment to hear that an instance goes.
#[test]
fn readiness_can_say_so_before_anybody_is_turned_away() {
    let simulator = Simulator::start();
    let mut gateway = Gateway::of(&patient(&simulator, 5.0).general("drain_delay", 1.5));
    gateway.ask_to_stop();
    until("readiness says so", SOON, || {
        gateway.anonymous().get("/health/readiness").status == 503
    });
    let ready = gateway.anonymous().get("/health/readiness");
    assert_eq!(ready.json()["status"], "shutting_down");
    gateway.master().chat(&chat("m")).with_status(200);
    assert!(gateway.ended(SOON).success());
    assert_eq!(gateway.rows().len(), 1);
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
