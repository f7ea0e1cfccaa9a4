//! What a change does, at once and after a restart.

use super::{add, config, delete, gateway, model, patch, told, update};
use crate::harness::{Config, Deployment, PROVIDER_KEY, Setup, chat, json};
use crate::simulator::Simulator;

#[test]
fn a_model_is_added_changed_and_deleted_at_once() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let master = gateway.master();
    master.chat(&chat("m")).with_status(400);
    let mut new = model(&simulator, "m");
    new["litellm_params"]["input_cost_per_token"] = json!(1e-6);
    new["model_info"]["mode"] = json!("chat");
    let row = add(&master, &new);
    assert_eq!(
        (&row["model_id"], &row["model_name"], &row["blocked"]),
        (&json!("m"), &json!("m"), &json!(false))
    );
    assert_eq!(row["litellm_params"]["model"], "openai/m");
    assert_eq!(row["litellm_params"].get("api_key"), None);
    for _ in 0..8 {
        // On each thread.
        master.chat(&chat("m")).with_status(200);
    }
    assert_eq!(
        simulator.take()[0].header("authorization"),
        Some(&*format!("Bearer {PROVIDER_KEY}"))
    );
    let known = told(&master, "m").unwrap();
    let info = &known["model_info"];
    assert_eq!(
        (&info["id"], &info["db_model"], &info["mode"]),
        (&json!("m"), &json!(true), &json!("chat"))
    );
    assert_eq!(info["input_cost_per_token"], 1e-6);
    assert!(
        info["created_at"].is_string() && info["updated_at"].is_string(),
        "{info}"
    );
    assert_eq!(known["litellm_params"].get("api_key"), None);
    assert_eq!(
        told(&master, "id-of-file").unwrap()["model_info"]["db_model"],
        false
    );

    let row = update(
        &master,
        "m",
        json!({
            "model_name": "n",
            "litellm_params": {"input_cost_per_token": 2e-6, "api_key": null},
        }),
    );
    assert_eq!(row.with_status(200).json()["model_name"], "n");
    for _ in 0..8 {
        master.chat(&chat("n")).with_status(200);
    }
    let info = told(&master, "m").unwrap()["model_info"].clone();
    assert_eq!(
        (&info["input_cost_per_token"], &info["mode"]),
        (&json!(2e-6), &json!("chat"))
    );

    let deleted = delete(&master, "m").with_status(200).json();
    assert_eq!(deleted["message"], "Model: m deleted successfully");
    for _ in 0..8 {
        master.chat(&chat("n")).with_status(400);
    }
    assert_eq!(told(&master, "m"), None);
    master.chat(&chat("of-file")).with_status(200);
}

/// `/model/update` leaves what is null as it is, `PATCH` takes it away.
#[test]
fn a_patch_takes_fields_away() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let master = gateway.master();
    let mut new = model(&simulator, "a/b");
    new["litellm_params"]["temperature"] = json!(0.5);
    new["model_info"]["team"] = json!("blue");
    add(&master, &new);
    let kept = update(
        &master,
        "a/b",
        json!({"litellm_params": {"temperature": null}}),
    );
    assert_eq!(
        kept.with_status(200).json()["litellm_params"]["temperature"],
        0.5
    );
    let nulls = json!({"litellm_params": {"temperature": null}, "model_info": {"team": null}});
    let row = patch(&master, "a/b", &nulls).with_status(200).json();
    assert_eq!(row["litellm_params"].get("temperature"), None);
    assert_eq!(row["model_info"].get("team"), None);
    master.chat(&chat("a/b")).with_status(200);
    let sent = simulator.take()[0].json();
    assert_eq!(sent.get("temperature"), None, "{sent}");
}

#[test]
fn a_group_may_have_members_of_both() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let master = gateway.master();
    let mut more = model(&simulator, "more");
    more["model_name"] = json!("of-file");
    add(&master, &more);
    for _ in 0..40 {
        master.chat(&chat("of-file")).with_status(200);
    }
    assert!(simulator.received("more") > 0 && simulator.received("of-file") > 0);
}

#[test]
fn pausing_and_resuming() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let master = gateway.master();
    add(&master, &model(&simulator, "m"));
    let paused = |route: &str| {
        let row = master.post(route, &json!({"model_id": "m"}));
        row.with_status(200).json()["blocked"].clone()
    };
    let refused = || {
        let refused = master.chat(&chat("m")).with_status(503);
        assert!(
            refused
                .message()
                .starts_with("Model 'm' is currently paused"),
            "{}",
            refused.text()
        );
        assert_eq!(told(&master, "m").unwrap()["model_info"]["blocked"], true);
    };
    assert_eq!(paused("/model/block"), true);
    refused();
    assert_eq!(paused("/model/unblock"), false);
    master.chat(&chat("m")).with_status(200);
    // The same by an update, in both of LiteLLM's places.
    for (blocked, resumed) in [
        (
            json!({"model_info": {"blocked": true}}),
            json!({"model_info": {"blocked": false}}),
        ),
        (json!({"blocked": true}), json!({"blocked": false})),
    ] {
        update(&master, "m", blocked).with_status(200);
        refused();
        update(&master, "m", resumed).with_status(200);
        master.chat(&chat("m")).with_status(200);
    }
    // In a group the others take its calls.
    let mut other = model(&simulator, "other");
    other["model_name"] = json!("m");
    add(&master, &other);
    paused("/model/block");
    let before = simulator.received("m");
    for _ in 0..10 {
        master.chat(&chat("m")).with_status(200);
    }
    assert_eq!(simulator.received("m"), before);
}

/// Rows are there after a restart, sealed; with another salt key they cannot be read, and that is told.
#[test]
fn rows_outlive_the_process() {
    let simulator = Simulator::start();
    let mut gateway = Setup::new(&config(&simulator))
        .env("LITELLM_SALT_KEY", "sk-salt-1")
        .start();
    add(&gateway.master(), &model(&simulator, "m"));
    gateway.terminate();
    gateway.start_again();
    gateway.master().chat(&chat("m")).with_status(200);
    gateway.terminate();
    gateway.change_env("LITELLM_SALT_KEY", "sk-salt-2");
    gateway.start_again();
    let master = gateway.master();
    master.chat(&chat("m")).with_status(400);
    master.chat(&chat("of-file")).with_status(200);
    let known = told(&master, "m").unwrap();
    let problem = known["model_info"]["problem"].as_str().unwrap();
    assert!(problem.contains("cannot be decrypted"), "{known}");
    assert_eq!(
        (&known["model_info"]["db_model"], &known["litellm_params"]),
        (&json!(true), &json!({}))
    );
    assert!(
        gateway
            .log()
            .contains("the model m (m) of the database is left out: ")
    );
    let other = gateway.caller(json!({}));
    assert_eq!(
        told(&other, "m"),
        None,
        "it is shown to administrators alone"
    );
    update(&master, "m", json!({"litellm_params": {"rpm": 1}})).with_status(400);
    delete(&master, "m").with_status(200);
    add(&master, &model(&simulator, "m"));
    master.chat(&chat("m")).with_status(200);
}

/// Another configuration file keeps the database's models, unless it says that there are none.
#[test]
fn a_reload_keeps_them() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator);
    let master = gateway.master();
    add(&master, &model(&simulator, "m"));
    let other = Config::of([Deployment::of(&simulator, "other")]);
    let told = gateway.reload(&other.clone().general("store_model_in_db", true));
    assert_eq!(
        told["removed"],
        json!([{"model_name": "of-file", "model_id": "id-of-file"}])
    );
    master.chat(&chat("m")).with_status(200);
    let told = gateway.reload(&other);
    assert_eq!(
        told["removed"],
        json!([{"model_name": "m", "model_id": "m"}])
    );
    master.chat(&chat("m")).with_status(400);
    gateway.reload(
        &other
            .clone()
            .general("supported_db_objects", json!(["mcp"]))
            .general("store_model_in_db", true),
    );
    master.chat(&chat("m")).with_status(400);
    gateway.reload(
        &other
            .general("supported_db_objects", json!(["models"]))
            .general("store_model_in_db", true),
    );
    master.chat(&chat("m")).with_status(200);
}

/// Where the file has one of the same id it counts, from the next look on.
#[test]
fn the_file_wins() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator);
    let master = gateway.master();
    add(&master, &model(&simulator, "m"));
    let same = Deployment::of(&simulator, "theirs").id("m").group("g");
    gateway.reload(&Config::of([same]).general("store_model_in_db", true));
    master.chat(&chat("g")).with_status(200);
    master.chat(&chat("theirs")).with_status(400);
    let all = master.get("/model/info").with_status(200).json();
    let problem = &all["data"][1]["model_info"]["problem"];
    assert!(
        problem
            .as_str()
            .unwrap()
            .contains("the configuration file has a deployment with this id"),
        "{all}"
    );
}

/// Settings of the environment count where the file says nothing.
#[test]
fn switched_on_by_the_environment() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "of-file");
    let gateway = Setup::new(&config).env("STORE_MODEL_IN_DB", "True").start();
    add(&gateway.master(), &model(&simulator, "m"));
    gateway.master().chat(&chat("m")).with_status(200);
}

/// A team's model is the team's under a name of its own, and on its list of models.
#[test]
fn a_model_of_a_team() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let master = gateway.master();
    gateway.team("t", |team| team.models = vec!["of-file".into()]);
    let of = |team: &str, id: &str| {
        let mut new = model(&simulator, id);
        new["model_name"] = json!("mine");
        new["model_info"]["team_id"] = json!(team);
        new
    };
    let missing = master.post("/model/new", &of("none", "a")).with_status(404);
    assert!(missing.message().contains("'none'"), "{}", missing.text());
    assert_eq!(told(&master, "a"), None);
    let caller = gateway.caller(json!({"team_id": "t"}));
    caller.chat(&chat("mine")).with_status(403);
    let row = add(&master, &of("t", "a"));
    let name = row["model_name"].as_str().unwrap();
    assert!(name.starts_with("model_name_t_"), "{row}");
    assert_eq!(row["model_info"]["team_public_model_name"], "mine");
    // Its list has the name now.
    assert_ne!(caller.chat(&chat("mine")).status, 403);
}
