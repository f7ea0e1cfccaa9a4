//! G4: a client that leaves ends its upstream call within a second, frees its slot, and is charged for what it got.

use std::time::{Duration, Instant};

use crate::harness::{
    Client, Config, Connection, Deployment, Gateway, SOON, Value, chat_with, json, streamed, until,
};
use crate::simulator::Simulator;
use pointsman::types::{CallStatus, SpendRow};

const ONE_SECOND: Duration = Duration::from_secs(1);

struct Scene {
    simulator: Simulator,
    gateway: Gateway,
    caller: Client,
}

fn scene() -> Scene {
    let simulator = Simulator::start();
    let deployment = Deployment::of(&simulator, "m")
        .priced(0.001, 0.001)
        .param("timeout", 120);
    let gateway = Gateway::of(&Config::of([deployment]));
    let caller = gateway.caller(json!({"max_parallel_requests": 1}));
    Scene {
        simulator,
        gateway,
        caller,
    }
}

impl Scene {
    /// Leaves, and asserts all that must follow.
    fn leaves(&self, connection: Connection) -> SpendRow {
        assert_eq!(self.simulator.in_flight("m"), 1, "the upstream is at work");
        let left = Instant::now();
        connection.leave();
        let gone = self
            .simulator
            .wait_until(SOON, |simulator| !simulator.hangups().is_empty());
        assert!(gone, "the upstream call goes on");
        let took = self.simulator.hangups()[0]
            .at
            .saturating_duration_since(left);
        assert!(
            took <= ONE_SECOND,
            "the upstream was hung up on after {took:?}"
        );
        // Its only slot is free again.
        until("the slot is free", SOON, || {
            self.caller.chat(&chat_with("m", json!({}))).status == 200
        });
        let rows = self.gateway.rows_when(2);
        rows.into_iter()
            .find(|row| row.status != CallStatus::Success)
            .expect("the row of the abandoned call")
    }
}

fn is_charged(row: &SpendRow, least: u64, most: u64) {
    assert_eq!(row.status, CallStatus::ClientDisconnected);
    assert!(row.usage_estimated, "{row:#?}");
    let output = row.usage.completion_tokens();
    assert!((least..=most).contains(&output), "{output} output tokens");
    assert!(row.usage.prompt_tokens() > 0 && row.spend.0 > 0, "{row:#?}");
}

#[test]
fn in_the_middle_of_a_stream() {
    let scene = scene();
    let how = json!({"chunks": 10_000, "chunk_bytes": 40, "chunk_delay_ms": 10});
    let (mut connection, mut incoming) =
        scene.caller.begin(&streamed("m", json!({"simulate": how})));
    while incoming.reply.body.len() < 3000 {
        connection.more(&mut incoming).unwrap();
    }
    // Some ten chunks of forty bytes; the estimate is a quarter of the bytes.
    is_charged(&scene.leaves(connection), 20, 1000);
}

#[test]
fn while_the_upstream_says_nothing_more() {
    let scene = scene();
    let how = json!({"content": "one two three four five six", "silent_after_chunks": 4});
    let (mut connection, mut incoming) =
        scene.caller.begin(&streamed("m", json!({"simulate": how})));
    connection.read_until(&mut incoming, "four");
    is_charged(&scene.leaves(connection), 2, 20);
}

/// Nothing has come back yet: neither head nor byte. The client must not have to wait for its upstream's first word.
#[test]
fn while_the_upstream_has_not_said_anything() {
    for body in [streamed("m", silent()), chat_with("m", silent())] {
        let scene = scene();
        let connection = scene.caller.send(&body);
        assert!(
            scene
                .simulator
                .wait_until(SOON, |simulator| simulator.in_flight("m") == 1)
        );
        let row = scene.leaves(connection);
        assert_eq!(row.status, CallStatus::ClientDisconnected, "{row:#?}");
    }
}

fn silent() -> Value {
    json!({"simulate": {"delay_ms": 30_000}})
}

#[test]
fn while_a_whole_answer_is_on_its_way() {
    let scene = scene();
    let connection = scene
        .caller
        .send(&chat_with("m", json!({"simulate": {"hang": "after_head"}})));
    assert!(
        scene
            .simulator
            .wait_until(SOON, |simulator| simulator.in_flight("m") == 1)
    );
    let row = scene.leaves(connection);
    assert_eq!(row.status, CallStatus::ClientDisconnected, "{row:#?}");
}

/// A client that is gone when its request is read: the end of the connection comes with the request, in one packet or two.
#[test]
fn before_its_request_was_read() {
    let scene = scene();
    let unlimited = scene.gateway.caller(json!({}));
    for turn in 0..60 {
        let body = if turn % 2 == 0 {
            streamed("m", silent())
        } else {
            chat_with("m", silent())
        };
        unlimited.send(&body).leave();
    }
    // Accepted after all of those.
    for _ in 0..20 {
        unlimited.chat(&chat_with("m", json!({}))).with_status(200);
    }
    let nothing_is_open = || {
        scene.simulator.in_flight("m") == 0
            && scene.gateway.metric("pointsman_open_holds") == Some(0.0)
    };
    until(
        "every call has ended",
        Duration::from_secs(5),
        nothing_is_open,
    );
}

/// Half-closing is leaving: no SDK does it and waits for an answer.
#[test]
fn a_half_closed_connection_is_a_client_that_left() {
    let scene = scene();
    let connection = scene.caller.send(&streamed("m", silent()));
    assert!(
        scene
            .simulator
            .wait_until(SOON, |simulator| simulator.in_flight("m") == 1)
    );
    connection
        .stream
        .shutdown(std::net::Shutdown::Write)
        .unwrap();
    assert!(
        scene
            .simulator
            .wait_until(ONE_SECOND * 2, |simulator| simulator.hangups().len() == 1)
    );
    drop(connection);
}

/// Two clients on a deployment: one leaving does not disturb the other.
#[test]
fn only_the_leavers_call_ends() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let how = json!({"chunks": 60, "chunk_bytes": 20, "chunk_delay_ms": 10});
    let body = streamed("m", json!({"simulate": how}));
    let (mut stays, mut incoming) = gateway.master().begin(&body);
    let (leaves, _) = gateway.master().begin(&body);
    leaves.leave();
    while incoming.reply.ended == crate::harness::Ended::Open {
        stays.more(&mut incoming).unwrap();
    }
    assert!(incoming.reply.is_done());
    assert_eq!(incoming.reply.said().len(), 1200);
}
