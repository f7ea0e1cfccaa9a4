//! Several models, or several conversations, in one request.

use std::time::Duration;

use crate::harness::{Config, Deployment, Gateway, SOON, Value, chat_with, json, streamed, until};
use crate::simulator::{Behaviour, Simulator};
use pointsman::types::{CallStatus, SpendRow};

const FASTEST: &str = "x-litellm-fastest_response_batch_completion";

/// Models `a`, `b` and `c`, of which each says its name.
fn models(simulator: &Simulator) -> Config {
    let deployments = ["a", "b", "c"].map(|name| {
        simulator.behave(name, Behaviour::saying(format!("from {name}")));
        Deployment::of(simulator, name).priced(1e-6, 2e-6)
    });
    Config::of(deployments)
        .router("num_retries", 0)
        .never_cooling()
}

fn started() -> (Simulator, Gateway) {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&models(&simulator));
    (simulator, gateway)
}

fn hangs(simulator: &Simulator, model: &str) {
    simulator.behave(model, Behaviour::of(json!({"hang": "before_head"})));
}

/// What each answer of a list says, or the code of its error.
fn said(list: &Value) -> Vec<String> {
    let one = |answer: &Value| match answer["error"]["code"].as_str() {
        Some(code) => code.to_owned(),
        None => answer["choices"][0]["message"]["content"]
            .as_str()
            .unwrap_or("nothing")
            .to_owned(),
    };
    list.as_array().expect("a list").iter().map(one).collect()
}

fn fastest(more: Value) -> Value {
    let mut body = chat_with("a, b", json!({"fastest_response": true}));
    body.as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    body
}

#[test]
fn all_answers_in_the_order_of_the_names() {
    let (simulator, gateway) = started();
    simulator.behave(
        "a",
        Behaviour::of(json!({"content": "from a", "delay_ms": 200})),
    );
    let key = gateway.key(json!({"models": ["a", "b", "c"], "max_budget": 1.0}));
    let caller = gateway.client(&key.secret);
    let reply = caller
        .chat(&chat_with("a, c,b", json!({"temperature": 0.5})))
        .with_status(200);
    let list = reply.json();
    assert_eq!(said(&list), ["from a", "from c", "from b"]);
    let named: Vec<&Value> = (0..3).map(|place| &list[place]["model"]).collect();
    assert_eq!(named, ["a", "c", "b"]);
    for request in simulator.take() {
        let body = request.json();
        assert_eq!(body["temperature"], 0.5);
        assert!(body.get("fastest_response").is_none());
    }
    // Each is a call of its own in the books, and the head tells what they cost together.
    let rows = gateway.rows_when(3);
    let spent: i64 = rows.iter().map(|row| row.spend.0).sum();
    let cost: f64 = reply
        .must("x-litellm-response-cost")
        .parse()
        .expect("a number");
    assert_eq!((cost * 1e9).round() as i64, spent);
    let call_id = reply.must("x-litellm-call-id");
    let mut ids: Vec<&str> = rows.iter().map(|row| &*row.call_id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3].map(|place| format!("{call_id}-{place}")));
    until("the key has paid", SOON, || {
        gateway.key_info(&key)["spend"].as_f64().unwrap_or_default() > 0.0
    });
    gateway.books_agree();
}

#[test]
fn an_error_stands_in_its_place() {
    let (simulator, gateway) = started();
    simulator.behave("b", Behaviour::failing(503));
    let master = gateway.master();
    let reply = master
        .chat(&chat_with("a,b,nobody", json!({})))
        .with_status(200);
    assert_eq!(said(&reply.json()), ["from a", "503", "400"]);
    let error = &reply.json()[2]["error"];
    assert_eq!(error["type"], "invalid_request_error", "{error}");
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|text| text.contains("model=nobody")),
        "{error}"
    );
    // Where there is no answer at all the first error is one.
    master
        .chat(&chat_with("b,nobody", json!({})))
        .with_status(503);
    master
        .chat(&chat_with("nobody,b", json!({})))
        .with_status(400);
    // A retry, a fallback and an alias are each member's own.
    let config = models(&simulator)
        .router("fallbacks", json!([{"b": ["c"]}]))
        .router("model_group_alias", json!({"nick": "a"}));
    simulator.behave("b", Behaviour::failing(503));
    let gateway = Gateway::of(&config);
    let reply = gateway
        .master()
        .chat(&chat_with("b,nick", json!({})))
        .with_status(200);
    assert_eq!(said(&reply.json()), ["from c", "from a"]);
    assert_eq!(reply.json()[1]["model"], "nick");
}

#[test]
fn every_name_must_be_allowed() {
    let (simulator, gateway) = started();
    let caller = gateway.caller(json!({"models": ["a"]}));
    for more in [json!({}), json!({"fastest_response": true})] {
        let error = caller
            .chat(&chat_with("a,b", more))
            .with_status(403)
            .error();
        assert_eq!(error["type"], "key_model_access_denied");
    }
    assert!(simulator.requests().is_empty());
}

/// Of three calls the one that its key's limits allow is made.
#[test]
fn limits_count_each_call() {
    let (_simulator, gateway) = started();
    let caller = gateway.caller(json!({"rpm_limit": 1}));
    let reply = caller.chat(&chat_with("a,b,c", json!({}))).with_status(200);
    let mut said = said(&reply.json());
    said.sort();
    assert_eq!(said[..2], ["429", "429"]);
    assert!(said[2].starts_with("from "));
    caller.chat(&chat_with("a,b", json!({}))).with_status(429);
}

#[test]
fn the_first_answer_wins() {
    let (simulator, gateway) = started();
    hangs(&simulator, "a");
    let master = gateway.master();
    for body in [fastest(json!({})), fastest(json!({"stream": true}))] {
        let is_stream = body["stream"] == true;
        let reply = master.chat(&body).with_status(200);
        let (text, model) = match is_stream {
            true => (reply.said(), reply.events()[0]["model"].clone()),
            false => (
                said(&json!([reply.json()])).remove(0),
                reply.json()["model"].clone(),
            ),
        };
        assert_eq!((&*text, model), ("from b", json!("b")));
        assert_eq!(reply.must(FASTEST), "True");
        assert_eq!(reply.must("x-litellm-model-id"), "id-b");
        until("the slow call ends", SOON, || simulator.in_flight("a") == 0);
    }
    let rows = gateway.rows_when(4);
    let (lost, won): (Vec<&SpendRow>, Vec<&SpendRow>) =
        rows.iter().partition(|row| &*row.model_id == "id-a");
    assert_eq!((lost.len(), won.len()), (2, 2));
    for row in &won {
        assert_eq!((row.status, row.http_status), (CallStatus::Success, 200));
    }
    for row in &lost {
        assert_eq!(
            (row.status, row.http_status, row.error_class.as_deref()),
            (CallStatus::ClientDisconnected, 499, Some("Outrun"))
        );
        // It has read the prompt.
        assert!(row.usage_estimated && row.spend.0 > 0, "{row:?}");
        assert!(won.iter().any(|won| won.call_id == row.call_id));
    }
    gateway.books_agree();
}

#[test]
fn a_failure_is_no_answer() {
    let (simulator, gateway) = started();
    simulator.behave("a", Behaviour::failing(500));
    simulator.behave(
        "b",
        Behaviour::of(json!({"content": "from b", "delay_ms": 200})),
    );
    let master = gateway.master();
    for stream in [false, true] {
        let reply = master
            .chat(&fastest(json!({"stream": stream})))
            .with_status(200);
        assert_eq!(reply.must("x-litellm-model-id"), "id-b");
    }
    // Nor is a head without content.
    simulator.behave("a", Behaviour::of(json!({"hang": "after_head"})));
    let reply = master
        .chat(&fastest(json!({"stream": true})))
        .with_status(200);
    assert_eq!(reply.said(), "from b");
    // All of them: that of the first name.
    simulator.behave("a", Behaviour::of(json!({"status": 418, "delay_ms": 100})));
    simulator.behave("b", Behaviour::failing(503));
    for stream in [false, true] {
        master
            .chat(&fastest(json!({"stream": stream})))
            .with_status(418);
    }
}

/// A stream whose head has gone out before anybody has content.
#[test]
fn a_race_goes_on_behind_the_head() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&models(&simulator).router("first_content_hold", 0.1));
    hangs(&simulator, "a");
    simulator.behave(
        "b",
        Behaviour::of(json!({"content": "from b", "delay_ms": 600})),
    );
    let reply = gateway
        .master()
        .chat(&fastest(json!({"stream": true})))
        .with_status(200);
    assert!(reply.text().starts_with(": "), "{}", reply.text());
    assert_eq!((reply.said(), reply.is_done()), ("from b".to_owned(), true));
    assert_eq!(reply.must(FASTEST), "True");
    until("the slow call ends", SOON, || simulator.in_flight("a") == 0);
    gateway.rows_when(2);
    gateway.books_agree();
}

#[test]
fn a_client_that_leaves_ends_all_calls() {
    let (simulator, gateway) = started();
    for body in [
        chat_with("a,b,c", json!({})),
        chat_with("a,b,c", json!({"fastest_response": true})),
        streamed("a,b,c", json!({"fastest_response": true})),
    ] {
        for model in ["a", "b", "c"] {
            hangs(&simulator, model);
        }
        let connection = gateway.master().send(&body);
        let under_way = || ["a", "b", "c"].map(|model| simulator.in_flight(model));
        until("all calls are made", SOON, || under_way() == [1; 3]);
        connection.leave();
        until("all calls end", Duration::from_secs(2), || {
            under_way() == [0; 3]
        });
    }
    let rows = gateway.rows_when(9);
    for row in &rows {
        assert_eq!(row.status, CallStatus::ClientDisconnected);
        assert_eq!(
            (row.spend.0, row.error_class.as_deref()),
            (0, None),
            "{row:?}"
        );
    }
    gateway.books_agree();
}

#[test]
fn conversations_get_an_answer_each() {
    let (simulator, gateway) = started();
    let turn = |text: &str| json!([{"role": "user", "content": text}]);
    let two = json!([
        turn("a question"),
        turn("another question, which is longer")
    ]);
    let body = |model: &str| json!({"model": model, "messages": two, "temperature": 0.5});
    let master = gateway.master();
    let list = master.chat(&body("a")).with_status(200).json();
    assert_eq!(said(&list), ["from a", "from a"]);
    let read = |answer: &Value| answer["usage"]["prompt_tokens"].as_u64();
    assert!(read(&list[0]) < read(&list[1]), "{list}");
    let mut asked: Vec<Value> = simulator
        .take()
        .iter()
        .map(|one| one.json()["messages"].clone())
        .collect();
    asked.sort_by_key(|messages| messages.to_string().len());
    assert_eq!(json!(asked), two);
    // By conversations, of each by models.
    let rows = master.chat(&body("a,b")).with_status(200).json();
    assert_eq!(said(&rows[0]), ["from a", "from b"]);
    assert_eq!(said(&rows[1]), ["from a", "from b"]);
    assert!(read(&rows[0][1]) < read(&rows[1][1]), "{rows}");
    // Those of one alone are a list as well.
    let one = json!({"model": "a,b", "messages": [turn("Hi")]});
    let rows = master.chat(&one).with_status(200).json();
    assert_eq!(said(&rows[0]), ["from a", "from b"]);
    gateway.rows_when(8);
    gateway.books_agree();
}

#[test]
fn a_name_with_a_comma_is_one_name() {
    let simulator = Simulator::start();
    let more = Deployment::of(&simulator, "a").group("a,b");
    let config = models(&simulator)
        .and([more])
        .router("model_group_alias", json!({"x,y": "c"}));
    let gateway = Gateway::of(&config);
    let master = gateway.master();
    for (name, text) in [("a,b", "from a"), ("x,y", "from c")] {
        let reply = master.chat(&chat_with(name, json!({}))).with_status(200);
        assert_eq!(said(&json!([reply.json()])), [text]);
        assert_eq!(reply.json()["model"], name);
    }
    let list = master
        .chat(&chat_with("b,a", json!({})))
        .with_status(200)
        .json();
    assert_eq!(said(&list), ["from b", "from a"]);
    // A star stands for single names.
    let star = Deployment::of(&simulator, "*").param("model", "openai/*");
    let gateway = Gateway::of(&models(&simulator).and([star]));
    let list = gateway
        .master()
        .chat(&chat_with("a,gpt-4o", json!({})))
        .with_status(200)
        .json();
    assert_eq!(list.as_array().map(Vec::len), Some(2));
    // Chats alone: elsewhere nobody has such a name.
    let text = json!({"model": "b,a", "prompt": "Hi"});
    master.post("/v1/completions", &text).with_status(400);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let (simulator, gateway) = started();
    let master = gateway.master();
    let names = |count: usize| vec!["a"; count].join(",");
    let lists = |count: usize| json!(vec![json!([]); count]);
    for (body, param) in [
        (streamed("a,b", json!({})), "stream"),
        (chat_with("a,,b", json!({})), "model"),
        (chat_with(",", json!({})), "model"),
        (chat_with(&names(129), json!({})), "model"),
        (chat_with("a", json!({"messages": lists(129)})), "messages"),
        (chat_with("a,b", json!({"messages": lists(65)})), "messages"),
        (
            chat_with(
                "a",
                json!({"messages": lists(128), "x": "y".repeat(1_000_000)}),
            ),
            "messages",
        ),
        (chat_with("a", json!({"messages": [[], {}]})), "messages"),
        (
            fastest(json!({"fastest_response": "soon"})),
            "fastest_response",
        ),
        (fastest(json!({"messages": lists(2)})), "fastest_response"),
    ] {
        let error = master.chat(&body).with_status(400).error();
        assert_eq!(error["param"], param, "{error}");
    }
    assert!(simulator.requests().is_empty());
    // A member that is none is one member's error.
    let reply = master
        .chat(&chat_with(
            "a",
            json!({"messages": [["x"], [{"role": "user", "content": "Hi"}]]}),
        ))
        .with_status(200);
    assert_eq!(said(&reply.json()), ["400", "from a"]);
    // Alone the wish means nothing.
    let alone = chat_with("a", json!({"fastest_response": true}));
    let reply = master.chat(&alone).with_status(200);
    assert_eq!(reply.header(FASTEST), None);
}
