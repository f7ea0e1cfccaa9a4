//! No room: for the journal, for the database; and rows that the database refuses.

use diesel::connection::SimpleConnection;

use super::gateway;
use crate::harness::{Client, Gateway, SOON, Value, chat_with, json, until};
use crate::simulator::Simulator;

fn body() -> Value {
    let usage = json!({"usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}});
    chat_with("m", json!({"simulate": usage}))
}

/// A key of a team and a user, with one call that is booked.
fn caller(gateway: &Gateway) -> Client {
    gateway.team("t", |_| {});
    gateway.user("u", |_| {});
    let caller = gateway.caller(json!({"user_id": "u", "team_id": "t"}));
    caller.chat(&body()).with_status(200);
    gateway.rows_when(1);
    caller
}

fn readiness(gateway: &Gateway) -> Value {
    gateway.anonymous().get("/health/readiness").json()
}

/// The size of the largest file below a folder of the data directory.
fn largest(gateway: &Gateway, folder: &str) -> u64 {
    let entries = std::fs::read_dir(gateway.data_dir().join(folder)).unwrap();
    let sizes = entries.map(|entry| entry.unwrap().metadata().unwrap().len());
    sizes.max().unwrap_or_default()
}

/// A disk without room for the journal: what is under way waits, what is new is refused, and all goes on when there is room.
#[test]
fn no_room_for_the_journal() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller = caller(&gateway);
    // Room for a part of a record.
    gateway.limit_files(Some(largest(&gateway, "journal") + 100));
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let caller = caller.clone();
            std::thread::spawn(move || caller.chat(&body()))
        })
        .collect();
    until("new calls are refused", SOON, || {
        readiness(&gateway)["journal"] == "failing"
    });
    until("on every thread", SOON, || {
        (0..8).all(|_| {
            // One that finds its thread's journal not yet failing waits: nobody may hang here.
            let mut connection = caller.connect();
            connection
                .stream
                .set_read_timeout(Some(std::time::Duration::from_millis(300)))
                .unwrap();
            let request = crate::harness::Request::post("/v1/chat/completions", body().to_string());
            let reply = connection.ask(&caller.signed(request));
            reply.is_ok_and(|reply| {
                assert_eq!(reply.status, 503, "{}", reply.text());
                reply.error();
                true
            })
        })
    });
    let found = gateway.verify(&["--json"]);
    assert!(found.0.success(), "half a record is no fault: {}", found.1);
    gateway.limit_files(None);
    for call in waiting {
        let reply = call.join().unwrap();
        assert!([200, 503].contains(&reply.status), "{}", reply.text());
    }
    until("it goes on", SOON, || caller.chat(&body()).status == 200);
    until("the books are whole", SOON, || {
        gateway.metric("pointsman_journal_queue_rows") == Some(0.0)
    });
    assert_eq!(readiness(&gateway)["status"], "healthy");
    let complete = simulator.requests().len();
    gateway.rows_when(complete);
    gateway.verified();
}

/// A database without room: calls go on, and are booked when there is.
#[test]
fn no_room_for_the_database() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator);
    let caller = caller(&gateway);
    if gateway.is_on_postgres() {
        let full = "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$; \
                    CREATE TRIGGER no_room BEFORE INSERT ON spend_logs FOR EACH STATEMENT EXECUTE FUNCTION no_room();";
        gateway.database().batch_execute(full).unwrap();
    } else {
        // The journal is far smaller than the database's log.
        let most = std::fs::metadata(gateway.data_dir().join("pointsman.db-wal"))
            .unwrap()
            .len();
        assert!(most > 4 * largest(&gateway, "journal") + 50_000, "{most}");
        gateway.limit_files(Some(most));
    }
    for _ in 0..10 {
        caller.chat(&body()).with_status(200);
    }
    until("rows wait", SOON, || {
        gateway.log().contains("could not be booked, trying again")
    });
    assert_eq!(gateway.rows().len(), 1);
    let found = gateway.verified();
    let waiting: u64 = found["journals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|journal| journal["unbooked"].as_u64().unwrap())
        .sum();
    assert_eq!(waiting, 10);
    // A death in between changes nothing.
    if gateway.is_on_postgres() {
        gateway.kill();
        gateway
            .database()
            .batch_execute("DROP TRIGGER no_room ON spend_logs")
            .unwrap();
        gateway.start_again();
    } else {
        gateway.limit_files(None);
    }
    gateway.rows_when(11);
    gateway.verified();
}

/// Rows that the database refuses cost their money all the same, hold up no others, and are kept.
#[test]
fn rows_that_the_database_refuses() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator);
    let caller = caller(&gateway);
    let refuse = if gateway.is_on_postgres() {
        "ALTER TABLE spend_logs ADD CONSTRAINT no_devils CHECK (prompt_tokens <> 666)"
    } else {
        "CREATE TRIGGER refuse BEFORE INSERT ON spend_logs WHEN NEW.prompt_tokens = 666 \
         BEGIN SELECT RAISE(ABORT, 'no_devils'); END"
    };
    gateway.database().batch_execute(refuse).unwrap();
    let usage =
        json!({"usage": {"prompt_tokens": 666, "completion_tokens": 1, "total_tokens": 667}});
    let devil = chat_with("m", json!({"simulate": usage}));
    let usual = body();
    for turn in 0..12 {
        let body = if turn % 4 == 0 { &devil } else { &usual };
        caller.chat(body).with_status(200);
    }
    gateway.rows_when(10);
    until("the refused rows are told", SOON, || {
        gateway.log().matches("was refused and is kept").count() == 3
    });
    let found = gateway.verified();
    let each = 666 * 10_000 + 30_000;
    assert_eq!(
        (&found["rejected_rows"], &found["rejected_spend"]),
        (&json!(3), &json!(3 * each))
    );
    assert!(
        !gateway.log().contains("666"),
        "the log has no rows of people"
    );
    // Also when a start books them.
    caller.chat(&devil).with_status(200);
    gateway.kill();
    gateway.start_again();
    let found = gateway.verified();
    assert_eq!(
        (&found["rows"], &found["rejected_rows"]),
        (&json!(10), &json!(4))
    );
}
