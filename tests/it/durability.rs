//! G3: every complete answer is in the books exactly once, whatever becomes of the process.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::harness::{
    Client, Config, Connection, Deployment, Ended, Gateway, Key, Request, SOON, Setup, chat_with,
    json, streamed, until,
};
use crate::simulator::Simulator;
use pointsman::types::{CallStatus, NanoUsd};

const DEATHS: usize = 20;
const CALLERS: usize = 8;

fn gateway(simulator: &Simulator) -> Gateway {
    let deployment = Deployment::of(simulator, "m").priced(0.000_01, 0.000_03);
    Setup::new(&Config::of([deployment]).router("num_retries", 0))
        .log("info")
        .start()
}

/// Ends the load also when the test fails: nobody would wait for callers without end.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One caller under load: keeps the ids of the answers that arrived whole.
fn call_until(stop: &AtomicBool, caller: &Client, lane: usize, complete: &Mutex<Vec<String>>) {
    let usage = json!({"usage": {"prompt_tokens": 10 + lane, "completion_tokens": 5, "total_tokens": 15 + lane}});
    let bodies = [
        chat_with("m", json!({"simulate": usage})),
        streamed("m", json!({"simulate": usage})),
    ];
    let requests =
        bodies.map(|body| caller.signed(Request::post("/v1/chat/completions", body.to_string())));
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut connection) = Connection::open(caller.address) else {
            return;
        };
        for turn in 0.. {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let Ok(reply) = connection.ask(&requests[turn % 2]) else {
                break;
            };
            if reply.ended != Ended::Whole {
                break;
            }
            assert_eq!(
                reply.status,
                200,
                "{}",
                String::from_utf8_lossy(&reply.body)
            );
            let id = if turn % 2 == 0 {
                reply.json()["id"].clone()
            } else {
                assert!(reply.is_done());
                reply.events()[0]["id"].clone()
            };
            complete
                .lock()
                .unwrap()
                .push(id.as_str().unwrap().to_owned());
        }
    }
}

/// Load until some moment, and death at that moment.
fn load_and_kill(gateway: &mut Gateway, key: &Key, after: Duration, complete: &Mutex<Vec<String>>) {
    let stop = AtomicBool::new(false);
    let caller = gateway.client(&key.secret);
    let before = complete.lock().unwrap().len();
    std::thread::scope(|scope| {
        let _stop = StopAtEnd(&stop);
        for lane in 0..CALLERS {
            let (stop, caller) = (&stop, &caller);
            scope.spawn(move || call_until(stop, caller, lane, complete));
        }
        until("the load runs", SOON, || {
            complete.lock().unwrap().len() > before
        });
        let due = Instant::now() + after;
        until("the moment of death", SOON, || Instant::now() >= due);
        gateway.kill();
    });
}

/// Everything that must hold between the answers that arrived and the books.
fn check(gateway: &Gateway, key: &Key, complete: &[String], deaths: usize) {
    let rows = gateway.rows();
    let booked: Vec<&str> = rows.iter().map(|row| &*row.request_id).collect();
    let unique: HashSet<&str> = booked.iter().copied().collect();
    assert_eq!(unique.len(), booked.len(), "a row stands twice");
    let succeeded: HashSet<&str> = rows
        .iter()
        .filter(|row| row.status == CallStatus::Success)
        .map(|row| &*row.request_id)
        .collect();
    let lost: Vec<&String> = complete
        .iter()
        .filter(|id| !succeeded.contains(id.as_str()))
        .collect();
    assert!(
        rows.len() < 10_000,
        "the books are read 10,000 rows at a time"
    );
    assert!(lost.is_empty(), "complete answers without a row: {lost:?}");
    // What is booked beyond them was under way at a death: at most one call of each caller.
    let beyond = rows.len() - complete.len();
    assert!(
        beyond <= deaths * CALLERS,
        "{} rows, {} complete answers",
        rows.len(),
        complete.len()
    );
    let totals = gateway.books_agree();
    assert_eq!(totals.rows as usize, rows.len());
    let sum: NanoUsd = rows.iter().map(|row| row.spend).sum();
    assert_eq!(totals.logged, sum);
    let told = gateway.key_info(key)["spend"].as_f64().unwrap();
    assert_eq!((told * 1e9).round() as i64, sum.0, "/key/info");
}

#[test]
fn killed_twenty_times_under_load() {
    let simulator = Simulator::start();
    simulator.record(false);
    let mut gateway = gateway(&simulator);
    gateway.team("t", |_| {});
    gateway.user("u", |_| {});
    let key = gateway.key(
        json!({"user_id": "u", "team_id": "t", "max_budget": 1_000_000, "rpm_limit": 10_000_000}),
    );
    let complete = Mutex::new(Vec::new());
    let mut random = 0x9e37_79b9_u64;
    for death in 1..=DEATHS {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let after = Duration::from_millis((random >> 33) % 100);
        load_and_kill(&mut gateway, &key, after, &complete);
        gateway.start_again();
        // Ready means recovered: the first look finds everything.
        check(&gateway, &key, &complete.lock().unwrap(), death);
    }
    let complete = complete.into_inner().unwrap();
    assert!(
        complete.len() > DEATHS * CALLERS,
        "hardly any load: {}",
        complete.len()
    );
}

#[test]
fn a_restart_keeps_everything() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator);
    let key = gateway.key(json!({}));
    for round in 1..=3 {
        gateway
            .client(&key.secret)
            .chat(&chat_with("m", json!({})))
            .with_status(200);
        // At once: what is not yet in the database must be written on the way out.
        gateway.terminate();
        gateway.start_again();
        assert_eq!(gateway.rows().len(), round);
        gateway.books_agree();
    }
    let rows = gateway.rows();
    let told = gateway.key_info(&key)["spend"].as_f64().unwrap();
    assert_eq!(
        (told * 1e9).round() as i64,
        rows.iter().map(|row| row.spend.0).sum::<i64>()
    );
}

/// A call that the gateway's death interrupted is in the books as such.
#[test]
fn an_interrupted_call_leaves_a_row() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator);
    let key = gateway.key(json!({}));
    let how = json!({"simulate": {"content": "one two three", "silent_after_chunks": 2}});
    let (mut connection, mut incoming) = gateway.client(&key.secret).begin(&streamed("m", how));
    connection.read_until(&mut incoming, "two");
    gateway.kill();
    gateway.start_again();
    let rows = gateway.rows();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].status, CallStatus::Interrupted, "{rows:#?}");
    assert_eq!(rows[0].key_hash.to_string(), key.hash);
    gateway.books_agree();
    gateway.kill();
    gateway.start_again();
    assert_eq!(gateway.rows().len(), 1, "and only once");
}

/// While the database cannot be written, calls go on and are booked afterwards.
#[test]
fn a_locked_database_delays_the_books_only() {
    use diesel::connection::SimpleConnection;
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    if gateway.is_on_postgres() {
        // There a writer locks rows; what happens without a database is in `database_away`.
        return;
    }
    let key = gateway.key(json!({}));
    let caller = gateway.client(&key.secret);
    caller.chat(&chat_with("m", json!({}))).with_status(200);
    gateway.rows_when(1);
    let mut lock = gateway.database();
    let pointsman::store::AnyConnection::Sqlite(lock) = &mut lock else {
        panic!("not SQLite")
    };
    lock.batch_execute("BEGIN IMMEDIATE").unwrap();
    for _ in 0..20 {
        caller.chat(&chat_with("m", json!({}))).with_status(200);
    }
    until("rows wait", SOON, || {
        gateway
            .metric("pointsman_journal_queue_rows")
            .is_some_and(|depth| depth > 0.0)
    });
    lock.batch_execute("ROLLBACK").unwrap();
    gateway.rows_when(21);
    gateway.books_agree();
    until("nothing waits", SOON, || {
        gateway.metric("pointsman_journal_queue_rows") == Some(0.0)
    });
}
