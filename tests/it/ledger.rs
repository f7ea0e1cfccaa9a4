//! `pointsman ledger verify`, and what is in the data directory.

use std::fs;
use std::path::PathBuf;

use diesel::connection::SimpleConnection;

use crate::harness::{
    Config, Deployment, Gateway, Key, SOON, Setup, chat_with, json, streamed, until,
};
use crate::simulator::Simulator;

fn gateway(simulator: &Simulator) -> Gateway {
    let deployment = Deployment::of(simulator, "m").priced(0.000_01, 0.000_03);
    Setup::new(&Config::of([deployment]).router("num_retries", 0)).start()
}

fn key(gateway: &Gateway) -> Key {
    gateway.team("t", |_| {});
    gateway.user("u", |_| {});
    gateway.key(json!({"user_id": "u", "team_id": "t"}))
}

fn calls(gateway: &Gateway, key: &Key, count: usize) {
    let caller = gateway.client(&key.secret);
    let rows = gateway.rows().len();
    for _ in 0..count {
        let usage =
            json!({"usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}});
        caller
            .chat(&chat_with("m", json!({"simulate": usage})))
            .with_status(200);
    }
    gateway.rows_when(rows + count);
}

/// The journals' files.
fn segments(gateway: &Gateway) -> Vec<PathBuf> {
    let entries = fs::read_dir(gateway.data_dir().join("journal")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_ledger_in_order() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator);
    let key = key(&gateway);
    calls(&gateway, &key, 4);
    let found = gateway.verified();
    assert_eq!(found["running"], true);
    assert_eq!(
        (&found["rows"], &found["spend"]),
        (&json!(4), &json!(4 * 250_000))
    );
    let (status, said) = gateway.verify(&[]);
    assert!(status.success());
    assert!(
        said.contains("4 calls, $0.001\n") && said.contains("\nOK "),
        "{said}"
    );
    // A call under way is no disagreement.
    let how = json!({"simulate": {"content": "one two three", "silent_after_chunks": 2}});
    let (mut connection, mut incoming) = gateway.client(&key.secret).begin(&streamed("m", how));
    connection.read_until(&mut incoming, "two");
    let open = |found: &serde_json::Value| -> u64 {
        let journals = found["journals"].as_array().unwrap();
        journals
            .iter()
            .map(|journal| journal["open"].as_u64().unwrap())
            .sum()
    };
    assert_eq!(open(&gateway.verified()), 1);
    gateway.kill();
    let found = gateway.verified();
    assert_eq!((&found["running"], open(&found)), (&json!(false), 1));
    gateway.start_again();
    assert_eq!(gateway.verified()["rows"], 5);
    gateway.terminate();
    let found = gateway.verified();
    assert_eq!(
        (&found["rows"], found["journals"].as_array().unwrap().len()),
        (&json!(5), 0)
    );
}

/// What is settled and not booked is counted, and is no fault.
#[test]
fn what_is_to_be_booked_is_counted() {
    let simulator = Simulator::start();
    let deployment = Deployment::of(&simulator, "m").priced(0.000_01, 0.0);
    let config = Config::of([deployment]).general("proxy_batch_write_at", 3600);
    let mut gateway = Setup::new(&config).start();
    let usage = json!({"usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}});
    for _ in 0..3 {
        gateway
            .master()
            .chat(&chat_with("m", json!({"simulate": usage})))
            .with_status(200);
    }
    gateway.kill();
    let found = gateway.verified();
    let sum = |name: &str| -> u64 {
        let journals = found["journals"].as_array().unwrap();
        journals
            .iter()
            .map(|journal| journal[name].as_u64().unwrap())
            .sum()
    };
    assert_eq!(
        (&found["rows"], sum("unbooked"), sum("unbooked_spend")),
        (&json!(0), 3, 300_000)
    );
    let (_, said) = gateway.verify(&[]);
    assert!(said.contains("will be at the next start"), "{said}");
}

#[test]
fn what_is_wrong_is_said_with_its_amount() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator);
    let key = key(&gateway);
    calls(&gateway, &key, 2);
    gateway.terminate();
    for (spoil, mend, expected) in [
        (
            "UPDATE keys SET total_spend = total_spend + 1",
            "UPDATE keys SET total_spend = total_spend - 1",
            format!(
                "key {}: charged $0.000500001, its calls cost $0.0005 (off by $0.000000001)",
                key.hash
            ),
        ),
        (
            "UPDATE teams SET total_spend = 0",
            "UPDATE teams SET total_spend = 500000",
            "team t: charged $0, its calls cost $0.0005 (off by $-0.0005)".to_owned(),
        ),
        (
            "UPDATE daily_spend SET requests = requests + 1",
            "UPDATE daily_spend SET requests = requests - 1",
            "of 3 calls".to_owned(),
        ),
        (
            "UPDATE spend_names SET id = id + 1000 WHERE kind = 3",
            "UPDATE spend_names SET id = id - 1000 WHERE kind = 3",
            "lost their names".to_owned(),
        ),
    ] {
        gateway.database().batch_execute(spoil).unwrap();
        let (status, said) = gateway.verify(&[]);
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains(&expected), "{expected} not in {said}");
        let (status, said) = gateway.verify(&["--json"]);
        assert_eq!(status.code(), Some(1), "{said}");
        gateway.database().batch_execute(mend).unwrap();
        gateway.verified();
    }
}

#[test]
fn what_cannot_be_looked_at() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for (arguments, expected) in [
        (
            ["--data-dir", "/no/such/folder"],
            "there is no data directory /no/such/folder",
        ),
        (
            ["--database-url", "sqlite:///no/such.db"],
            "there is no database /no/such.db",
        ),
        (
            ["--database-url", "postgres://x:hunter2@127.0.0.1:1/none"],
            "127.0.0.1:1",
        ),
        (
            ["--database-url", "mysql://x:hunter2@h"],
            "another kind of URL",
        ),
        (["--config", "/no/such.yaml"], "/no/such.yaml"),
    ] {
        let mut all = vec!["ledger", "verify"];
        let data_dir = gateway.data_dir();
        if arguments[0] != "--data-dir" {
            all.extend(["--data-dir", data_dir.to_str().unwrap()]);
        }
        all.extend(arguments);
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_pointsman"))
            .env_clear()
            .args(all)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains(expected) && !said.contains("hunter2"),
            "{said}"
        );
    }
}

/// The configuration file says where the database is.
#[test]
fn the_configuration_names_the_database() {
    let simulator = Simulator::start();
    let elsewhere = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/elsewhere.db", elsewhere.path().display());
    let config = Config::single(&simulator, "m").general("database_url", url);
    let gateway = Setup::new(&config).start();
    let file = elsewhere.path().join("c.yaml");
    fs::write(&file, config.text()).unwrap();
    let (status, said) = gateway.verify(&["--config", file.to_str().unwrap()]);
    assert!(status.success() && said.contains("elsewhere.db"), "{said}");
}

#[test]
fn one_process_a_data_directory() {
    let simulator = Simulator::start();
    let folder = tempfile::tempdir().unwrap();
    let config = Config::single(&simulator, "m");
    let first = Setup::new(&config).data_dir(folder.path()).start();
    let (status, said) = Setup::new(&config).data_dir(folder.path()).refuse();
    assert_eq!(status.code(), Some(1));
    let place = folder.path().display();
    assert!(
        said.contains(&format!(
            "the data directory {place} is in use by another pointsman"
        )),
        "{said}"
    );
    // The first does not notice.
    first
        .master()
        .chat(&crate::harness::chat("m"))
        .with_status(200);
    first.rows_when(1);
    first.verified();
}

/// Bytes that are no records are not deleted with the rest, and said until somebody has looked.
#[test]
fn a_damaged_segment_is_kept() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator);
    let key = key(&gateway);
    calls(&gateway, &key, 2);
    gateway.kill();
    let spoiled: Vec<PathBuf> = segments(&gateway)
        .into_iter()
        .filter(|path| fs::metadata(path).unwrap().len() > 0)
        .collect();
    for path in &spoiled {
        let mut bytes = fs::read(path).unwrap();
        bytes.extend([0x55; 64]);
        fs::write(path, bytes).unwrap();
    }
    let (status, said) = gateway.verify(&[]);
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("64 bytes from byte"), "{said}");
    gateway.start_again();
    assert!(gateway.log().contains("is damaged"), "{}", gateway.log());
    let (status, said) = gateway.verify(&[]);
    assert_eq!(status.code(), Some(1));
    assert_eq!(
        said.matches("was set aside").count(),
        spoiled.len(),
        "{said}"
    );
    gateway.books_agree();
    for path in segments(&gateway) {
        if path
            .extension()
            .is_some_and(|extension| extension == "damaged")
        {
            fs::remove_file(path).unwrap();
        }
    }
    gateway.verified();
    calls(&gateway, &key, 1);
    until("the new journal is in order", SOON, || {
        gateway.verify(&[]).0.success()
    });
}
