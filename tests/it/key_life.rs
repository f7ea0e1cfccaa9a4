//! A key's whole life as an administrator scripts it: every step acts on the very next request.

use crate::harness::{
    Client, Config, Deployment, Gateway, Key, MASTER_KEY, Setup, Value, chat, json,
};
use crate::simulator::Simulator;

/// Several worker threads, so that a change must reach threads that did not take it.
fn gateway(simulator: &Simulator) -> Gateway {
    let models = ["m", "n"].map(|name| Deployment::of(simulator, name).priced(0.001, 0.001));
    Setup::new(&Config::of(models)).workers(4).start()
}

fn admin(gateway: &Gateway, path: &str, body: Value) -> Value {
    gateway.master().post(path, &body).with_status(200).json()
}

/// The status of a call on each of several connections, which different threads serve.
fn statuses(caller: &Client, model: &str) -> Vec<u16> {
    let mut all: Vec<u16> = (0..12).map(|_| caller.chat(&chat(model)).status).collect();
    all.dedup();
    all
}

#[test]
fn every_change_acts_on_the_next_request_of_every_thread() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({"key_alias": "ci", "models": ["m"]}));
    let caller = gateway.client(&key.secret);
    assert_eq!(statuses(&caller, "m"), [200]);

    admin(
        &gateway,
        "/key/update",
        json!({"key": key.secret, "models": ["n"]}),
    );
    assert_eq!(
        (statuses(&caller, "m"), statuses(&caller, "n")),
        (vec![403], vec![200])
    );
    admin(
        &gateway,
        "/key/update",
        json!({"key": key.hash, "models": []}),
    );
    assert_eq!(statuses(&caller, "m"), [200]);

    for (by, blocked) in [
        (&key.secret, true),
        (&key.hash, false),
        (&key.hash, true),
        (&key.secret, false),
    ] {
        let route = if blocked {
            "/key/block"
        } else {
            "/key/unblock"
        };
        let answer = admin(&gateway, route, json!({ "key": by }));
        assert_eq!(
            (&answer["blocked"], &answer["token"]),
            (&json!(blocked), &json!(key.hash))
        );
        let expected = if blocked { 401 } else { 200 };
        assert_eq!(statuses(&caller, "m"), [expected]);
    }

    admin(
        &gateway,
        "/key/update",
        json!({"key": key.hash, "rpm_limit": 0}),
    );
    assert_eq!(statuses(&caller, "m"), [429]);
    admin(
        &gateway,
        "/key/update",
        json!({"key": key.hash, "rpm_limit": null}),
    );
    assert_eq!(statuses(&caller, "m"), [200]);

    admin(
        &gateway,
        "/key/update",
        json!({"key": key.hash, "max_budget": 0.001}),
    );
    assert_eq!(statuses(&caller, "m"), [422]);
    admin(
        &gateway,
        "/key/update",
        json!({"key": key.hash, "spend": 0}),
    );
    assert_eq!(caller.chat(&chat("m")).status, 200);
    assert_eq!(statuses(&caller, "m"), [422]);
    let reset = admin(
        &gateway,
        &format!("/key/{}/reset_spend", key.hash),
        json!({"reset_to": 0}),
    );
    assert_eq!(
        (&reset["spend"], &reset["key_hash"]),
        (&json!(0.0), &json!(key.hash))
    );
    assert_eq!(caller.chat(&chat("m")).status, 200);
    admin(
        &gateway,
        "/key/update",
        json!({"key": key.hash, "max_budget": null}),
    );

    admin(
        &gateway,
        "/key/update",
        json!({"key": key.hash, "duration": "1s"}),
    );
    crate::harness::until("the key expires", crate::harness::SOON, || {
        caller.chat(&chat("m")).status == 401
    });
    admin(
        &gateway,
        "/key/update",
        json!({"key": key.hash, "duration": "-1"}),
    );
    assert_eq!(statuses(&caller, "m"), [200]);

    let gone = admin(&gateway, "/key/delete", json!({"keys": [key.secret]}));
    assert_eq!(gone, json!({"deleted_keys": [key.secret]}));
    assert_eq!(statuses(&caller, "m"), [401]);
    let again = gateway
        .master()
        .post("/key/delete", &json!({"keys": [key.secret]}))
        .with_status(404);
    assert_eq!(again.error()["message"], "No keys found");
    gateway
        .master()
        .get(&format!("/key/info?key={}", key.hash))
        .with_status(404);
    // Its alias is free, and the books keep what it has cost.
    gateway.key(json!({"key_alias": "ci"}));
    assert!(gateway.totals().agree());
}

#[test]
fn what_is_written_is_what_is_read() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    gateway.team("t", |_| {});
    let key = gateway.key(json!({}));
    let fields = json!({
        "key_alias": "renamed", "user_id": "u", "team_id": "t", "models": ["n", "m"], "max_budget": 1.25,
        "soft_budget": 1.0, "budget_duration": "1mo", "tpm_limit": 7, "rpm_limit": 8, "max_parallel_requests": 9,
        "metadata": {"owner": {"deep": [1, null, "x"]}}, "aliases": {"short": "m"}, "permissions": {"a": true},
        "allowed_routes": ["llm_api_routes", "/key/info"], "blocked": false,
    });
    let mut asked = fields.clone();
    asked["key"] = json!(key.secret);
    let answer = admin(&gateway, "/key/update", asked);
    let info = gateway.key_info(&key);
    for (name, value) in fields.as_object().unwrap() {
        assert_eq!((&answer[name], &info[name]), (value, value), "{name}");
    }
    assert_eq!(answer["key"], json!(key.secret));
    assert!(
        info["budget_reset_at"]
            .as_str()
            .is_some_and(|at| at.contains("-01T00:00:00")),
        "{info}"
    );
    // Another change leaves all that alone; null empties.
    admin(
        &gateway,
        "/key/update",
        json!({"key_alias": "renamed", "rpm_limit": null, "budget_duration": null}),
    );
    let after = gateway.key_info(&key);
    for (name, value) in fields.as_object().unwrap() {
        let expected = if ["rpm_limit", "budget_duration"].contains(&name.as_str()) {
            &Value::Null
        } else {
            value
        };
        assert_eq!(&after[name], expected, "{name}");
    }
    assert_eq!(after["budget_reset_at"], Value::Null);
    assert_eq!(after["updated_by"], "default_user_id");
}

#[test]
fn concurrent_changes_of_different_fields_all_survive() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({}));
    let fields = [
        "rpm_limit",
        "tpm_limit",
        "max_parallel_requests",
        "max_budget",
        "key_alias",
        "metadata",
    ];
    crate::harness::at_once(fields.len(), |n| {
        let value = match fields[n] {
            "key_alias" => json!("x"),
            "metadata" => json!({"a": 1}),
            _ => json!(1000),
        };
        admin(
            &gateway,
            "/key/update",
            json!({"key": key.hash, fields[n]: value}),
        );
    });
    let info = gateway.key_info(&key);
    assert!(
        fields
            .iter()
            .all(|name| !info[*name].is_null() && info[*name] != json!({})),
        "{info}"
    );
}

fn regenerated(gateway: &Gateway, path: &str, body: Value) -> Key {
    let answer = admin(gateway, path, body);
    let secret = answer["key"].as_str().unwrap().to_owned();
    gateway.plant(&secret);
    Key {
        hash: answer["token"].as_str().unwrap().to_owned(),
        secret,
        answer,
    }
}

#[test]
fn a_regenerated_key_is_the_same_key_with_another_secret() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let old = gateway
        .key(json!({"key_alias": "ci", "models": ["m"], "rpm_limit": 3, "max_budget": 50.0}));
    let with_old = gateway.client(&old.secret);
    assert_eq!(with_old.chat(&chat("m")).status, 200);
    assert_eq!(with_old.chat(&chat("m")).status, 200);
    let new = regenerated(
        &gateway,
        &format!("/key/{}/regenerate", old.secret),
        json!({"max_budget": 40.0}),
    );
    assert_ne!(new.secret, old.secret);
    assert_eq!(
        (
            &new.answer["key_alias"],
            &new.answer["models"],
            &new.answer["max_budget"],
            &new.answer["rotation_count"]
        ),
        (&json!("ci"), &json!(["m"]), &json!(40.0), &json!(1))
    );
    assert_eq!(statuses(&with_old, "m"), [401]);
    // The window goes on: one of three requests is left.
    let with_new = gateway.client(&new.secret);
    assert_eq!(with_new.chat(&chat("m")).status, 200);
    assert_eq!(statuses(&with_new, "m"), [429]);
    admin(
        &gateway,
        "/key/update",
        json!({"key": new.hash, "rpm_limit": null}),
    );

    // With a grace period both are good, and are one key.
    let newer = regenerated(
        &gateway,
        "/key/regenerate",
        json!({"key": new.hash, "grace_period": "1h"}),
    );
    assert_eq!(statuses(&with_new, "m"), [200]);
    let with_newer = gateway.client(&newer.secret);
    assert_eq!(statuses(&with_newer, "m"), [200]);
    assert_eq!(
        with_new.get("/key/info").with_status(200).json()["key"],
        json!(newer.hash)
    );
    admin(&gateway, "/key/block", json!({"key": newer.hash}));
    assert_eq!(
        (statuses(&with_new, "m"), statuses(&with_newer, "m")),
        (vec![401], vec![401])
    );
    admin(&gateway, "/key/unblock", json!({"key": newer.hash}));

    // A short grace ends; a secret of one's own may be brought along, one that was used may not.
    let own = "sk-brought-along-0002";
    let newest = regenerated(
        &gateway,
        &format!("/key/regenerate?key={}", newer.hash),
        json!({"new_key": own, "grace_period": "1s"}),
    );
    assert_eq!(newest.secret, own);
    crate::harness::until("the former secret ends", crate::harness::SOON, || {
        with_newer.chat(&chat("m")).status == 401
    });
    assert_eq!(statuses(&with_new, "m"), [200], "an hour is not over");
    for taken in [&old.secret, &newer.secret] {
        gateway
            .master()
            .post("/key/generate", &json!({ "key": taken }))
            .with_status(400);
        gateway
            .master()
            .post("/key/regenerate", &json!({"key": own, "new_key": taken}))
            .with_status(400);
    }
    // All its calls are on its one account.
    let calls = gateway.rows().len();
    assert!(calls > 0);
    crate::harness::until("the books agree", crate::harness::SOON, || {
        gateway.totals().agree()
    });
}

#[test]
fn keys_outlive_the_master_key() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator);
    let key = gateway.key(json!({}));
    gateway.terminate();
    let other = "sk-another-master-7731PLANTED";
    gateway.plant(other);
    gateway.change_env("LITELLM_MASTER_KEY", other);
    gateway.start_again();
    assert_eq!(gateway.client(&key.secret).chat(&chat("m")).status, 200);
    gateway.client(MASTER_KEY).get("/key/info").with_status(401);
    gateway
        .client(other)
        .get(&format!("/key/info?key={}", key.hash))
        .with_status(200);
}

#[test]
fn a_key_may_have_names_of_its_own_for_models() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({"models": ["short"], "aliases": {"short": "m"}}));
    let answer = caller.chat(&chat("short")).with_status(200).json();
    assert_eq!(answer["model"], "short");
    assert_eq!(caller.chat(&chat("m")).status, 403);
}

#[test]
fn a_call_under_way_is_charged_to_what_its_key_has_become() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let hold = json!({"simulate": {"hold": true}});
    let rotated = gateway.key(json!({"max_budget": 0.001}));
    let deleted = gateway.key(json!({"max_parallel_requests": 1, "key_alias": "gone"}));
    let calls = [&rotated, &deleted].map(|key| {
        let caller = gateway.client(&key.secret);
        caller.send(&crate::harness::chat_with("m", hold.clone()))
    });
    assert!(simulator.wait_until(crate::harness::SOON, |simulator| simulator.held() == 2));
    let new = regenerated(&gateway, "/key/regenerate", json!({"key": rotated.hash}));
    admin(&gateway, "/key/delete", json!({"key_aliases": ["gone"]}));
    // The same secret again is another key, with slots of its own.
    let again = gateway.key(json!({"key": deleted.secret, "max_parallel_requests": 1}));
    let with_again = gateway.client(&again.secret);
    assert_eq!(statuses(&with_again, "n"), [200]);
    simulator.release();
    for mut call in calls {
        call.reply().expect("an answer").with_status(200);
    }
    // It cost more than the budget, and its key knows at once, under its new hash.
    assert_eq!(statuses(&gateway.client(&new.secret), "n"), [422]);
    let cost = gateway
        .rows_when(14)
        .iter()
        .find(|row| row.model_group.as_ref() == "m")
        .map(|row| row.spend);
    assert_eq!(
        Some(gateway.key_info(&new)["total_spend"].as_f64().unwrap()),
        cost.map(|cost| cost.to_f64())
    );
    gateway.books_agree();
}
