//! Names with stars: what agents ask for in the background lands where the owner wants.

use crate::harness::{Config, Deployment, Gateway, chat, json};
use crate::simulator::Simulator;

/// The model that the provider was asked for.
#[track_caller]
fn asked(simulator: &Simulator) -> String {
    let request = simulator.take().pop().expect("a request");
    let body: crate::harness::Value = serde_json::from_slice(&request.body).expect("JSON");
    body["model"].as_str().expect("a model").to_owned()
}

fn gateway(simulator: &Simulator) -> Gateway {
    let deployments = [
        Deployment::of(simulator, "up-cheap").group("cheap"),
        Deployment::of(simulator, "up-large").group("large"),
        Deployment::of(simulator, "up-any").group("local/*"),
        Deployment::of(simulator, "many/*").group("many/*"),
        Deployment::of(simulator, "up-exact").group("claude-haiku-exact"),
    ];
    let aliases = json!({
        "claude-*": "large",
        "claude-*haiku*": "cheap",
        "claude-hidden-*": {"model": "cheap", "hidden": true},
    });
    Gateway::of(&Config::of(deployments).router("model_group_alias", aliases))
}

#[test]
fn stars_lead_to_the_group_that_says_most_of_the_name() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let client = gateway.master();
    for (name, upstream) in [
        ("claude-3-5-haiku-20241022", "up-cheap"),
        ("claude-haiku-4-5", "up-cheap"),
        ("claude-opus-4-8", "up-large"),
        ("claude-", "up-large"),
        ("claude-hidden-x", "up-cheap"),
        // A name of its own beats all patterns.
        ("claude-haiku-exact", "up-exact"),
        ("local/llama", "up-any"),
        // The star stands for the model of the provider too.
        ("many/llama", "many/llama"),
        ("claude-*", "up-large"),
    ] {
        client.chat(&chat(name)).with_status(200);
        assert_eq!(asked(&simulator), upstream, "{name}");
    }
    for name in ["claude", "gpt-4o", "xclaude-haiku", "local"] {
        client.chat(&chat(name)).with_status(400);
    }
    assert_eq!(simulator.requests().len(), 0);
    let list = client.get("/v1/models").json();
    let names = list["data"].as_array().expect("a list").len();
    assert_eq!(names, 3, "names with stars are not listed: {list}");
    let list = client.get("/v1/models?return_wildcard_routes=true").json();
    assert_eq!(list["data"].as_array().expect("a list").len(), 7, "{list}");
}

#[test]
fn a_key_has_names_with_stars_of_its_own() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller =
        gateway.caller(json!({"aliases": {"claude-*haiku*": "large", "claude-haiku-x": "cheap"}}));
    for (name, upstream) in [
        ("claude-haiku-4-5", "up-large"),
        ("claude-haiku-x", "up-cheap"),
        ("claude-opus-4-8", "up-large"),
    ] {
        caller.chat(&chat(name)).with_status(200);
        assert_eq!(asked(&simulator), upstream, "{name}");
    }
}

/// A list holds names as they are asked for.
#[test]
fn lists_of_models_hold_for_names_with_stars() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({"models": ["large", "claude-*haiku*"]}));
    caller.chat(&chat("claude-3-5-haiku")).with_status(200);
    caller.chat(&chat("claude-opus-4-8")).with_status(403);
}
