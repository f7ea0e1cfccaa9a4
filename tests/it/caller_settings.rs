//! `router_settings` of keys and teams: how the routing of their calls differs.

use std::time::{Duration, Instant};

use crate::harness::{Client, Config, Deployment, Gateway, Value, chat_with, json};
use crate::simulator::{Behaviour, Simulator};

/// A group `a` that fails, and others that answer.
fn gateway(simulator: &Simulator, router: Value) -> Gateway {
    simulator.behave("a", Behaviour::failing(500));
    for name in ["b", "c", "d"] {
        simulator.behave(name, Behaviour::saying(name));
    }
    let groups = ["a", "b", "c", "d"].map(|name| Deployment::of(simulator, name));
    let config = Config::of(groups).router("num_retries", 0).never_cooling();
    let settings = router.as_object().cloned().unwrap_or_default();
    let config = settings
        .into_iter()
        .fold(config, |config, (name, value)| config.router(&name, value));
    Gateway::of(&config)
}

/// The group that answers a request for `a`, or the status.
fn answered_by(client: &Client, fields: Value) -> String {
    let reply = client.chat(&chat_with("a", fields));
    match reply.status {
        200 => reply.must("x-litellm-model-group").to_owned(),
        status => status.to_string(),
    }
}

fn with(settings: Value) -> Value {
    json!({ "router_settings": settings })
}

#[test]
fn fallbacks_of_request_then_key_then_team_then_configuration() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator, json!({"fallbacks": [{"a": ["b"]}]}));
    gateway.team("t", |team| {
        team.row.router_settings = json!({"fallbacks": [{"a": ["c"]}]}).to_string();
    });
    let of_nobody = gateway.caller(json!({}));
    let of_team = gateway.caller(json!({"team_id": "t"}));
    let key = json!({"team_id": "t", "router_settings": {"fallbacks": [{"a": ["d"]}]}});
    let of_key = gateway.caller(key);
    // A key's settings take the place of its team's as a whole.
    let other = json!({"team_id": "t", "router_settings": {"num_retries": 0}});
    let without_fallbacks = gateway.caller(other);
    let own = json!({"fallbacks": ["c"]});
    for (what, client, fields, expected) in [
        ("nobody says anything", &of_nobody, json!({}), "b"),
        ("the team", &of_team, json!({}), "c"),
        ("the key", &of_key, json!({}), "d"),
        (
            "the key, of other things",
            &without_fallbacks,
            json!({}),
            "b",
        ),
        ("the request", &of_key, own, "c"),
        (
            "nothing at all",
            &of_key,
            json!({"disable_fallbacks": true}),
            "500",
        ),
    ] {
        assert_eq!(answered_by(client, fields), expected, "{what}");
    }
}

#[test]
fn lists_for_long_prompts_and_refused_content() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator, json!({}));
    let refuse = |code: &str, message: &str| {
        let error = json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}});
        simulator.behave("a", Behaviour::of(json!({"status": 400, "body": error})));
    };
    let caller = gateway.caller(with(json!({
        "context_window_fallbacks": [{"a": ["c"]}],
        "content_policy_fallbacks": [{"a": ["d"]}],
    })));
    refuse(
        "context_length_exceeded",
        "This model's maximum context length is 8 tokens.",
    );
    assert_eq!(answered_by(&caller, json!({})), "c");
    refuse(
        "content_policy_violation",
        "Your request was rejected as a result of our safety system.",
    );
    assert_eq!(answered_by(&caller, json!({})), "d");
}

#[test]
fn retries_and_time_limits() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator, json!({}));
    let calls = |client: &Client, fields: Value| {
        simulator.take();
        answered_by(client, fields);
        simulator.take().len()
    };
    let twice = gateway.caller(with(json!({"num_retries": 1})));
    let policy = json!({"a": {"InternalServerErrorRetries": 0}});
    let by_class = with(json!({"num_retries": 1, "model_group_retry_policy": policy}));
    let never = gateway.caller(by_class);
    assert_eq!(calls(&gateway.master(), json!({})), 1);
    assert_eq!(calls(&twice, json!({})), 2);
    assert_eq!(calls(&twice, json!({"num_retries": 0})), 1);
    assert_eq!(calls(&never, json!({})), 1);

    simulator.behave("a", Behaviour::of(json!({"hang": "before_head"})));
    let hurried = gateway.caller(with(json!({"timeout": 0.3})));
    let began = Instant::now();
    assert_eq!(answered_by(&hurried, json!({})), "408");
    assert!(began.elapsed() < Duration::from_secs(5));
    let began = Instant::now();
    assert_eq!(answered_by(&hurried, json!({"timeout": 0.8})), "408");
    assert!(began.elapsed() >= Duration::from_millis(800));
}

#[test]
fn another_strategy_or_other_weights() {
    let simulator = Simulator::start();
    simulator.behave("a", Behaviour::saying("a"));
    let member = |id: &str, weight: f64, cost: f64| {
        let deployment = Deployment::of(&simulator, "a").id(id).priced(cost, cost);
        deployment.param("weight", weight)
    };
    let gateway = Gateway::of(&Config::of([
        member("dear", 1e6, 0.01),
        member("cheap", 1e-6, 0.0001),
        member("third", 1e-6, 0.02),
    ]));
    let taken_by = |client: &Client| {
        let reply = client.chat(&chat_with("a", json!({}))).with_status(200);
        reply.must("x-litellm-model-id").to_owned()
    };
    let by_cost = with(json!({"routing_strategy": "cost-based-routing"}));
    let weighted = with(json!({"weights": {"a": {"third": 1}, "b": {"dear": 1}}}));
    let without_effect = with(json!({"weights": {"a": {"third": 0, "nobody": 1}}}));
    gateway.team("t", |team| {
        team.row.router_settings = json!({"weights": {"a": {"cheap": 1}}}).to_string();
    });
    for (caller, expected) in [
        (gateway.master(), "dear"),
        (gateway.caller(by_cost), "cheap"),
        (gateway.caller(weighted), "third"),
        (gateway.caller(without_effect), "dear"),
        (gateway.caller(json!({"team_id": "t"})), "cheap"),
    ] {
        for _ in 0..3 {
            assert_eq!(taken_by(&caller), expected);
        }
    }
}

#[test]
fn tags_may_choose_for_some_keys() {
    let simulator = Simulator::start();
    simulator.behave("a", Behaviour::saying("a"));
    let member = |id: &str, tag: &str, weight: f64| {
        let deployment = Deployment::of(&simulator, "a").id(id);
        deployment
            .param("tags", json!([tag]))
            .param("weight", weight)
    };
    let gateway = Gateway::of(&Config::of([member("x", "x", 1e6), member("y", "y", 1e-6)]));
    let taken_by = |client: &Client, tag: &str| {
        let reply = client
            .chat(&chat_with("a", json!({"tags": [tag]})))
            .with_status(200);
        reply.must("x-litellm-model-id").to_owned()
    };
    let chosen = gateway.caller(with(json!({"enable_tag_filtering": true})));
    assert_eq!(taken_by(&gateway.master(), "y"), "x");
    assert_eq!(taken_by(&chosen, "y"), "y");
}

#[test]
fn settings_are_kept_shown_and_taken_away() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator, json!({}));
    // One that has no effect here, nor in LiteLLM, is kept.
    let settings = json!({"fallbacks": [{"a": ["b"]}], "num_retries": 0, "allowed_fails": 7});
    let key = gateway.key(with(settings.clone()));
    assert_eq!(key.answer["router_settings"], settings);
    assert_eq!(gateway.key_info(&key)["router_settings"], settings);
    let client = gateway.client(&key.secret);
    assert_eq!(answered_by(&client, json!({})), "b");
    for (settings, expected) in [
        (json!({"fallbacks": [{"a": ["c"]}]}), "c"),
        (json!(null), "500"),
        (json!({"fallbacks": ["d"]}), "d"),
        (json!({}), "500"),
    ] {
        let update = json!({"key": key.secret, "router_settings": settings});
        let shown = gateway
            .master()
            .post("/key/update", &update)
            .with_status(200)
            .json();
        let is_empty = settings
            .as_object()
            .is_none_or(|settings| settings.is_empty());
        let kept = if is_empty { json!(null) } else { settings };
        assert_eq!(shown["router_settings"], kept);
        assert_eq!(answered_by(&client, json!({})), expected, "{kept}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator, json!({}));
    let key = gateway.key(json!({}));
    for (settings, part) in [
        (
            json!({"num_retries": -1}),
            "router_settings.num_retries: expected a whole number from 0 to 1000",
        ),
        (
            json!({"timeout": "soon"}),
            "router_settings.timeout: expected seconds",
        ),
        (
            json!({"fallbacks": "b"}),
            "router_settings.fallbacks: expected a list",
        ),
        (
            json!({"fallbacks": [{"model": "b", "api_base": "https://x"}]}),
            "router_settings.fallbacks: expected a list without api_base",
        ),
        (
            json!({"routing_strategy": "fastest"}),
            "router_settings.routing_strategy: expected",
        ),
        (
            json!({"num_retrys": 1}),
            "router_settings.num_retrys: expected no field of this name",
        ),
        (
            json!({"weights": {"a": {"id-a": -1}}}),
            "router_settings.weights: expected a map",
        ),
    ] {
        let update = json!({"key": key.secret, "router_settings": settings});
        for (path, body) in [
            ("/key/generate", with(settings.clone())),
            ("/key/update", update),
        ] {
            let error = gateway.master().post(path, &body).with_status(400).error();
            assert_eq!(error["param"], "router_settings", "{settings}");
            let message = error["message"].as_str().unwrap();
            assert!(message.starts_with(part), "{message}");
        }
    }
    let body = with(json!([1]));
    gateway
        .master()
        .post("/key/generate", &body)
        .with_status(422);
}

/// A user does not reach by a fallback what its own key may not call.
#[test]
fn fallbacks_of_a_users_key_stay_within_its_own() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator, json!({}));
    gateway.user("u", |_| {});
    let own = gateway.caller(json!({"user_id": "u", "models": ["a", "b"]}));
    let make = |fallback: &str| {
        let settings = json!({"fallbacks": [{"a": [fallback]}]});
        let body = json!({"user_id": "u", "models": ["a"], "router_settings": settings});
        own.post("/key/generate", &body)
    };
    make("b").with_status(200);
    let refused = make("c").with_status(403);
    assert!(refused.text().contains("'c'"), "{}", refused.text());
}
