//! What is refused, and changes nothing.

use diesel::prelude::*;
use diesel::sql_types::Text;

use super::{add, delete, gateway, model, patch, told, update};
use crate::harness::{Config, Gateway, Value, chat, json};
use crate::simulator::Simulator;
use pointsman::store::AnyConnection;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    model_id: String,
}

/// The ids of the rows.
fn rows(gateway: &Gateway) -> Vec<String> {
    let query = diesel::sql_query("SELECT model_id FROM models ORDER BY model_id");
    let rows: Vec<Row> = match &mut gateway.database() {
        AnyConnection::Sqlite(conn) => query.load(conn),
        AnyConnection::Postgres(conn) => query.load(conn),
    }
    .expect("the table of models");
    rows.into_iter().map(|row| row.model_id).collect()
}

#[test]
fn switched_off_unless_asked_for() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let master = gateway.master();
    for reply in [
        master.post("/model/new", &model(&simulator, "n")),
        update(&master, "n", json!({})),
        delete(&master, "n"),
        master.post("/model/block", &json!({"model_id": "n"})),
    ] {
        let error = reply.with_status(400).error();
        assert_eq!(error["type"], "auth_error");
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .starts_with("Set `'STORE_MODEL_IN_DB='True'` in your env to enable this feature.")
        );
    }
}

#[test]
fn what_the_file_says_is_not_changed() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let master = gateway.master();
    let refused =
        update(&master, "id-of-file", json!({"litellm_params": {"rpm": 1}})).with_status(400);
    let text = "Can't edit model. Model in config. Store model in db via `/model/new`. to edit.";
    assert!(refused.message().starts_with(text), "{}", refused.text());
    let block = master.post("/model/block", &json!({"model_id": "id-of-file"}));
    assert!(block.with_status(400).message().starts_with(text));
    for (id, status) in [("id-of-file", 400), ("none", 404)] {
        patch(&master, id, &json!({})).with_status(status);
    }
    for id in ["id-of-file", "none"] {
        let refused = delete(&master, id).with_status(400);
        assert_eq!(
            refused.message(),
            format!("Model with id={id} not found in db")
        );
    }
    assert_eq!(
        update(&master, "none", json!({}))
            .with_status(400)
            .message(),
        "Model with id=none not found in db"
    );
    let mut taken = model(&simulator, "x");
    taken["model_info"]["id"] = json!("id-of-file");
    assert_eq!(
        master.post("/model/new", &taken).with_status(400).error()["param"],
        "model_info.id"
    );
    add(&master, &model(&simulator, "m"));
    master
        .post("/model/new", &model(&simulator, "m"))
        .with_status(400);
    master.chat(&chat("of-file")).with_status(200);
    assert_eq!(rows(&gateway), ["m"]);
}

#[test]
fn what_could_not_be_called_is_not_written() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let master = gateway.master();
    add(&master, &model(&simulator, "m"));
    let with = |field: &str, value: Value| {
        let mut new = model(&simulator, "n");
        new["litellm_params"][field] = value;
        new
    };
    let cases = [
        (with("rpm", json!("ten")), "litellm_params.rpm: expected"),
        (with("model", json!("bedrock/x")), "litellm_params.model: "),
        (
            with("litellm_credential_name", json!("none")),
            "litellm_params.litellm_credential_name: ",
        ),
        (
            with("ssl_verify", json!("/no/such/file.pem")),
            "/no/such/file.pem",
        ),
        (
            with("api_base", json!("os.environ/NOT_SET_ANYWHERE")),
            "NOT_SET_ANYWHERE",
        ),
    ];
    for (new, part) in &cases {
        let refused = master.post("/model/new", new).with_status(400);
        assert!(refused.message().contains(part), "{}", refused.text());
        let changed = update(
            &master,
            "m",
            json!({"litellm_params": new["litellm_params"]}),
        )
        .with_status(400);
        assert!(changed.message().contains(part), "{}", changed.text());
    }
    for (body, field) in [
        (json!({}), "model_name"),
        (json!({"model_name": "n"}), "litellm_params"),
        (json!({"model_name": "n", "litellm_params": {}}), "model"),
        (json!({"model_name": 5, "litellm_params": {}}), "model_name"),
        (
            json!({"model_name": "n", "litellm_params": []}),
            "litellm_params",
        ),
    ] {
        let told = master.post("/model/new", &body).with_status(422).json();
        let place = told["detail"][0]["loc"].as_array().unwrap().last();
        assert_eq!(place, Some(&json!(field)), "{told}");
    }
    for (path, body) in [
        ("/model/update", json!({})),
        ("/model/delete", json!({})),
        ("/model/block", json!({})),
    ] {
        master.post(path, &body).with_status(422);
    }
    for info in [
        json!({"id": ""}),
        json!({"id": "a\nb"}),
        json!({"id": {}}),
        json!({"blocked": 5}),
        json!({"team_id": 5}),
        json!({"id": "x".repeat(300)}),
    ] {
        let mut new = model(&simulator, "n");
        new["model_info"] = info;
        master.post("/model/new", &new).with_status(400);
    }
    let mut nameless = model(&simulator, "n");
    nameless["model_name"] = json!("  ");
    master.post("/model/new", &nameless).with_status(400);
    assert_eq!(rows(&gateway), ["m"]);
    master.chat(&chat("n")).with_status(400);
    master.chat(&chat("m")).with_status(200);
}

/// SQLite's one writer is somebody else: the change cannot be written, so it is not made.
#[test]
fn a_write_that_fails_changes_nothing() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    if gateway.is_on_postgres() {
        return;
    }
    let master = gateway.master();
    add(&master, &model(&simulator, "m"));
    let mut writer = gateway.database();
    let run = |conn: &mut AnyConnection, text: &str| {
        diesel::sql_query(text).execute(conn).expect("a statement");
    };
    run(&mut writer, "BEGIN IMMEDIATE");
    for refused in [
        master.post("/model/new", &model(&simulator, "n")),
        update(&master, "m", json!({"model_name": "n"})),
        delete(&master, "m"),
    ] {
        assert_eq!(refused.with_status(503).error()["type"], "no_db_connection");
    }
    master.chat(&chat("n")).with_status(400);
    master.chat(&chat("m")).with_status(200);
    assert_eq!(told(&master, "n"), None);
    run(&mut writer, "ROLLBACK");
    add(&master, &model(&simulator, "n"));
    master.chat(&chat("n")).with_status(200);
}

#[test]
fn administrators_alone() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let new = model(&simulator, "m");
    gateway.user("u", |row| row.user_role = Some("internal_user".into()));
    gateway.user("v", |row| row.user_role = Some("proxy_admin_viewer".into()));
    gateway.user("a", |row| row.user_role = Some("proxy_admin".into()));
    for (key, status) in [
        (json!({"user_id": "u"}), 403),
        (json!({"user_id": "v"}), 403),
        (json!({}), 401),
        // Such a key passes the gate, not the handler.
        (json!({"allowed_routes": ["/model/new"]}), 403),
    ] {
        let refused = gateway
            .caller(key)
            .post("/model/new", &new)
            .with_status(status);
        assert_eq!(refused.error()["type"], "auth_error");
    }
    let row = add(&gateway.caller(json!({"user_id": "a"})), &new);
    assert_eq!(
        (&row["created_by"], &row["updated_by"]),
        (&json!("a"), &json!("a"))
    );
    assert_eq!(rows(&gateway), ["m"]);
}
