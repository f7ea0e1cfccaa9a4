//! Names that lead to deployments: ids, aliases, teams' own names, providers' models, and names of nobody.

use crate::harness::{Client, Config, Deployment, Gateway, Setup, Value, chat, chat_with, json};
use crate::simulator::{Behaviour, Simulator};

/// The id of the deployment that answers a name.
fn answered_by(caller: &Client, name: &str) -> String {
    let reply = caller.chat(&chat(name)).with_status(200);
    assert_eq!(reply.json()["model"], name);
    reply.must("x-litellm-model-id").to_owned()
}

#[test]
fn an_id_names_one_deployment_alone() {
    let simulator = Simulator::start();
    let config = Config::of([
        Deployment::of(&simulator, "one").group("m"),
        Deployment::of(&simulator, "two").group("m"),
        Deployment::of(&simulator, "off")
            .group("m")
            .info("blocked", true),
    ])
    .router("num_retries", 1)
    .router("model_group_alias", json!({"the-second": "id-two"}));
    let gateway = Gateway::of(&config);
    let master = gateway.master();
    for _ in 0..12 {
        assert_eq!(answered_by(&master, "id-one"), "id-one");
        assert_eq!(answered_by(&master, "the-second"), "id-two");
    }
    let refused = master.chat(&chat("id-off")).with_status(503);
    let text = "Model 'id-off' is currently paused";
    assert!(refused.message().starts_with(text), "{}", refused.text());
    // No other one takes its calls; and it is called while it is left out, because it is asked for.
    simulator.behave("one", Behaviour::failing(429));
    let group = simulator.received("two");
    for _ in 0..6 {
        master.chat(&chat("id-one")).with_status(429);
    }
    assert!(simulator.received("one") >= 18);
    assert_eq!(simulator.received("two"), group);
    for _ in 0..6 {
        assert_eq!(answered_by(&master, "m"), "id-two");
    }
}

#[test]
fn an_id_has_fallbacks_like_any_name() {
    let simulator = Simulator::start();
    simulator.behave("one", Behaviour::failing(500));
    let config = Config::of([
        Deployment::of(&simulator, "one").group("m"),
        Deployment::of(&simulator, "two").group("m"),
        Deployment::of(&simulator, "other"),
    ])
    .router("num_retries", 0)
    .router("fallbacks", json!([{"id-one": ["other"]}]));
    let gateway = Gateway::of(&config);
    let reply = gateway.master().chat(&chat("id-one")).with_status(200);
    assert_eq!(reply.must("x-litellm-model-id"), "id-other");
    assert_eq!(reply.must("x-litellm-attempted-fallbacks"), "1");
}

#[test]
fn a_deployment_is_asked_for_by_its_own_model() {
    let simulator = Simulator::start();
    let base = simulator.base_url();
    let config = Config::of([
        Deployment::at(&base, "same").group("m").id("1"),
        Deployment::at(&base, "other").group("m").id("2"),
        Deployment::at(&base, "same").group("n").id("3"),
        // Its name is the model of others.
        Deployment::at(&base, "else").group("openai/same").id("4"),
    ]);
    let gateway = Gateway::of(&config);
    let master = gateway.master();
    assert_eq!(answered_by(&master, "openai/same"), "4");
    assert_eq!(answered_by(&master, "openai/other"), "2");
    let ask = |more: Value| master.chat(&chat_with("openai/same", more));
    let mut ids: Vec<String> = (0..24)
        .map(|_| {
            let reply = ask(json!({"specific_deployment": true})).with_status(200);
            reply.must("x-litellm-model-id").to_owned()
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids, ["1", "3"]);
    ask(json!({"specific_deployment": "yes"})).with_status(400);
    let unknown = chat_with("m", json!({"specific_deployment": true}));
    master.chat(&unknown).with_status(400);
    assert!(simulator.requests().iter().all(|sent| {
        let body = sent.json();
        body.get("specific_deployment").is_none()
    }));
}

#[test]
fn a_team_calls_its_models_by_names_of_its_own() {
    let simulator = Simulator::start();
    let of_team = |name: &str, team: &str| {
        Deployment::of(&simulator, name)
            .info("team_id", team)
            .info("team_public_model_name", "ours")
    };
    let config = Config::of([
        Deployment::of(&simulator, "shared"),
        of_team("t-1", "t"),
        of_team("t-2", "t"),
        of_team("u-1", "u"),
        Deployment::of(&simulator, "more")
            .group("shared")
            .info("team_id", "t"),
    ]);
    let gateway = Gateway::of(&config);
    gateway.team("t", |_| {});
    gateway.team("u", |_| {});
    let of = |team: &str| gateway.caller(json!({"team_id": team}));
    let (t, u, nobody) = (of("t"), of("u"), gateway.caller(json!({})));
    let all = |caller: &Client, name: &str| {
        let mut ids: Vec<String> = (0..24).map(|_| answered_by(caller, name)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    assert_eq!(all(&t, "ours"), ["id-t-1", "id-t-2"]);
    assert_eq!(all(&u, "ours"), ["id-u-1"]);
    assert_eq!(all(&t, "shared"), ["id-more", "id-shared"]);
    assert_eq!(all(&u, "shared"), ["id-shared"]);
    assert_eq!(all(&t, "t-1"), ["id-t-1"]);
    for (caller, name) in [
        (&u, "t-1"),
        (&u, "id-t-1"),
        (&nobody, "ours"),
        (&nobody, "id-u-1"),
    ] {
        let error = caller.chat(&chat(name)).with_status(400).message();
        assert!(error.contains("Invalid model name"), "{name}: {error}");
    }
    // An administrator may call what only one team has.
    let master = gateway.master();
    assert_eq!(all(&master, "u-1"), ["id-u-1"]);
    let error = master.chat(&chat("ours")).with_status(400).message();
    assert!(error.starts_with("Several teams"), "{error}");
    let names = |caller: &Client, path: &str, field: &str| {
        let list = caller.get(path).with_status(200).json();
        let mut names: Vec<String> = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|model| model[field].as_str().unwrap().to_owned())
            .collect();
        names.sort_unstable();
        names
    };
    assert_eq!(
        names(&t, "/v1/models", "id"),
        ["ours", "shared", "t-1", "t-2"]
    );
    assert_eq!(names(&u, "/v1/models", "id"), ["ours", "shared", "u-1"]);
    assert_eq!(names(&nobody, "/v1/models", "id"), ["shared"]);
    assert_eq!(
        names(&nobody, "/model_group/info", "model_group"),
        ["shared"]
    );
    assert_eq!(names(&u, "/model/info", "model_name"), ["shared", "u-1"]);
    assert_eq!(names(&master, "/model/info", "model_name").len(), 5);
    t.get("/v1/models/ours").with_status(200);
    nobody.get("/v1/models/ours").with_status(404);
}

#[test]
fn names_of_nobody() {
    let simulator = Simulator::start();
    let plain =
        Config::of([Deployment::of(&simulator, "m")]).router("default_fallbacks", json!(["m"]));
    let gateway = Gateway::of(&plain);
    let error = gateway.master().chat(&chat("zzz")).with_status(400).error();
    let text = "/chat/completions: Invalid model name passed in model=zzz. Call `/v1/models` to view available models for your key.";
    assert_eq!(
        (&error["message"], &error["type"]),
        (&json!(text), &json!("invalid_request_error"))
    );
    assert_eq!(simulator.requests().len(), 0);
    // Where a star could have stood for it, the router is asked, and knows of default fallbacks.
    let stars = |config: Config| {
        let gateway = Gateway::of(&config);
        gateway.master().chat(&chat("zzz"))
    };
    let models = || {
        [
            Deployment::of(&simulator, "m"),
            Deployment::of(&simulator, "s").group("s-*"),
        ]
    };
    let error = stars(Config::of(models())).with_status(400).message();
    let text = "You passed in model=zzz. There are no healthy deployments for this model";
    assert!(error.starts_with(text), "{error}");
    let config = Config::of(models()).router("default_fallbacks", json!(["m"]));
    let reply = stars(config).with_status(200);
    assert_eq!(reply.must("x-litellm-model-id"), "id-m");
}

#[test]
fn a_model_is_served_where_it_is_meant_to_be() {
    let simulator = Simulator::start();
    let of = |name: &str, environments: Value| {
        Deployment::of(&simulator, name).info("supported_environments", environments)
    };
    let config = Config::of([
        of("everywhere", json!([])),
        of("both", json!(["staging", "production"])),
        of("production", json!(["production"])),
    ]);
    for (environment, statuses) in [
        (Some("staging"), [200, 200, 400]),
        (Some("production"), [200, 200, 200]),
        (None, [200, 400, 400]),
    ] {
        let setup = Setup::new(&config);
        let gateway = match environment {
            Some(name) => setup.env("LITELLM_ENVIRONMENT", name).start(),
            None => setup.start(),
        };
        let master = gateway.master();
        let got = ["everywhere", "both", "production"].map(|name| master.chat(&chat(name)).status);
        assert_eq!(got, statuses, "{environment:?}");
    }
}
