//! Which models a caller may call and sees.

use crate::harness::{Client, Config, Deployment, Gateway, Request, Value, chat, json};
use crate::simulator::{Behaviour, Simulator};
use pointsman::store::{NewUser, UserRow, queries};

fn gateway(simulator: &Simulator) -> Gateway {
    let models =
        ["alpha", "beta", "gamma-1", "gamma-2"].map(|name| Deployment::of(simulator, name));
    Gateway::of(&Config::of(models).router("model_group_alias", json!({"nick": "beta"})))
}

fn sees(caller: &Client) -> Vec<String> {
    let list = caller.get("/v1/models").with_status(200).json();
    list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["id"].as_str().unwrap().to_owned())
        .collect()
}

const ALL: [&str; 5] = ["alpha", "beta", "gamma-1", "gamma-2", "nick"];

#[test]
fn the_list_of_a_key() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for (models, allowed) in [
        (json!([]), &ALL[..]),
        (json!(["*"]), &ALL[..]),
        (json!(["all-proxy-models"]), &ALL[..]),
        (json!(["beta"]), &["beta"]),
        (json!(["alpha", "gamma-2"]), &["alpha", "gamma-2"]),
        (json!(["gamma-*"]), &["gamma-1", "gamma-2"]),
        (json!(["elsewhere"]), &[]),
        (json!(["nick"]), &["nick"]),
    ] {
        let caller = gateway.caller(json!({"models": models}));
        assert_eq!(sees(&caller), allowed, "{models}");
        for name in ALL {
            let expected = if allowed.contains(&name) { 200 } else { 403 };
            assert_eq!(
                caller.chat(&chat(name)).status,
                expected,
                "{name} with {models}"
            );
        }
    }
}

#[test]
fn a_refusal_in_litellms_words() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({"models": ["alpha"]}));
    for model in ["beta", "there-is-no-such-model"] {
        let error = caller.chat(&chat(model)).with_status(403).error();
        assert_eq!(
            (&error["type"], &error["param"]),
            (&json!("key_model_access_denied"), &json!("model"))
        );
        let text = format!(
            "The requested model '{model}' is not available for this API key, or the model name is invalid. Check the models \
             available to you and try again."
        );
        assert_eq!(error["message"], text);
    }
    assert_eq!(simulator.requests().len(), 0);
}

#[test]
fn every_scope_must_allow() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    gateway.team("t", |team| {
        team.models = vec!["alpha".into(), "beta".into()]
    });
    let user = NewUser {
        row: UserRow::new("u", 0),
        models: vec!["beta".into(), "gamma-1".into()],
    };
    queries::upsert_user(&mut gateway.database(), &user).unwrap();
    let check = |fields: Value, allowed: &[&str], by: &str| {
        let caller = gateway.caller(fields.clone());
        assert_eq!(sees(&caller), allowed, "{fields}");
        for name in &ALL[..4] {
            let reply = caller.chat(&chat(name));
            if allowed.contains(name) {
                reply.with_status(200);
            } else if !by.is_empty() {
                assert_eq!(
                    reply.with_status(403).error()["type"],
                    by,
                    "{fields}: {name}"
                );
            } else {
                reply.with_status(403);
            }
        }
    };
    check(
        json!({"team_id": "t"}),
        &["alpha", "beta"],
        "team_model_access_denied",
    );
    check(
        json!({"team_id": "t", "models": ["all-team-models"]}),
        &["alpha", "beta"],
        "",
    );
    check(
        json!({"team_id": "t", "models": ["beta", "gamma-1"]}),
        &["beta"],
        "",
    );
    check(
        json!({"user_id": "u"}),
        &["beta", "gamma-1"],
        "user_model_access_denied",
    );
    // A user's list is for personal keys.
    check(
        json!({"user_id": "u", "team_id": "t"}),
        &["alpha", "beta"],
        "",
    );
}

#[test]
fn a_model_that_there_is_not() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for (path, body, model) in [
        ("/v1/chat/completions", chat("nothing"), "nothing"),
        ("/chat/completions", chat("nothing"), "nothing"),
        ("/v1/chat/completions", json!({"messages": []}), "None"),
        (
            "/v1/chat/completions",
            json!({"model": null, "messages": []}),
            "None",
        ),
        (
            "/v1/chat/completions",
            json!({"model": "", "messages": []}),
            "",
        ),
    ] {
        let error = gateway.master().post(path, &body).with_status(400).error();
        let text = format!(
            "/chat/completions: Invalid model name passed in model={model}. Call `/v1/models` to view available models for your key."
        );
        assert_eq!(error["message"], text);
        assert_eq!(error["type"], "invalid_request_error");
    }
}

/// A name leads by group, alias, deployment id, or the deployment's own model.
#[test]
fn every_name_that_leads() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for name in ["alpha", "nick", "id-alpha", "openai/alpha"] {
        let reply = gateway.master().chat(&chat(name));
        assert_eq!(
            reply.status,
            200,
            "{name}: {}",
            String::from_utf8_lossy(&reply.body)
        );
    }
}

/// Who may call a model only because of an access group gets those of its deployments that are in the group.
#[test]
fn an_access_group_leads_to_its_own_deployments() {
    let simulator = Simulator::start();
    let member = |id: &str, groups: Value| {
        Deployment::of(&simulator, "m")
            .id(id)
            .param("model", format!("openai/{id}"))
            .info("access_groups", groups)
    };
    let config = Config::of([
        member("of-beta", json!(["beta"])),
        member("of-gamma", json!(["gamma"])),
        member("of-both", json!(["beta", "gamma"])),
        Deployment::of(&simulator, "m")
            .id("of-none")
            .param("model", "openai/of-none"),
        Deployment::of(&simulator, "other").info("access_groups", json!(["beta"])),
    ])
    .router("num_retries", 0)
    .router("model_group_alias", json!({"nick": "m"}))
    .router("fallbacks", json!([{"other": ["m"]}]))
    .never_cooling();
    let gateway = Gateway::of(&config);
    gateway.team("t", |team| team.models = vec!["gamma".into()]);
    let taken = |caller: &Client, model: &str| {
        let mut ids: Vec<String> = (0..24)
            .map(|_| {
                let reply = caller.chat(&chat(model)).with_status(200);
                reply.must("x-litellm-model-id").to_owned()
            })
            .collect();
        ids.sort();
        ids.dedup();
        ids.join(" ")
    };
    let all = "of-beta of-both of-gamma of-none";
    for (fields, expected) in [
        (json!({}), all),
        (json!({"models": ["*"]}), all),
        (json!({"models": ["m", "beta"]}), all),
        (json!({"models": ["beta"]}), "of-beta of-both"),
        (
            json!({"models": ["beta", "gamma"]}),
            "of-beta of-both of-gamma",
        ),
        (json!({"team_id": "t"}), "of-both of-gamma"),
        (json!({"team_id": "t", "models": ["beta"]}), "of-both"),
        (
            json!({"team_id": "t", "models": ["all-team-models"]}),
            "of-both of-gamma",
        ),
    ] {
        let caller = gateway.caller(fields.clone());
        assert_eq!(taken(&caller, "m"), expected, "{fields}");
    }
    // By another name of the model, too; a key that has the name on its list has the model.
    let caller = gateway.caller(json!({"models": ["beta"]}));
    assert_eq!(taken(&caller, "nick"), "of-beta of-both");
    let caller = gateway.caller(json!({"models": ["nick", "beta"]}));
    assert_eq!(taken(&caller, "nick"), all);
    assert_eq!(taken(&caller, "m"), "of-beta of-both");
    // Those that are left out stay so when the others fail, and fallbacks go by the same rule.
    for model in ["of-beta", "of-both", "other"] {
        simulator.behave(model, Behaviour::failing(500));
    }
    let caller = gateway.caller(json!({"models": ["beta"]}));
    simulator.take();
    for model in ["m", "other"] {
        caller.chat(&chat(model)).with_status(500);
    }
    let mut asked: Vec<String> = simulator
        .take()
        .iter()
        .filter_map(|one| one.json()["model"].as_str().map(str::to_owned))
        .collect();
    asked.sort();
    asked.dedup();
    assert!(
        asked
            .iter()
            .all(|model| ["of-beta", "of-both", "other"].contains(&model.as_str())),
        "{asked:?}"
    );
    // The decision tells why.
    simulator.behave("of-both", Behaviour::saying("yes"));
    let told = gateway
        .caller(json!({"models": ["gamma"]}))
        .ask(
            Request::post("/v1/chat/completions", chat("m").to_string())
                .header("x-pointsman-explain", "true"),
        )
        .with_status(200);
    assert!(
        told.must("x-pointsman-explain")
            .contains("none of the access groups"),
        "{}",
        told.must("x-pointsman-explain")
    );
}
