//! `GET /spend/logs` and the sums of keys, users and teams.

use crate::harness::{
    Config, Deployment, Gateway, SOON, Value, at_once, chat, chat_with, eventually, json, streamed,
};
use crate::simulator::Simulator;

fn gateway(simulator: &Simulator) -> Gateway {
    let deployment = Deployment::of(simulator, "up")
        .group("m")
        .priced(0.000_001, 0.000_002);
    Gateway::of(&Config::of([deployment]).router("num_retries", 0))
}

/// The rows that a query answers, once there are some.
fn rows(gateway: &Gateway, query: &str) -> Vec<Value> {
    eventually(&format!("rows for {query}"), SOON, || {
        let answer = gateway
            .master()
            .get(&format!("/spend/logs?{query}"))
            .with_status(200)
            .json();
        let rows = answer.as_array().expect("a list").clone();
        (!rows.is_empty()).then_some(rows)
    })
}

#[test]
fn one_call_is_one_row() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    gateway.team("t", |_| {});
    gateway.user("u", |_| {});
    let key = gateway.key(json!({"user_id": "u", "team_id": "t"}));
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15});
    let body = chat_with(
        "m",
        json!({"user": "end-user-7", "simulate": {"usage": usage}}),
    );
    let reply = gateway.client(&key.secret).chat(&body).with_status(200);
    let id = reply.json()["id"].as_str().unwrap().to_owned();
    let found = rows(&gateway, &format!("request_id={id}"));
    assert_eq!(found.len(), 1);
    let row = &found[0];
    for (field, expected) in [
        ("request_id", json!(id)),
        ("call_type", json!("acompletion")),
        ("api_key", json!(key.hash)),
        ("spend", json!(0.00002)),
        ("prompt_tokens", json!(10)),
        ("completion_tokens", json!(5)),
        ("total_tokens", json!(15)),
        ("user", json!("u")),
        ("team_id", json!("t")),
        ("end_user", json!("end-user-7")),
        ("model_group", json!("m")),
        ("model_id", json!("id-up")),
        ("custom_llm_provider", json!("openai")),
        ("api_base", json!(simulator.base_url())),
        ("status", json!("success")),
    ] {
        assert_eq!(row[field], expected, "{field} of {row}");
    }
    assert!(row["model"].as_str().unwrap().contains("up"), "{row}");
    for time in ["startTime", "endTime"] {
        assert!(
            row[time].as_str().unwrap().starts_with("20"),
            "{time} of {row}"
        );
    }
}

#[test]
fn rows_of_a_key() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let (one, other) = (gateway.key(json!({})), gateway.key(json!({})));
    for _ in 0..3 {
        gateway
            .client(&one.secret)
            .chat(&chat("m"))
            .with_status(200);
    }
    gateway
        .client(&other.secret)
        .chat(&streamed("m", json!({})))
        .with_status(200);
    gateway.rows_when(4);
    assert_eq!(rows(&gateway, &format!("api_key={}", one.hash)).len(), 3);
    assert_eq!(
        rows(&gateway, &format!("api_key={}", one.secret)).len(),
        3,
        "the secret will do as well"
    );
    assert_eq!(rows(&gateway, &format!("api_key={}", other.hash)).len(), 1);
    let nobody = gateway
        .master()
        .get("/spend/logs?request_id=chatcmpl-nobody")
        .with_status(200);
    assert_eq!(nobody.json(), json!([]));
    let unknown = format!("/spend/logs?api_key={}", "0".repeat(64));
    assert_eq!(
        gateway.master().get(&unknown).with_status(200).json(),
        json!([])
    );
}

#[test]
fn users_see_their_own_rows_only() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for user in ["alice", "bob"] {
        gateway.user(user, |row| row.user_role = Some("internal_user".into()));
    }
    let alice = gateway.key(json!({"user_id": "alice"}));
    let bob = gateway.key(json!({"user_id": "bob"}));
    let id = gateway
        .client(&alice.secret)
        .chat(&chat("m"))
        .with_status(200)
        .json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    gateway.rows_when(1);
    let seen_by = |key: &str, query: &str| gateway.client(key).get(&format!("/spend/logs?{query}"));
    assert_eq!(
        seen_by(&alice.secret, &format!("request_id={id}"))
            .with_status(200)
            .json()[0]["request_id"],
        id
    );
    for query in [
        format!("request_id={id}"),
        format!("api_key={}", alice.hash),
        "user_id=alice".to_owned(),
    ] {
        let reply = seen_by(&bob.secret, &query);
        let hidden = reply.status == 403 || (reply.status == 200 && reply.json() == json!([]));
        assert!(
            hidden,
            "{query}: {} {}",
            reply.status,
            String::from_utf8_lossy(&reply.body)
        );
    }
}

#[test]
fn days_are_summed() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    gateway.user("u", |_| {});
    let key = gateway.key(json!({"user_id": "u"}));
    let usage = json!({"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150});
    for _ in 0..4 {
        gateway
            .client(&key.secret)
            .chat(&chat_with("m", json!({"simulate": {"usage": usage}})))
            .with_status(200);
    }
    let row = &gateway.rows_when(4)[0];
    let day = time::OffsetDateTime::from_unix_timestamp(row.started_at / 1_000_000)
        .unwrap()
        .date();
    let path = format!("/spend/logs?start_date={day}&end_date={day}");
    let days = gateway.master().get(&path).with_status(200).json();
    assert_eq!(days.as_array().unwrap().len(), 1, "{days}");
    assert_eq!(
        (&days[0]["startTime"], &days[0]["spend"]),
        (&json!(day.to_string()), &json!(0.0008))
    );
    assert_eq!(days[0]["users"], json!({"u": 0.0008}));
    let raw = gateway
        .master()
        .get(&format!("{path}&summarize=false"))
        .with_status(200)
        .json();
    assert_eq!(raw.as_array().unwrap().len(), 4);
    for wrong in [
        "start_date=yesterday&end_date=2030-01-01",
        "start_date=2030-13-01&end_date=2030-01-01",
    ] {
        gateway
            .master()
            .get(&format!("/spend/logs?{wrong}"))
            .with_status(400);
    }
}

/// A refusal of our own reaches no upstream and is no row; a failure of an upstream is one, at no cost.
#[test]
fn failures_have_rows() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({}));
    let caller = gateway.client(&key.secret);
    caller.chat(&chat("unknown")).with_status(400);
    let reply = caller
        .chat(&chat_with("m", json!({"simulate": {"status": 429}})))
        .with_status(429);
    let call_id = reply.must("x-litellm-call-id").to_owned();
    let found = rows(&gateway, &format!("request_id={call_id}"));
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0]["status"], &found[0]["spend"]),
        (&json!("failure"), &json!(0.0))
    );
    gateway.rows_when(1);
}

#[test]
fn all_sums_agree() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    gateway.team("t", |_| {});
    gateway.user("u", |_| {});
    gateway.user("v", |_| {});
    let keys = [
        gateway.key(json!({"user_id": "u", "team_id": "t"})),
        gateway.key(json!({"user_id": "v", "team_id": "t"})),
        gateway.key(json!({"user_id": "u"})),
        gateway.key(json!({})),
    ];
    let callers = keys.each_ref().map(|key| gateway.client(&key.secret));
    let calls = 160;
    at_once(16, |lane| {
        for turn in 0..calls / 16 {
            let usage = json!({"prompt_tokens": lane * 7 + turn, "completion_tokens": turn * 3 + 1, "total_tokens": 0});
            let how = json!({"simulate": {"usage": usage}});
            let body = if turn % 2 == 0 {
                chat_with("m", how)
            } else {
                streamed("m", how)
            };
            callers[(lane + turn) % 4].chat(&body).with_status(200);
        }
    });
    let rows = gateway.rows_when(calls);
    let totals = gateway.books_agree();
    assert_eq!(totals.rows, calls as i64);
    for key in &keys {
        let logged: i64 = rows
            .iter()
            .filter(|row| row.key_hash.to_string() == key.hash)
            .map(|row| row.spend.0)
            .sum();
        let told = gateway.key_info(key)["spend"].as_f64().unwrap();
        assert_eq!(
            (told * 1e9).round() as i64,
            logged,
            "/key/info of {}",
            key.hash
        );
        assert!(logged > 0);
    }
    let unique: std::collections::HashSet<_> = rows.iter().map(|row| row.ledger_id).collect();
    assert_eq!(unique.len(), calls);
}

#[test]
fn page_by_page() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    gateway.user("alice", |row| row.user_role = Some("internal_user".into()));
    let alice = gateway.key(json!({"user_id": "alice"}));
    for tokens in [1, 2, 3] {
        let usage =
            json!({"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens});
        let body = chat_with("m", json!({"simulate": {"usage": usage}}));
        gateway.client(&alice.secret).chat(&body).with_status(200);
    }
    gateway
        .master()
        .chat(&chat_with("m", json!({"simulate": {"status": 400}})))
        .with_status(400);
    gateway.rows_when(4);
    let always = "start_date=2020-01-01%2000:00:00&end_date=2099-01-01%2000:00:00";
    let read = |key: &str, query: &str| {
        let path = format!("/spend/logs/v2?{always}{query}");
        gateway.client(key).get(&path).with_status(200).json()
    };
    let master = crate::harness::MASTER_KEY;
    let first = read(master, "&page_size=3");
    for (field, value) in [
        ("total", json!(4)),
        ("page", json!(1)),
        ("page_size", json!(3)),
        ("total_pages", json!(2)),
        ("total_is_capped", json!(false)),
    ] {
        assert_eq!(first[field], value, "{field}");
    }
    assert_eq!(first["data"].as_array().unwrap().len(), 3);
    let tokens = |page: &Value| -> Vec<u64> {
        let rows = page["data"].as_array().unwrap().iter();
        rows.map(|row| row["total_tokens"].as_u64().unwrap())
            .collect()
    };
    let by_tokens = "&status_filter=success&sort_by=total_tokens&sort_order=asc";
    assert_eq!(tokens(&read(master, by_tokens)), [1, 2, 3]);
    assert_eq!(
        tokens(&read(master, &format!("{by_tokens}&page=2&page_size=2"))),
        [3]
    );
    assert_eq!(
        tokens(&read(
            master,
            &format!("{by_tokens}&min_spend=0.000002&max_spend=0.000002")
        )),
        [2]
    );
    assert_eq!(read(master, "&error_code=400")["total"], 1);
    assert_eq!(
        read(master, &format!("&api_key={}", alice.hash))["total"],
        3
    );
    assert_eq!(read(master, "&api_key=nonsense")["total"], 0);
    assert_eq!(read(&alice.secret, "")["total"], 3, "users see their own");
    assert_eq!(read(master, "&page=9")["data"], json!([]));
    for (query, status, field) in [
        ("", 400, "start_date"),
        (
            "start_date=2020-01-01%2000:00:00&end_date=soon",
            400,
            "end_date",
        ),
        (&*format!("{always}&page=0"), 422, "page"),
        (&*format!("{always}&page_size=1001"), 422, "page_size"),
        (&*format!("{always}&sort_by=colour"), 400, "sort_by"),
        (&*format!("{always}&min_spend=-1"), 422, "min_spend"),
    ] {
        let reply = gateway
            .master()
            .get(&format!("/spend/logs/ui?{query}"))
            .with_status(status);
        assert!(reply.text().contains(field), "{query}: {}", reply.text());
    }
}
