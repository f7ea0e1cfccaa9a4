//! Lists of models without those that nobody serves.

use super::{health_when, json};
use crate::harness::{Client, Config, Deployment, Gateway, Request, Value, chat};
use crate::simulator::{Behaviour, Simulator};

/// `half` has one that works, `gone` none; `other` is another name of it.
fn config(simulator: &Simulator) -> Config {
    simulator.behave("ill", Behaviour::failing(401));
    Config::of([
        Deployment::of(simulator, "well").group("half"),
        Deployment::of(simulator, "ill").group("half"),
        Deployment::of(simulator, "ill").group("gone").id("alone"),
    ])
    .router("model_group_alias", json!({"other": "gone"}))
    .general("background_health_checks", true)
    .general("health_check_interval", 3600)
}

fn checked(config: &Config) -> Gateway {
    let gateway = Gateway::of(config);
    health_when(&gateway, "the first round", |health| {
        health["unhealthy_count"] == 2
    });
    gateway
}

fn names(list: &Value, key: &str) -> Vec<String> {
    let data = list["data"].as_array().expect("a list");
    let name = |model: &Value| model[key].as_str().expect("a name").to_owned();
    let mut names: Vec<_> = data.iter().map(name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn listed(client: &Client, path: &str, key: &str) -> Vec<String> {
    names(&client.get(path).with_status(200).json(), key)
}

#[test]
fn models_that_nobody_serves_are_left_out_where_that_is_wanted() {
    let simulator = Simulator::start();
    let gateway = checked(&config(&simulator).general("model_list_healthy_only", true));
    let master = gateway.master();
    assert_eq!(listed(&master, "/v1/models", "id"), ["half"]);
    assert_eq!(
        listed(&master, "/v1/models?healthy_only=false", "id"),
        ["half"],
        "nobody can switch it off"
    );
    let anthropic = Request::get("/v1/models").header("anthropic-version", "2023-06-01");
    assert_eq!(names(&master.ask(anthropic).json(), "id"), ["half"]);
    assert_eq!(listed(&master, "/model/info", "model_name"), ["half"]);
    for (name, status) in [("half", 200), ("gone", 404), ("other", 404)] {
        let path = format!("/v1/models/{name}");
        master.get(&path).with_status(status);
    }
    // What is asked for by its id is shown.
    let alone = "/model/info?litellm_model_id=alone";
    assert_eq!(listed(&master, alone, "model_name"), ["gone"]);
    // It is about lists alone.
    simulator.behave("ill", Behaviour::default());
    master.chat(&chat("gone")).with_status(200);
}

#[test]
fn one_request_may_want_it() {
    let simulator = Simulator::start();
    let gateway = checked(&config(&simulator));
    let master = gateway.master();
    let all = ["gone", "half", "other"];
    assert_eq!(listed(&master, "/v1/models", "id"), all);
    assert_eq!(
        listed(&master, "/v1/models?healthy_only=true", "id"),
        ["half"]
    );
    assert_eq!(
        listed(&master, "/model/info?healthy_only=true", "model_name"),
        ["half"]
    );
    master
        .get("/v1/models?healthy_only=perhaps")
        .with_status(422);
}

/// Where nothing is known nothing is left out.
#[test]
fn what_is_not_checked_is_shown() {
    let simulator = Simulator::start();
    let config = config(&simulator)
        .general("model_list_healthy_only", true)
        .general("background_health_checks", false);
    let gateway = Gateway::of(&config);
    gateway.master().get("/health").with_status(200);
    let all = ["gone", "half", "other"];
    assert_eq!(listed(&gateway.master(), "/v1/models", "id"), all);
}
