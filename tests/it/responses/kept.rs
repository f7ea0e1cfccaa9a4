//! Conversations that this gateway keeps, for upstreams that keep none.

use super::{assert_unknown, events, id, request, respond, response};
use crate::harness::{
    Config, Deployment, Gateway, PROMPT, Request, SOON, Value, at_once, json, until,
};
use crate::simulator::{Behaviour, Simulator};
use pointsman::responses::{Holder, ResponseId};
use pointsman::store::{AnyConnection, queries};
use pointsman::types::Secret;
use pointsman::vault::Vault;

/// A model that chats, and nothing else.
fn config(simulator: &Simulator) -> Config {
    let deployment = Deployment::of(simulator, "m").param("model", "groq/m");
    Config::of([deployment]).router("num_retries", 0)
}

fn gateway(simulator: &Simulator) -> Gateway {
    simulator.behave("m", Behaviour::saying("Kiel"));
    Gateway::of(&config(simulator))
}

/// The messages of the last call, as role and text.
fn last_messages(simulator: &Simulator) -> Vec<(String, String)> {
    let requests = simulator.take();
    let body = requests.last().expect("a call").json();
    let messages = body["messages"].as_array().expect("messages").clone();
    let text = |content: &Value| match content {
        Value::String(text) => text.clone(),
        parts => parts[0]["text"].as_str().unwrap_or_default().to_owned(),
    };
    messages
        .iter()
        .map(|message| {
            (
                message["role"].as_str().unwrap().to_owned(),
                text(&message["content"]),
            )
        })
        .collect()
}

fn said(parts: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(role, text): &(&str, &str)| ((*role).to_owned(), (*text).to_owned());
    parts.iter().map(owned).collect()
}

#[test]
fn a_conversation_goes_on_turn_by_turn() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({}));
    for stream in [false, true] {
        let first = response(&caller, &request("m", json!({"stream": stream})));
        assert!(id(&first).starts_with("resp_"), "{first}");
        assert_eq!(first["status"], "completed");
        let next = json!({"previous_response_id": id(&first), "input": "and then?", "stream": stream, "instructions": "short"});
        let second = response(&caller, &request("m", next));
        assert_eq!(second["previous_response_id"], first["id"]);
        assert_ne!(second["id"], first["id"]);
        let sent = last_messages(&simulator);
        let history = [
            ("user", PROMPT),
            ("assistant", "Kiel"),
            ("user", "and then?"),
        ];
        assert_eq!(sent[1..], said(&history));
        // Instructions are those of each turn alone.
        let third = json!({"previous_response_id": id(&second), "input": [{"role": "user", "content": "why?"}]});
        response(&caller, &request("m", third));
        let mut history = history.to_vec();
        history.extend([("assistant", "Kiel"), ("user", "why?")]);
        assert_eq!(last_messages(&simulator), said(&history));
        // It branches where it is gone on from again.
        let branch = json!({"previous_response_id": id(&first), "input": "else?"});
        response(&caller, &request("m", branch));
        let branched = [("user", PROMPT), ("assistant", "Kiel"), ("user", "else?")];
        assert_eq!(last_messages(&simulator), said(&branched));
    }
}

/// The next turn comes when the last byte has: before the database can have it.
#[test]
fn who_goes_on_at_once_is_not_forgotten() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({}));
    at_once(8, |lane| {
        let mut last = response(&caller, &request("m", json!({"stream": lane % 2 == 0})));
        for turn in 1..6 {
            let next = json!({"previous_response_id": id(&last), "input": format!("{turn}"), "stream": turn % 2 == 0});
            last = response(&caller, &request("m", next));
        }
        let items = caller.get(&format!(
            "/v1/responses/{}/input_items?order=asc&limit=100",
            id(&last)
        ));
        let items = items.with_status(200).json();
        assert_eq!(items["data"].as_array().unwrap().len(), 11);
    });
}

#[test]
fn what_is_not_to_be_stored_is_not_kept() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({}));
    let first = response(&caller, &request("m", json!({"store": false})));
    let next = json!({"previous_response_id": id(&first), "input": "and then?"});
    assert_unknown(&respond(&caller, &request("m", next)));
    caller
        .get(&format!("/v1/responses/{}", id(&first)))
        .with_status(404);
    for strange in [
        "resp_1",
        "",
        "x",
        &format!("resp_{}", "A".repeat(300)),
        &"é".repeat(5000),
    ] {
        assert_unknown(&respond(
            &caller,
            &request("m", json!({"previous_response_id": strange})),
        ));
    }
    let wrong = respond(&caller, &request("m", json!({"previous_response_id": 7})));
    assert_eq!(
        wrong.with_status(400).error()["param"],
        "previous_response_id"
    );
}

#[test]
fn nobody_goes_on_from_what_is_anothers() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    gateway.team("t", |_| {});
    gateway.team("u", |_| {});
    let owner = gateway.caller(json!({"user_id": "ann"}));
    let kept = response(&owner, &request("m", json!({})));
    let next = request(
        "m",
        json!({"previous_response_id": id(&kept), "input": "and?"}),
    );
    let path = format!("/v1/responses/{}", id(&kept));
    for stranger in [
        json!({"user_id": "ben"}),
        json!({}),
        json!({"user_id": "ann", "team_id": "t"}),
        json!({"team_id": "u"}),
    ] {
        let stranger = gateway.caller(stranger);
        assert_unknown(&respond(&stranger, &next));
        for (method, path) in [
            ("GET", path.clone()),
            ("DELETE", path.clone()),
            ("POST", format!("{path}/cancel")),
            ("GET", format!("{path}/input_items")),
        ] {
            let error = stranger
                .ask(Request::new(method, &path))
                .with_status(404)
                .error();
            let text = format!("Response with id '{}' not found.", id(&kept));
            assert_eq!(error["message"], text, "{method} {path}");
        }
    }
    for friend in [gateway.caller(json!({"user_id": "ann"})), gateway.master()] {
        response(&friend, &next);
        friend.get(&path).with_status(200);
    }
}

#[test]
fn everybody_may_where_the_configuration_says_so() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&config(&simulator).general("disable_responses_id_security", true));
    let kept = response(&gateway.caller(json!({})), &request("m", json!({})));
    let other = gateway.caller(json!({}));
    other
        .get(&format!("/responses/{}", id(&kept)))
        .with_status(200);
    response(
        &other,
        &request("m", json!({"previous_response_id": id(&kept)})),
    );
}

#[test]
fn a_kept_response_can_be_shown_and_deleted() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({}));
    let first = response(&caller, &request("m", json!({"metadata": {"a": "b"}})));
    let second =
        json!({"previous_response_id": id(&first), "input": [{"role": "user", "content": "and?"}]});
    let second = response(&caller, &request("m", second));
    for base in ["/v1/responses", "/responses", "/openai/v1/responses"] {
        let shown = caller
            .get(&format!("{base}/{}", id(&first)))
            .with_status(200);
        assert!(shown.header("x-litellm-call-id").is_some());
        assert_eq!(shown.json(), first);
    }
    let path = format!("/v1/responses/{}", id(&second));
    let items = |query: &str| {
        caller
            .get(&format!("{path}/input_items{query}"))
            .with_status(200)
            .json()
    };
    let texts = |page: &Value| -> Vec<Value> {
        let data = page["data"].as_array().unwrap();
        data.iter()
            .map(|item| item["content"][0]["text"].clone())
            .collect()
    };
    let all = items("");
    assert_eq!(texts(&all), [json!("and?"), json!("Kiel"), json!(PROMPT)]);
    assert_eq!(
        (&all["object"], &all["has_more"]),
        (&json!("list"), &json!(false))
    );
    let page = items("?limit=1&order=asc");
    assert_eq!(
        (texts(&page), &page["has_more"]),
        (vec![json!(PROMPT)], &json!(true))
    );
    let after = page["last_id"].as_str().unwrap();
    assert_eq!(
        texts(&items(&format!("?limit=2&order=asc&after={after}"))).len(),
        2
    );
    for wrong in ["?limit=0", "?limit=x", "?order=up", "?after=none"] {
        caller
            .get(&format!("{path}/input_items{wrong}"))
            .with_status(400);
    }
    let synchronous = caller.ask(Request::new("POST", &format!("{path}/cancel")));
    let message = synchronous.with_status(400).message();
    assert_eq!(message, "Cannot cancel a synchronous response.");
    caller.get(&format!("{path}?stream=true")).with_status(400);
    // Deleted once, and what followed it has lost its beginning.
    let first_path = format!("/v1/responses/{}", id(&first));
    let delete = || caller.ask(Request::new("DELETE", &first_path));
    let gone = delete().with_status(200).json();
    assert_eq!(
        gone,
        json!({"id": id(&first), "object": "response", "deleted": true})
    );
    delete().with_status(404);
    caller.get(&first_path).with_status(404);
    assert_unknown(&respond(
        &caller,
        &request("m", json!({"previous_response_id": id(&first)})),
    ));
    let orphan = respond(
        &caller,
        &request("m", json!({"previous_response_id": id(&second)})),
    );
    assert_unknown(&orphan);
    assert!(orphan.text().contains("beginning"), "{}", orphan.text());
}

#[test]
fn a_conversation_survives_the_process() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator);
    let caller = gateway.caller(json!({}));
    let key = caller.key.clone().unwrap();
    let first = response(&caller, &request("m", json!({})));
    gateway.terminate();
    gateway.start_again();
    let caller = gateway.client(&key);
    let next = json!({"previous_response_id": id(&first), "input": "and then?", "stream": true});
    let second = response(&caller, &request("m", next));
    assert_eq!(last_messages(&simulator).len(), 3);
    // A moment later it is written down, whatever becomes of the process.
    until("it is written down", SOON, || {
        turns_written(&gateway, &second) == 2
    });
    gateway.kill();
    gateway.start_again();
    let caller = gateway.client(&key);
    let next = json!({"previous_response_id": id(&second), "input": "and then?"});
    response(&caller, &request("m", next));
    assert_eq!(last_messages(&simulator).len(), 5);
    // Another salt key: nothing of it can be read.
    gateway.terminate();
    gateway.change_env("LITELLM_SALT_KEY", "another salt key than before");
    gateway.start_again();
    let caller = gateway.client(&key);
    assert_unknown(&respond(
        &caller,
        &request("m", json!({"previous_response_id": id(&second)})),
    ));
}

/// Turns of the conversation that ends with a response, as the database has them.
fn turns_written(gateway: &Gateway, response: &Value) -> usize {
    let salt_key = std::fs::read_to_string(gateway.data_dir().join("salt.key")).unwrap();
    let vault = Vault::new(&Secret::new(salt_key.trim()));
    let opened = ResponseId::open(&vault, id(response)).expect("an id of this gateway's");
    let Holder::Here(turn) = opened.holder else {
        panic!("{opened:?}");
    };
    let mut conn = AnyConnection::open(&gateway.database_url()).unwrap();
    queries::kept_chain(&mut conn, &vault, turn).unwrap().len()
}

#[test]
fn nothing_is_kept_where_nothing_is_to_be() {
    let simulator = Simulator::start();
    let mut gateway = Gateway::of(&config(&simulator).general("response_retention", "0"));
    let caller = gateway.caller(json!({}));
    let first = response(&caller, &request("m", json!({})));
    assert_unknown(&respond(
        &caller,
        &request("m", json!({"previous_response_id": id(&first)})),
    ));
    // A reload changes that.
    gateway.reload(&config(&simulator).general("response_retention", "1h"));
    let first = response(&caller, &request("m", json!({})));
    response(
        &caller,
        &request("m", json!({"previous_response_id": id(&first)})),
    );
}

/// What was said before a tool was called comes back with what the tool answered.
#[test]
fn tool_calls_are_gone_on_from() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let call = json!({"content": null, "tool_calls": [{"id": "call_1", "name": "clock", "arguments": "{\"zone\": \"CET\"}"}]});
    simulator.behave_in_turn("m", vec![Behaviour::of(call)], Behaviour::saying("Noon"));
    let caller = gateway.caller(json!({}));
    let tools = json!([{"type": "function", "name": "clock", "parameters": {"type": "object", "properties": {}}}]);
    let first = response(
        &caller,
        &request("m", json!({"tools": tools, "stream": true})),
    );
    let called = first["output"].as_array().unwrap().last().unwrap();
    assert_eq!(called["arguments"], "{\"zone\": \"CET\"}");
    let output =
        json!([{"type": "function_call_output", "call_id": called["call_id"], "output": "12:00"}]);
    let next = json!({"tools": tools, "previous_response_id": id(&first), "input": output});
    let second = respond(&caller, &request("m", next)).with_status(200);
    assert_eq!(second.json()["output"][0]["content"][0]["text"], "Noon");
    let requests = simulator.take();
    let sent = requests.last().unwrap().json();
    let messages = sent["messages"].as_array().unwrap();
    assert_eq!(messages[1]["tool_calls"][0]["id"], "call_1");
    assert_eq!(
        messages[1]["tool_calls"][0]["function"]["arguments"],
        "{\"zone\": \"CET\"}"
    );
    assert_eq!(messages[2]["tool_call_id"], "call_1");
    assert_eq!(messages[2]["content"], "12:00");
}

/// A stream that breaks is no response that anybody could go on from.
#[test]
fn broken_answers_are_not_kept() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({}));
    let cut = json!({"content": "one two three four", "chunks": 4, "cut_after_bytes": 1200});
    simulator.behave("m", Behaviour::of(cut));
    let reply = respond(&caller, &request("m", json!({"stream": true}))).with_status(200);
    let events = events(&reply);
    let made = id(&events[0]["response"]).to_owned();
    assert_ne!(events.last().unwrap()["type"], "response.completed");
    assert_unknown(&respond(
        &caller,
        &request("m", json!({"previous_response_id": made})),
    ));
}

/// A provider that speaks the API but keeps nothing gets the whole conversation each time.
#[test]
fn who_keeps_nothing_is_told_everything() {
    let simulator = Simulator::start();
    let deployment = Deployment::of(&simulator, "m").param("model", "openrouter/m");
    let gateway = Gateway::of(&Config::of([deployment]).router("num_retries", 0));
    let blocks = json!({"blocks": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Kiel"}]});
    simulator.behave("openrouter/m", Behaviour::of(blocks.clone()));
    simulator.behave("m", Behaviour::of(blocks));
    let caller = gateway.caller(json!({}));
    let first = response(&caller, &request("m", json!({})));
    assert_eq!(first["output"][0]["type"], "reasoning");
    simulator.take();
    let next = json!({"previous_response_id": id(&first), "input": "and?", "stream": true});
    let second = response(&caller, &request("m", next));
    assert_eq!(second["previous_response_id"], first["id"]);
    let call = simulator.take().remove(0);
    let sent = call.json();
    assert_eq!(call.path, "/v1/responses");
    assert_eq!(sent["previous_response_id"], Value::Null);
    let kinds: Vec<&Value> = sent["input"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["role"])
        .collect();
    // The reasoning had no proof, so it is nobody's now.
    assert_eq!(
        kinds,
        [&json!("user"), &json!("assistant"), &json!("user")],
        "{sent}"
    );
    assert_eq!(sent["input"][1].get("id"), None, "{sent}");
    caller
        .get(&format!("/v1/responses/{}", id(&second)))
        .with_status(200);
    assert!(simulator.take().is_empty(), "nobody is asked for it");
}

/// Thoughts that Anthropic's models have signed come back to them as they were, from what is kept here.
#[test]
fn signed_thoughts_are_kept_with_their_proof() {
    let simulator = Simulator::start();
    let deployment = Deployment::of(&simulator, "m").param("model", "anthropic/m");
    let gateway = Gateway::of(&Config::of([deployment]).router("num_retries", 0));
    let blocks = json!({"blocks": [
        {"type": "thinking", "thinking": "Hm."},
        {"type": "tool_use", "id": "toolu_1", "name": "clock", "arguments": "{}"},
    ]});
    simulator.behave_in_turn("m", vec![Behaviour::of(blocks)], Behaviour::saying("Noon"));
    let caller = gateway.caller(json!({}));
    let tools = json!([{"type": "function", "name": "clock", "parameters": {"type": "object", "properties": {}}}]);
    let more = json!({"tools": tools, "reasoning": {"effort": "low"}, "include": ["reasoning.encrypted_content"]});
    for stream in [true, false] {
        let mut body = request("m", more.clone());
        body["stream"] = json!(stream);
        let first = response(&caller, &body);
        let called = first["output"].as_array().unwrap().last().unwrap();
        if called["type"] != "function_call" {
            continue;
        }
        let output = json!([{"type": "function_call_output", "call_id": called["call_id"], "output": "12:00"}]);
        body["previous_response_id"] = first["id"].clone();
        body["input"] = output;
        simulator.take();
        response(&caller, &body);
        let sent = simulator.take().remove(0).json();
        let thought = &sent["messages"][1]["content"][0];
        assert_eq!(thought["type"], "thinking", "{sent}");
        assert_eq!(thought["thinking"], "Hm.");
        assert!(
            thought["signature"]
                .as_str()
                .is_some_and(|it| it.len() > 100),
            "{sent}"
        );
    }
}
