//! G3: every complete answer is in the books exactly once, whatever becomes of the process.

mod deaths;
mod full;
mod load;

use crate::harness::{Config, Deployment, Gateway, SOON, Setup, chat_with, json, streamed, until};
use crate::simulator::Simulator;
use pointsman::types::CallStatus;

fn gateway(simulator: &Simulator) -> Gateway {
    let deployment = Deployment::of(simulator, "m").priced(0.000_01, 0.000_03);
    Setup::new(&Config::of([deployment]).router("num_retries", 0))
        .log("info")
        .start()
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
        gateway.verified();
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
    gateway.verified();
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
    gateway.verified();
    until("nothing waits", SOON, || {
        gateway.metric("pointsman_journal_queue_rows") == Some(0.0)
    });
}
