//! What nobody may do with keys, or not everybody; and bodies that make no sense.

use crate::harness::{Config, Gateway, Request, Value, chat, json};
use crate::simulator::Simulator;

fn gateway() -> (Simulator, Gateway) {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    (simulator, gateway)
}

const WITH_A_KEY: [&str; 4] = [
    "/key/update",
    "/key/block",
    "/key/unblock",
    "/key/regenerate",
];

#[test]
fn keys_that_there_are_not() {
    let (_simulator, gateway) = gateway();
    let unknown = "sk-0123456789unknown0123";
    gateway.plant(unknown);
    for path in WITH_A_KEY {
        for key in [unknown, &"0".repeat(64), "neither"] {
            let error = gateway
                .master()
                .post(path, &json!({ "key": key }))
                .with_status(404)
                .error();
            assert_eq!(
                (&error["type"], &error["param"], &error["message"]),
                (
                    &json!("not_found_error"),
                    &json!("key"),
                    &json!("Key not found.")
                ),
                "{path}"
            );
        }
        let missing = gateway
            .master()
            .post(path, &json!({}))
            .with_status(422)
            .json();
        assert_eq!(
            missing["detail"][0]["loc"],
            json!(["body", "key"]),
            "{path}"
        );
        let wrong = gateway
            .master()
            .post(path, &json!({"key": 5}))
            .with_status(422)
            .json();
        assert_eq!(wrong["detail"][0]["type"], "string_type", "{path}");
    }
    for body in [
        json!({}),
        json!({"keys": null}),
        json!({"keys": "sk-1"}),
        json!({"keys": [1]}),
        json!([]),
    ] {
        gateway.master().post("/key/delete", &body).with_status(422);
    }
    gateway
        .master()
        .post("/key/delete", &json!({"keys": []}))
        .with_status(404);
    gateway
        .master()
        .post("/key/delete", &json!({"keys": vec!["x"; 501]}))
        .with_status(400);
    gateway
        .master()
        .post("/key/nothing/regenerate", &json!({}))
        .with_status(404);
    gateway
        .master()
        .post("/key/nothing/reset_spend", &json!({"reset_to": 0}))
        .with_status(404);
}

#[test]
fn bodies_that_make_no_sense() {
    let (_simulator, gateway) = gateway();
    let key = gateway.key(json!({"max_budget": 5}));
    gateway.key(json!({"key_alias": "taken"}));
    let before = gateway.key_info(&key);
    for (fields, status, names) in [
        (json!({"max_budget": -1}), 400, "max_budget"),
        (json!({"max_budget": "1"}), 422, "max_budget"),
        (json!({"soft_budget": -0.5}), 400, "soft_budget"),
        (json!({"spend": -1}), 400, "spend"),
        (json!({"budget_duration": "xyz"}), 400, "budget_duration"),
        (json!({"budget_duration": "-1"}), 400, "budget_duration"),
        (json!({"budget_duration": 30}), 422, "budget_duration"),
        (json!({"duration": "soon"}), 400, "duration"),
        (json!({"rpm_limit": -1}), 400, "rpm_limit"),
        (json!({"rpm_limit": 1.5}), 422, "rpm_limit"),
        (json!({"tpm_limit": true}), 422, "tpm_limit"),
        (json!({"blocked": "no"}), 422, "blocked"),
        (json!({"models": {"m": 1}}), 422, "models"),
        (json!({"models": [1]}), 422, "models"),
        (json!({"models": [""]}), 400, "models"),
        (json!({"metadata": "owner"}), 422, "metadata"),
        (json!({"aliases": {"a": 1}}), 422, "aliases"),
        (json!({"key_type": "admin"}), 422, "key_type"),
        (json!({"allowed_routes": "/v1"}), 422, "allowed_routes"),
        (json!({"key_alias": "taken"}), 400, "key_alias"),
        (json!({"key_alias": "a\nb"}), 400, "key_alias"),
        (json!({"team_id": "nowhere"}), 404, "team_id"),
        (
            json!({"model_max_budget": {"m": 1}}),
            400,
            "model_max_budget",
        ),
        (json!({"tags": ["a"]}), 400, "tags"),
        (json!({"auto_rotate": true}), 400, "auto_rotate"),
        (json!({"max_budgett": 1}), 422, "max_budgett"),
    ] {
        for path in ["/key/update", "/key/regenerate", "/key/generate"] {
            let mut body = fields.clone();
            if path != "/key/generate" {
                body["key"] = json!(key.hash);
            }
            let reply = gateway.master().post(path, &body).with_status(status);
            match status {
                422 => assert_eq!(
                    reply.json()["detail"][0]["loc"],
                    json!(["body", names]),
                    "{path} {fields}"
                ),
                _ => assert_eq!(reply.error()["param"], names, "{path} {fields}"),
            }
        }
    }
    for (body, names) in [
        (json!({"key": key.hash, "new_key": "short"}), "new_key"),
        (
            json!({"key": key.hash, "grace_period": "a while"}),
            "grace_period",
        ),
        (
            json!({"key": key.hash, "new_master_key": "sk-1"}),
            "new_master_key",
        ),
    ] {
        let error = gateway
            .master()
            .post("/key/regenerate", &body)
            .with_status(400)
            .error();
        assert_eq!(error["param"], names);
    }
    for (amount, status) in [
        (json!(6), 400),
        (json!(-1), 400),
        (json!("0"), 422),
        (Value::Null, 422),
    ] {
        let path = format!("/key/{}/reset_spend", key.hash);
        gateway
            .master()
            .post(&path, &json!({"reset_to": amount}))
            .with_status(status);
    }
    let deep = format!(
        "{{\"key\": \"{}\", \"metadata\": {}{}}}",
        key.hash,
        "[".repeat(5000),
        "]".repeat(5000)
    );
    gateway
        .master()
        .ask(Request::post("/key/update", deep))
        .with_status(422);
    let huge = json!({"key": key.hash, "metadata": {"x": "y".repeat(2_000_000)}});
    gateway.master().post("/key/update", &huge).with_status(413);
    assert_eq!(gateway.key_info(&key), before);
}

#[test]
fn users_change_what_they_made_and_never_their_money() {
    let (_simulator, gateway) = gateway();
    gateway.user("ann", |_| {});
    let of_admin = gateway.key(json!({"user_id": "ann", "models": ["m"], "rpm_limit": 50}));
    let others = gateway.key(json!({"user_id": "bob"}));
    let ann = gateway.client(&of_admin.secret);
    let made = ann
        .post("/key/generate", &json!({"models": ["m"]}))
        .with_status(200)
        .json();
    let (own, hash) = (made["key"].as_str().unwrap(), made["token"].clone());
    gateway.plant(own);
    let before = gateway.master().get(&format!("/key/info?key={own}")).json();

    // Made by somebody else, though it is hers; another's; and what only administrators change.
    ann.post(
        "/key/update",
        &json!({"key": of_admin.hash, "key_alias": "mine"}),
    )
    .with_status(403);
    for body in [
        json!({"spend": 0}),
        json!({"max_budget": 100}),
        json!({"max_budget": null}),
        json!({"soft_budget": 1}),
        json!({"budget_duration": "1s"}),
        json!({"user_id": "bob"}),
        json!({"user_id": null}),
        json!({"blocked": true}),
        json!({"rpm_limit": 51}),
        json!({"rpm_limit": null}),
        json!({"models": []}),
        json!({"models": ["other"]}),
        json!({"aliases": {"m": "other"}}),
        json!({"permissions": {"a": true}}),
        json!({"allowed_routes": ["/key/block"]}),
        json!({"key_type": "management"}),
        json!({"team_id": "t"}),
    ] {
        let mut asked = body.clone();
        asked["key"] = hash.clone();
        let reply = ann.post("/key/update", &asked);
        assert_eq!(reply.status, 403, "{body}: {}", reply.text());
    }
    for path in WITH_A_KEY {
        ann.post(path, &json!({"key": others.hash}))
            .with_status(403);
    }
    ann.post("/key/block", &json!({"key": hash}))
        .with_status(403);
    ann.post(&format!("/key/{own}/reset_spend"), &json!({"reset_to": 0}))
        .with_status(403);
    ann.post("/key/delete", &json!({"keys": [own, others.hash]}))
        .with_status(403);
    assert_eq!(
        gateway.master().get(&format!("/key/info?key={own}")).json(),
        before
    );

    ann.post(
        "/key/update",
        &json!({"key": hash, "key_alias": "mine", "rpm_limit": 5, "key_type": "llm_api"}),
    )
    .with_status(200);
    assert_eq!(gateway.client(own).chat(&chat("m")).status, 200);
    let newer = ann
        .post("/key/regenerate", &json!({"key": own}))
        .with_status(200)
        .json();
    gateway.plant(newer["key"].as_str().unwrap());
    ann.post("/key/delete", &json!({"keys": [newer["token"]]}))
        .with_status(200);
}

#[test]
fn a_key_is_held_to_its_routes() {
    let (_simulator, gateway) = gateway();
    gateway.user("root", |row| row.user_role = Some("proxy_admin".into()));
    for (fields, chats, informs, generates) in [
        (json!({"key_type": "default"}), 200, 200, 401),
        (json!({"key_type": "llm_api"}), 200, 403, 403),
        (json!({"key_type": "read_only"}), 403, 200, 403),
        (json!({"key_type": "management"}), 403, 200, 401),
        (
            json!({"key_type": "management", "user_id": "root"}),
            403,
            200,
            200,
        ),
        (
            json!({"allowed_routes": ["/v1/chat/completions"]}),
            200,
            403,
            403,
        ),
        (json!({"allowed_routes": ["/v1/*"]}), 200, 403, 403),
        (
            json!({"allowed_routes": ["/key"], "user_id": "root"}),
            403,
            200,
            200,
        ),
        (json!({"allowed_routes": ["/key/generate"]}), 403, 403, 200),
        (
            json!({"allowed_routes": ["/v1/chat/completion"]}),
            403,
            403,
            403,
        ),
    ] {
        let caller = gateway.caller(fields.clone());
        assert_eq!(caller.chat(&chat("m")).status, chats, "chat with {fields}");
        assert_eq!(
            caller.get("/key/info").status,
            informs,
            "info with {fields}"
        );
        let made = caller.post("/key/generate", &json!({}));
        assert_eq!(made.status, generates, "generate with {fields}");
        if made.status == 200 {
            gateway.plant(made.json()["key"].as_str().unwrap());
        }
    }
    let held = gateway.caller(json!({"key_type": "llm_api"}));
    let refused = held.get("/key/info").with_status(403).json();
    assert_eq!(
        refused["detail"],
        "Virtual key is not allowed to call this route. Only allowed to call routes: ['llm_api_routes']. Tried to call route: /key/info"
    );
}
