//! Making keys.

use crate::harness::{Config, Gateway, Value, at_once, chat, json};
use crate::simulator::Simulator;

fn gateway(simulator: &Simulator) -> Gateway {
    Gateway::of(&Config::single(simulator, "m"))
}

#[test]
fn a_key_as_it_is_answered() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    gateway.team("t-blue", |_| {});
    let key = gateway.key(json!({
        "key_alias": "ci-bot", "team_id": "t-blue", "user_id": "u-1", "models": ["m", "other"], "max_budget": 5,
        "rpm_limit": 60, "tpm_limit": 1000, "max_parallel_requests": 3, "duration": "30d", "metadata": {"owner": "ops"},
    }));
    assert!(
        key.secret.starts_with("sk-") && key.secret.len() == 25,
        "{}",
        key.secret
    );
    assert_eq!(
        key.hash,
        pointsman::types::KeyHash::of(&key.secret).to_string()
    );
    let answer = &key.answer;
    let last_four = &key.secret[key.secret.len() - 4..];
    for (field, expected) in [
        ("key_name", json!(format!("sk-...{last_four}"))),
        ("key_alias", json!("ci-bot")),
        ("token_id", json!(key.hash)),
        ("team_id", json!("t-blue")),
        ("user_id", json!("u-1")),
        ("models", json!(["m", "other"])),
        ("spend", json!(0.0)),
        ("max_budget", json!(5.0)),
        ("rpm_limit", json!(60)),
        ("tpm_limit", json!(1000)),
        ("max_parallel_requests", json!(3)),
        ("metadata", json!({"owner": "ops"})),
        ("created_by", json!("default_user_id")),
        ("permissions", json!({})),
        ("litellm_budget_table", Value::Null),
    ] {
        assert_eq!(answer[field], expected, "{field} of {answer}");
    }
    assert!(
        answer["expires"].as_str().unwrap().starts_with("20"),
        "{answer}"
    );
    // `/key/info` tells the same, without the secret.
    let info = gateway.key_info(&key);
    for field in [
        "key_alias",
        "models",
        "max_budget",
        "rpm_limit",
        "expires",
        "metadata",
        "team_id",
        "user_id",
        "key_name",
    ] {
        assert_eq!(info[field], answer[field], "{field}");
    }
    assert!(!info.to_string().contains(&key.secret) && info.get("token").is_none());
    // Made by the master for nobody in particular, a key has no user.
    assert_eq!(gateway.key(json!({})).answer["user_id"], Value::Null);
}

#[test]
fn a_key_may_be_brought_along() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let custom = "sk-brought-along-0001";
    let key = gateway.key(json!({"key": custom, "rpm_limit": 1}));
    assert_eq!(key.secret, custom);
    gateway.client(custom).chat(&chat("m")).with_status(200);
    // Taken: the stored row stays as it is.
    gateway
        .master()
        .post("/key/generate", &json!({"key": custom, "rpm_limit": 99}))
        .with_status(400);
    assert_eq!(gateway.key_info(&key)["rpm_limit"], 1);
    gateway.client(custom).chat(&chat("m")).with_status(429);
}

#[test]
fn what_is_refused() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    gateway.key(json!({"key_alias": "taken"}));
    let taken =
        "Key with alias 'taken' already exists. Unique key aliases across all keys are required.";
    for (fields, status, text) in [
        (
            json!({"max_budget": -1}),
            400,
            "max_budget must be a non-negative finite number. Received: -1",
        ),
        (json!({"max_budget": 1e300}), 400, "max_budget"),
        (json!({"rpm_limit": -1}), 400, "rpm_limit"),
        (json!({"tpm_limit": -5}), 400, "tpm_limit"),
        (
            json!({"max_parallel_requests": -5}),
            400,
            "max_parallel_requests",
        ),
        (json!({"key": "sk-short"}), 400, "16"),
        (json!({"key": "no-prefix-but-long-enough"}), 400, "sk-"),
        (json!({"key_alias": "taken"}), 400, taken),
        (json!({"team_id": "nowhere"}), 404, "nowhere"),
        (json!({"duration": "soon"}), 400, "duration"),
        (json!({"duration": "-5d"}), 400, "duration"),
        (json!({"duration": "999999999999999d"}), 400, "duration"),
        (json!({"max_budget": "much"}), 422, "max_budget"),
        (json!({"models": "m"}), 422, "models"),
        (json!({"rpm_limit": "9"}), 422, "rpm_limit"),
        (json!({"metadata": []}), 422, "metadata"),
        (json!({"key_alias": {"a": 1}}), 422, "key_alias"),
        (json!([]), 422, "dictionary"),
        (json!(null), 422, "dictionary"),
        (json!({"key_alias": "nul\u{0}"}), 400, "key_alias"),
        (json!({"key_alias": "x".repeat(10_000)}), 400, "key_alias"),
    ] {
        let reply = gateway.master().post("/key/generate", &fields);
        let told = fields.to_string().chars().take(120).collect::<String>();
        assert_eq!(
            reply.status,
            status,
            "{told}: {}",
            String::from_utf8_lossy(&reply.body)
        );
        assert!(reply.text().contains(text), "{told}: {}", reply.text());
        match status {
            422 => assert!(reply.json()["detail"].is_array(), "{told}"),
            _ => drop(reply.error()),
        }
    }
    let broken = gateway
        .master()
        .ask(crate::harness::Request::post(
            "/key/generate",
            "{\"key_alias\": ",
        ))
        .with_status(422);
    assert_eq!(broken.json()["detail"][0]["type"], "json_invalid");
}

/// The credential is judged before the body.
#[test]
fn without_a_key_a_bad_body_is_not_looked_at() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let nobody = gateway.anonymous();
    for body in ["{", "[]", "{\"max_budget\": \"x\"}"] {
        nobody
            .ask(crate::harness::Request::post("/key/generate", body))
            .with_status(401);
    }
}

#[test]
fn of_concurrent_requests_for_an_alias_one_wins() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let replies = at_once(24, |_| {
        gateway
            .master()
            .post("/key/generate", &json!({"key_alias": "ci"}))
    });
    let won: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
    assert_eq!(won.len(), 1);
    assert!(
        replies
            .iter()
            .all(|reply| [200, 400].contains(&reply.status))
    );
    gateway.plant(won[0].json()["key"].as_str().unwrap());
}

#[test]
fn users_make_keys_for_themselves() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    gateway.user("alice", |row| row.user_role = Some("internal_user".into()));
    gateway.team("t", |_| {});
    let alice = gateway.caller(json!({"user_id": "alice", "models": ["m"]}));
    let made = alice
        .post("/key/generate", &json!({"models": ["m"]}))
        .with_status(200)
        .json();
    assert_eq!(
        (&made["user_id"], &made["created_by"]),
        (&json!("alice"), &json!("alice"))
    );
    gateway.plant(made["key"].as_str().unwrap());
    gateway
        .client(made["key"].as_str().unwrap())
        .chat(&chat("m"))
        .with_status(200);
    for more_than_own in [
        json!({"user_id": "bob", "models": ["m"]}),
        json!({"models": ["m", "other"]}),
        json!({"models": []}),
        json!({"models": ["m"], "team_id": "t"}),
        json!({"models": ["m"], "permissions": {"get_spend_routes": true}}),
    ] {
        let reply = alice.post("/key/generate", &more_than_own);
        assert_eq!(
            reply.status,
            403,
            "{more_than_own}: {}",
            String::from_utf8_lossy(&reply.body)
        );
    }
    // Spend at creation is for imports by administrators.
    let reply = alice.post("/key/generate", &json!({"models": ["m"], "spend": 3.0}));
    assert!(
        reply.status == 403 || reply.json()["spend"] == 0.0,
        "{}",
        reply.text()
    );
    if reply.status == 200 {
        gateway.plant(reply.json()["key"].as_str().unwrap());
    }
}

#[test]
fn an_import_brings_its_spend() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({"spend": 1.5, "max_budget": 1.0}));
    assert_eq!(gateway.key_info(&key)["spend"], 1.5);
    gateway
        .master()
        .post("/key/generate", &json!({"spend": -1}))
        .with_status(400);
}

#[test]
fn nobody_makes_a_key_that_has_more_than_its_own() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    gateway.user("u", |_| {});
    gateway.team("t", |_| {});
    let maker = gateway.caller(json!({
        "user_id": "u", "team_id": "t", "max_budget": 1.5, "rpm_limit": 5, "tpm_limit": 100, "duration": "1d",
    }));
    let made = maker
        .post("/key/generate", &json!({}))
        .with_status(200)
        .json();
    gateway.plant(made["key"].as_str().unwrap());
    for (field, expected) in [
        ("max_budget", json!(1.5)),
        ("rpm_limit", json!(5)),
        ("tpm_limit", json!(100)),
        ("team_id", json!("t")),
        ("user_id", json!("u")),
    ] {
        assert_eq!(made[field], expected, "{field} of {made}");
    }
    assert!(made["expires"].is_string(), "{made}");
    for more in [
        json!({"max_budget": 2}),
        json!({"rpm_limit": 6}),
        json!({"tpm_limit": 101}),
        json!({"team_id": "other"}),
        json!({"permissions": {"a": true}}),
    ] {
        maker.post("/key/generate", &more).with_status(403);
    }
    let smaller = json!({"max_budget": 0.5, "rpm_limit": 1, "duration": "1h"});
    let made = maker
        .post("/key/generate", &smaller)
        .with_status(200)
        .json();
    gateway.plant(made["key"].as_str().unwrap());
    assert_eq!(made["max_budget"], json!(0.5));
}
