//! What is told about models, and to whom.

use crate::harness::{Client, Config, Deployment, Gateway, PROVIDER_KEY, Value, json};
use crate::simulator::Simulator;

fn gateway(simulator: &Simulator) -> Gateway {
    let base = simulator.base_url();
    let mini = Deployment::at(&base, "gpt-4o-mini")
        .param("rpm", 10)
        .param("temperature", 0.5)
        .param(
            "extra_headers",
            json!({"x-secret": "headers-are-secret-0001"}),
        )
        .param("azure_ad_token", "an-azure-token-0001");
    let dear = Deployment::at(&base, "gpt-4o")
        .group("gpt-4o-mini")
        .id("dear")
        .param("rpm", 5)
        .param("input_cost_per_token", 0.5)
        .info("supports_vision", false)
        .info("team", "blue")
        .info("max_output_tokens", 77);
    let unlisted = Deployment::at(&base, "home-made").id("home");
    let gateway = Gateway::of(
        &Config::of([mini, dear, unlisted])
            .router("model_group_alias", json!({"nick": "gpt-4o-mini"})),
    );
    for secret in ["headers-are-secret-0001", "an-azure-token-0001"] {
        gateway.plant(secret);
    }
    gateway
}

fn data(caller: &Client, path: &str) -> Vec<Value> {
    let reply = caller.get(path).with_status(200);
    for secret in [
        PROVIDER_KEY,
        "headers-are-secret-0001",
        "an-azure-token-0001",
    ] {
        assert!(!reply.text().contains(secret), "{path}");
    }
    reply.json()["data"].as_array().unwrap().clone()
}

#[test]
fn deployments_with_catalogue_and_overrides_and_without_secrets() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let all = data(&gateway.master(), "/model/info");
    assert_eq!(all, data(&gateway.master(), "/v1/model/info"));
    assert_eq!(all.len(), 3);
    let (mini, dear, home) = (&all[0], &all[1], &all[2]);
    assert_eq!(mini["model_name"], "gpt-4o-mini");
    let params = &mini["litellm_params"];
    assert_eq!(
        (&params["model"], &params["rpm"], &params["temperature"]),
        (&json!("openai/gpt-4o-mini"), &json!(10), &json!(0.5))
    );
    assert!(
        ["api_key", "extra_headers", "azure_ad_token"]
            .iter()
            .all(|name| params.get(name).is_none())
    );
    let info = &mini["model_info"];
    for (field, expected) in [
        ("id", json!("id-gpt-4o-mini")),
        ("db_model", json!(false)),
        ("key", json!("gpt-4o-mini")),
        ("litellm_provider", json!("openai")),
        ("mode", json!("chat")),
        ("max_input_tokens", json!(128_000)),
        ("input_cost_per_token", json!(1.5e-7)),
        ("output_cost_per_token", json!(6e-7)),
        ("supports_vision", json!(true)),
        ("supports_function_calling", json!(true)),
    ] {
        assert_eq!(info[field], expected, "{field}");
    }
    let info = &dear["model_info"];
    assert_eq!(
        (
            &info["id"],
            &info["input_cost_per_token"],
            &info["supports_vision"],
            &info["team"],
            &info["max_output_tokens"]
        ),
        (
            &json!("dear"),
            &json!(0.5),
            &json!(false),
            &json!("blue"),
            &json!(77)
        )
    );
    assert_eq!(dear["litellm_params"]["input_cost_per_token"], 0.5);
    // What has no price has none: it is not free.
    assert_eq!(home["model_info"]["input_cost_per_token"], Value::Null);

    let one = data(&gateway.master(), "/model/info?litellm_model_id=dear");
    assert_eq!(
        (one.len(), &one[0]["model_info"]["id"]),
        (1, &json!("dear"))
    );
    let unknown = gateway
        .master()
        .get("/model/info?litellm_model_id=none")
        .with_status(400)
        .json();
    assert!(
        unknown["detail"]["error"]
            .as_str()
            .unwrap()
            .contains("none"),
        "{unknown}"
    );
}

#[test]
fn groups_have_what_their_members_have_together() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let all = data(&gateway.master(), "/model_group/info");
    let names: Vec<&Value> = all.iter().map(|group| &group["model_group"]).collect();
    assert_eq!(names, ["gpt-4o-mini", "home-made", "nick"]);
    let mini = &all[0];
    for (field, expected) in [
        ("providers", json!(["openai"])),
        ("rpm", json!(15)),
        ("tpm", Value::Null),
        ("mode", json!("chat")),
        ("input_cost_per_token", json!(0.5)),
        ("max_input_tokens", json!(128_000.0)),
        ("supports_vision", json!(true)),
        ("is_public_model_group", json!(false)),
    ] {
        assert_eq!(mini[field], expected, "{field}");
    }
    assert_eq!(
        data(&gateway.master(), "/model_group/info?model_group=nick").len(),
        1
    );
    assert_eq!(
        data(&gateway.master(), "/model_group/info?model_group=none").len(),
        0
    );
}

#[test]
fn the_list_may_hold_wildcards_and_access_groups() {
    let simulator = Simulator::start();
    let base = simulator.base_url();
    let gateway = Gateway::of(&Config::of([
        Deployment::at(&base, "a").info("access_groups", json!(["beta"])),
        Deployment::at(&base, "b").group("b/*"),
    ]));
    let names = |caller: &Client, query: &str| -> Vec<String> {
        let models = data(caller, &format!("/v1/models{query}"));
        models
            .iter()
            .map(|model| model["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let master = gateway.master();
    assert_eq!(names(&master, ""), ["a"]);
    assert_eq!(names(&master, "?return_wildcard_routes=true"), ["a", "b/*"]);
    assert_eq!(
        names(&master, "?include_model_access_groups=true"),
        ["a", "beta"]
    );
    assert_eq!(names(&master, "?only_model_access_groups=true"), ["beta"]);
    let of_group = gateway.caller(json!({"models": ["beta"]}));
    assert_eq!(
        names(&of_group, "?include_model_access_groups=1"),
        ["a", "beta"]
    );
    let of_model = gateway.caller(json!({"models": ["a"]}));
    assert_eq!(names(&of_model, "?include_model_access_groups=1"), ["a"]);
    assert_eq!(data(&of_group, "/model/info").len(), 1);
    master
        .get("/v1/models?return_wildcard_routes=perhaps")
        .with_status(422);
}

#[test]
fn a_key_sees_what_it_may_call() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({"models": ["home-made"], "aliases": {"mine": "home-made"}}));
    assert_eq!(data(&caller, "/model/info").len(), 1);
    assert_eq!(data(&caller, "/model_group/info").len(), 1);
    assert_eq!(data(&caller, "/v1/models").len(), 1);
    caller
        .get("/model/info?litellm_model_id=dear")
        .with_status(400);
    for (name, status) in [
        ("home-made", 200),
        ("mine", 200),
        ("gpt-4o-mini", 404),
        ("nick", 404),
        ("none/at/all", 404),
    ] {
        for path in ["/v1/models", "/models"] {
            let reply = caller.get(&format!("{path}/{name}")).with_status(status);
            match status {
                200 => assert_eq!(reply.json()["id"], name),
                _ => assert_eq!(
                    reply.error()["message"],
                    format!("The model `{name}` does not exist or is not accessible")
                ),
            }
        }
    }
}
