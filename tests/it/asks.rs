//! What a request asks of the gateway itself, and where that shows.

use crate::harness::{
    Client, Config, Deployment, Gateway, Reply, Request, SOON, Value, chat, chat_with, eventually,
    json, streamed,
};
use crate::simulator::Simulator;

fn with(client: &Client, body: &Value, headers: &[(&str, &str)]) -> Reply {
    let request = Request::post("/v1/chat/completions", body.to_string());
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(name, value)
    });
    client.ask(request)
}

/// The row of a call, as `/spend/logs` shows it.
fn row(gateway: &Gateway, reply: &Reply) -> Value {
    let id = reply.json()["id"].as_str().expect("an id").to_owned();
    eventually("the row", SOON, || {
        let answer = gateway
            .master()
            .get(&format!("/spend/logs?request_id={id}"))
            .with_status(200)
            .json();
        answer.get(0).cloned()
    })
}

#[test]
fn labels_come_into_the_books() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let key = gateway.caller(json!({"metadata": {"tags": ["of-the-key"]}}));
    let headers = [
        ("user-agent", "OpenAI/Python 1.50.0"),
        ("x-litellm-tags", "one, two"),
        ("x-litellm-customer-id", "customer-7"),
        ("x-litellm-session-id", "session-9"),
        ("x-litellm-spend-logs-metadata", r#"{"job": "nightly"}"#),
    ];
    let body = chat_with("m", json!({"user": "not-this-one"}));
    let reply = with(&key, &body, &headers).with_status(200);
    let row = row(&gateway, &reply);
    for (field, expected) in [
        (
            "request_tags",
            json!([
                "one",
                "two",
                "of-the-key",
                "User-Agent: OpenAI",
                "User-Agent: OpenAI/Python 1.50.0"
            ]),
        ),
        ("end_user", json!("customer-7")),
        ("session_id", json!("session-9")),
    ] {
        assert_eq!(row[field], expected, "{field}");
    }
    assert_eq!(
        row["metadata"]["spend_logs_metadata"],
        json!({"job": "nightly"})
    );
    assert_eq!(row["metadata"]["user_agent"], "OpenAI/Python 1.50.0");
    // What addresses the gateway goes no further.
    let sent = simulator.take().remove(0);
    assert_eq!(
        sent.json().as_object().unwrap().keys().collect::<Vec<_>>(),
        ["messages", "model", "user"]
    );
    assert!(
        sent.headers
            .iter()
            .all(|(name, _)| !name.to_ascii_lowercase().starts_with("x-litellm"))
    );
}

#[test]
fn a_call_without_session_is_one_of_its_own() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m")
        .litellm("disable_add_user_agent_to_request_tags", true)
        .litellm("extra_spend_tag_headers", json!(["x-department"]))
        .general("user_header_name", "X-OpenWebUI-User-Id");
    let gateway = Gateway::of(&config);
    let headers = [
        ("user-agent", "curl/8.5"),
        ("x-department", "books"),
        ("x-openwebui-user-id", "ada"),
        ("x-litellm-call-id", "call-1"),
    ];
    let reply = with(&gateway.master(), &chat("m"), &headers).with_status(200);
    let row = row(&gateway, &reply);
    assert_eq!(row["session_id"], "call-1");
    assert_eq!(row["request_tags"], json!(["books"]));
    assert_eq!(row["end_user"], "ada");
}

#[test]
fn metadata_go_upstream_only_to_be_stored() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    for (stored, store) in [(true, json!(true)), (false, json!(false))] {
        for front in [true, false] {
            let body = if front {
                format!(r#"{{"store":{store},"metadata":{{"k":"v"}},"model":"m","messages":[]}}"#)
            } else {
                format!(r#"{{"model":"m","messages":[],"metadata":{{"k":"v"}},"store":{store}}}"#)
            };
            let request = Request::post("/v1/chat/completions", body);
            gateway.master().ask(request).with_status(200);
            let sent = simulator.take()[0].json();
            assert_eq!(sent.get("metadata").is_some(), stored, "{sent}");
        }
    }
}

#[test]
fn what_cannot_be_meant_is_a_400_that_names_it() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::single(&simulator, "m"));
    let master = gateway.master();
    for (body, headers, param) in [
        (json!({"timeout": "soon"}), &[][..], "timeout"),
        (json!({"num_retries": "many"}), &[], "num_retries"),
        (json!({"tags": {"a": 1}}), &[], "tags"),
        (json!({"metadata": "text"}), &[], "metadata"),
        (json!({"mock_timeout": true}), &[], "mock_timeout"),
        (
            json!({}),
            &[("x-litellm-timeout", "abc")],
            "x-litellm-timeout",
        ),
        (
            json!({}),
            &[("x-litellm-num-retries", "1.5")],
            "x-litellm-num-retries",
        ),
    ] {
        let reply = with(&master, &chat_with("m", body), headers).with_status(400);
        assert_eq!(reply.error()["param"], param);
        assert!(reply.message().contains(param), "{}", reply.message());
    }
    let refused = chat_with("m", json!({"metadata": {"api_base": "http://127.0.0.1:9"}}));
    let reply = master.chat(&refused).with_status(401);
    assert!(reply.message().contains("api_base is not allowed"));
    assert!(simulator.take().is_empty());
}

#[test]
fn only_those_who_may_are_mocked() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m")
        .general("dangerously_allow_mock_testing_request_params", true);
    let gateway = Gateway::of(&config);
    let body = chat_with("m", json!({"mock_response": "mocked"}));
    let other = gateway.caller(json!({}));
    let reply = other.chat(&body).with_status(200);
    assert_ne!(reply.json()["choices"][0]["message"]["content"], "mocked");
    assert_eq!(simulator.take().len(), 1);
    let may = gateway.caller(json!({"metadata": {"allow_client_mock_response": true}}));
    let reply = may.chat(&body).with_status(200);
    assert_eq!(reply.json()["choices"][0]["message"]["content"], "mocked");
    let body = streamed("m", json!({"mock_response": "mocked"}));
    assert_eq!(may.chat(&body).with_status(200).said(), "mocked");
    let body = chat_with("m", json!({"mock_timeout": true, "timeout": 0.2}));
    other.chat(&body).with_status(408);
    assert!(simulator.take().is_empty());
}

#[test]
fn usage_may_always_be_told() {
    let simulator = Simulator::start();
    let config = Config::single(&simulator, "m").general("always_include_stream_usage", true);
    let gateway = Gateway::of(&config);
    let events = gateway
        .master()
        .chat(&streamed("m", json!({})))
        .with_status(200)
        .events();
    assert!(events.last().unwrap()["usage"]["total_tokens"].is_u64());
}

#[test]
fn a_canned_upstream_for_measurements() {
    let deployment = Deployment::at("http://127.0.0.1:9/v1", "up").group("m");
    let gateway = Gateway::of(&Config::of([deployment]).litellm("network_mock", true));
    gateway.master().chat(&chat("m")).with_status(200);
}
