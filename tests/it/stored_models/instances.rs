//! Several instances on one database.

use super::{add, delete, model, told, update};
use crate::harness::{Config, Gateway, SOON, Setup, chat, json, until};
use crate::simulator::Simulator;
use pointsman::store::AnyConnection;
use pointsman::types::DatabaseUrl;

/// Two gateways with the same database and salt key, which look every second.
fn pair(simulator: &Simulator) -> (Gateway, Gateway, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/shared.db", folder.path().display());
    let start = || {
        let config = Config::single(simulator, "of-file")
            .general("store_model_in_db", true)
            .general("proxy_config_reload_interval_seconds", 1)
            .general("database_url", url.clone());
        Setup::new(&config)
            .env("LITELLM_SALT_KEY", "sk-salt")
            .start()
    };
    (start(), start(), folder)
}

#[test]
fn what_one_changes_arrives_at_the_other() {
    let simulator = Simulator::start();
    let (one, other, _folder) = pair(&simulator);
    let serves = |gateway: &Gateway, name: &str, status: u16| {
        until(&format!("{name} is {status}"), SOON, || {
            gateway.master().chat(&chat(name)).status == status
        });
    };
    add(&one.master(), &model(&simulator, "m"));
    serves(&other, "m", 200);
    // The other knows that version, and changes it; the first sees that, and both agree in the end.
    update(&other.master(), "m", json!({"model_name": "n"})).with_status(200);
    update(&one.master(), "m", json!({"litellm_params": {"rpm": 1000}})).with_status(200);
    one.master().chat(&chat("n")).with_status(200);
    until("the other has both changes", SOON, || {
        let known = told(&other.master(), "m").unwrap();
        known["model_name"] == "n" && known["litellm_params"]["rpm"] == 1000
    });
    delete(&other.master(), "m").with_status(200);
    serves(&one, "n", 400);
    serves(&one, "of-file", 200);
}

/// The database is asked each second; a look that fails changes nothing.
#[test]
fn a_look_that_fails_changes_nothing() {
    let simulator = Simulator::start();
    let (one, _other, folder) = pair(&simulator);
    add(&one.master(), &model(&simulator, "m"));
    let rename = |from: &str, to: &str| {
        let url = DatabaseUrl::Sqlite(folder.path().join("shared.db"));
        let mut database = AnyConnection::open(&url).unwrap();
        let text = format!("ALTER TABLE {from} RENAME TO {to}");
        diesel::RunQueryDsl::execute(diesel::sql_query(text), &mut database).unwrap();
    };
    rename("models", "hidden");
    until("a look has failed", SOON, || {
        one.log()
            .contains("the database's models could not be read; those in force stay")
    });
    one.master().chat(&chat("m")).with_status(200);
    rename("hidden", "models");
    add(&one.master(), &model(&simulator, "n"));
    one.master().chat(&chat("n")).with_status(200);
}
