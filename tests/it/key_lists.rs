//! `/key/list`, `/key/aliases` and `/v2/key/info`: pages, filters, and whose keys one sees.

use crate::harness::{Client, Config, Gateway, Value, json};
use crate::simulator::Simulator;

fn gateway() -> (Simulator, Gateway) {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    (simulator, gateway)
}

fn list(caller: &Client, query: &str) -> Value {
    caller
        .get(&format!("/key/list?{query}"))
        .with_status(200)
        .json()
}

fn hashes(page: &Value) -> Vec<String> {
    let keys = page["keys"].as_array().unwrap();
    keys.iter()
        .map(|key| key.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn pages_lose_and_double_nothing() {
    let (_simulator, gateway) = gateway();
    let made: Vec<String> = (0..23).map(|_| gateway.key(json!({})).hash).collect();
    let master = gateway.master();
    let first = list(&master, "");
    assert_eq!(
        (
            &first["total_count"],
            &first["current_page"],
            &first["total_pages"]
        ),
        (&json!(23), &json!(1), &json!(3))
    );
    assert_eq!(hashes(&first).len(), 10);
    let mut seen = Vec::new();
    for page in 1..=5 {
        let page = list(
            &master,
            &format!("page={page}&size=7&sort_order=asc&sort_by=created_at"),
        );
        // Keys that come later are at the end.
        gateway.key(json!({}));
        seen.extend(hashes(&page));
    }
    seen.truncate(made.len());
    let (mut seen, mut made) = (seen, made);
    seen.sort();
    made.sort();
    assert_eq!(seen, made);
    let beyond = list(&master, "page=900&size=100");
    assert_eq!(
        (&beyond["keys"], &beyond["total_count"]),
        (&json!([]), &json!(28))
    );
}

#[test]
fn filters_orders_and_whole_objects() {
    let (_simulator, gateway) = gateway();
    gateway.team("t", |_| {});
    let a = gateway.key(json!({"key_alias": "Build-1", "user_id": "ann", "max_budget": 1}));
    let b = gateway
        .key(json!({"key_alias": "build-2", "user_id": "bob", "team_id": "t", "max_budget": 3}));
    let c = gateway.key(json!({"key_alias": "deploy", "user_id": "Anna", "max_budget": 2}));
    let master = gateway.master();
    for (query, expected) in [
        ("user_id=ann".to_owned(), vec![&a]),
        ("user_id=ann&substring_matching=true".into(), vec![&c, &a]),
        ("key_alias=Build-1".into(), vec![&a]),
        ("key_alias=build".into(), vec![]),
        (
            "key_alias=BUILD&substring_matching=true".into(),
            vec![&b, &a],
        ),
        ("key_alias=%25&substring_matching=true".into(), vec![]),
        ("team_id=t".into(), vec![&b]),
        (format!("key_hash={}", c.hash), vec![&c]),
        (format!("key_hash={}", c.secret), vec![&c]),
        ("search=dep".into(), vec![&c]),
        ("organization_id=o".into(), vec![]),
        ("sort_by=max_budget".into(), vec![&b, &c, &a]),
        ("sort_by=max_budget&sort_order=asc".into(), vec![&a, &c, &b]),
        ("sort_by=key_alias&sort_order=asc".into(), vec![&a, &b, &c]),
    ] {
        let expected: Vec<String> = expected.into_iter().map(|key| key.hash.clone()).collect();
        assert_eq!(hashes(&list(&master, &query)), expected, "{query}");
    }
    let whole = list(&master, "return_full_object=true&user_id=bob");
    let shown = &whole["keys"][0];
    assert_eq!(
        (&shown["token"], &shown["team_id"]),
        (&json!(b.hash), &json!("t"))
    );
    assert!(!whole.to_string().contains(&b.secret));

    master
        .post("/key/delete", &json!({"key_aliases": ["deploy"]}))
        .with_status(200);
    let deleted = list(&master, "status=deleted&return_full_object=true");
    assert_eq!(
        (
            &deleted["total_count"],
            &deleted["keys"][0]["token"],
            &deleted["keys"][0]["deleted_by"]
        ),
        (&json!(1), &json!(c.hash), &json!("default_user_id"))
    );
    assert_eq!(list(&master, "")["total_count"], 2);

    let aliases = master
        .get("/key/aliases?search=BUILD")
        .with_status(200)
        .json();
    assert_eq!(
        aliases,
        json!({"aliases": ["Build-1", "build-2"], "total_count": 2, "current_page": 1, "total_pages": 1, "size": 50})
    );
}

#[test]
fn one_sees_ones_own() {
    let (_simulator, gateway) = gateway();
    gateway.user("viewer", |row| {
        row.user_role = Some("proxy_admin_viewer".into())
    });
    gateway.user("ann", |_| {});
    let own = gateway.key(json!({"user_id": "ann", "key_alias": "own"}));
    let others = gateway.key(json!({"user_id": "bob", "key_alias": "others"}));
    let ann = gateway.client(&own.secret);
    assert_eq!(hashes(&list(&ann, "")), std::slice::from_ref(&own.hash));
    assert_eq!(hashes(&list(&ann, "user_id=bob")), Vec::<String>::new());
    assert_eq!(list(&ann, "")["total_count"], 1);
    assert_eq!(
        ann.get("/key/aliases").with_status(200).json()["aliases"],
        json!(["own"])
    );
    let viewer = gateway.caller(json!({"user_id": "viewer"}));
    assert_eq!(list(&viewer, "")["total_count"], 3);
    let nobodys = gateway.caller(json!({}));
    let error = nobodys.get("/key/list").with_status(403).error();
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("No 'user_id' is associated"),
        "{error}"
    );

    let both = json!({"keys": [own.secret, others.hash, "0".repeat(64)]});
    let infos = ann.post("/v2/key/info", &both).with_status(200).json();
    assert_eq!(
        (
            infos["info"].as_array().unwrap().len(),
            &infos["info"][0]["token"]
        ),
        (1, &json!(own.hash))
    );
    assert_eq!(
        gateway.master().post("/v2/key/info", &both).json()["info"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    ann.get(&format!("/key/info?key={}", others.hash))
        .with_status(403);
}

#[test]
fn what_a_query_may_say() {
    let (_simulator, gateway) = gateway();
    let master = gateway.master();
    for (query, status, names) in [
        ("size=0", 422, "size"),
        ("size=101", 422, "size"),
        ("size=x", 422, "size"),
        ("size=99999999999999999999", 422, "size"),
        ("page=0", 422, "page"),
        ("page=-1", 422, "page"),
        ("return_full_object=perhaps", 422, "return_full_object"),
        ("sort_by=password", 400, "sort_by"),
        ("sort_order=up", 400, "sort_order"),
        ("status=sleeping", 400, "status"),
    ] {
        let reply = master
            .get(&format!("/key/list?{query}"))
            .with_status(status);
        match status {
            422 => assert_eq!(
                reply.json()["detail"][0]["loc"],
                json!(["query", names]),
                "{query}"
            ),
            _ => assert_eq!(reply.error()["param"], names, "{query}"),
        }
    }
    master
        .get("/key/list?page=92233720368547758&size=100")
        .with_status(200);
    master
        .get("/key/list?user_id=%00&key_alias=%FF&search=%5C")
        .with_status(200);
}
