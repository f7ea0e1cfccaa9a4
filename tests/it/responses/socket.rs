//! The Responses API over a WebSocket, as Codex speaks it.

use std::net::TcpStream;
use std::time::Duration;

use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};

use super::{id, request};
use crate::harness::{Client, Config, Deployment, Gateway, PROMPT, Value, json, until};
use crate::simulator::{Behaviour, Simulator};

/// A connection.
struct Socket(WebSocket<TcpStream>);

impl Socket {
    fn open(client: &Client) -> Self {
        let mut handshake = format!("ws://{}/v1/responses", client.address)
            .into_client_request()
            .unwrap();
        let key = client.key.as_deref().unwrap_or_default();
        let headers = handshake.headers_mut();
        headers.insert("authorization", format!("Bearer {key}").parse().unwrap());
        headers.insert(
            "openai-beta",
            "responses_websockets=2026-02-06".parse().unwrap(),
        );
        let stream = TcpStream::connect(client.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let (socket, answer) = tungstenite::client(handshake, stream).expect("a handshake");
        assert_eq!(answer.status(), 101);
        Self(socket)
    }

    fn send(&mut self, body: &Value) {
        let mut message = json!({"type": "response.create"});
        message
            .as_object_mut()
            .unwrap()
            .extend(body.as_object().unwrap().clone());
        self.say(&message.to_string());
    }

    fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).expect("sent");
    }

    /// The next event.
    #[track_caller]
    fn event(&mut self) -> Value {
        loop {
            match self.0.read().expect("a message") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Events up to the one that ends a response, which is its last.
    #[track_caller]
    fn events(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.event();
            let kind = event["type"].as_str().unwrap_or_default().to_owned();
            events.push(event);
            let ends = [
                "response.completed",
                "response.failed",
                "response.incomplete",
                "error",
            ];
            if ends.contains(&kind.as_str()) {
                return events;
            }
        }
    }

    #[track_caller]
    fn respond(&mut self, body: &Value) -> Value {
        self.send(body);
        let mut events = self.events();
        let last = events.pop().unwrap();
        assert_eq!(last["type"], "response.completed", "{last}");
        last["response"].clone()
    }

    #[track_caller]
    fn refused(&mut self, body: &Value) -> Value {
        self.send(body);
        let event = self.event();
        assert_eq!(event["type"], "error", "{event}");
        event
    }
}

/// A model that only chats.
fn gateway(simulator: &Simulator, general: &[(&str, Value)]) -> Gateway {
    simulator.behave("m", Behaviour::saying("Kiel"));
    let deployment = Deployment::of(simulator, "m").param("model", "groq/m");
    let config = Config::of([deployment]).router("num_retries", 0);
    let config = general.iter().fold(config, |config, (name, value)| {
        config.general(name, value.clone())
    });
    Gateway::of(&config)
}

#[test]
fn a_conversation_goes_on_without_being_stored() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator, &[]);
    let mut socket = Socket::open(&gateway.caller(json!({})));
    let first = socket.respond(&request("m", json!({"store": false})));
    assert_eq!(first["output"][0]["content"][0]["text"], "Kiel");
    let mut last = id(&first).to_owned();
    for turn in 1..4 {
        simulator.take();
        let next = json!({"store": false, "previous_response_id": last, "input": [{"role": "user", "content": "and?"}]});
        last = id(&socket.respond(&request("m", next))).to_owned();
        let sent = simulator.take().remove(0).json();
        let messages = sent["messages"].as_array().unwrap();
        assert_eq!(messages.len(), 1 + 2 * turn, "{sent}");
        assert!(messages[0].to_string().contains(PROMPT));
    }
    // Only the last one is remembered, and nobody else remembers it.
    let error = socket.refused(&request(
        "m",
        json!({"store": false, "previous_response_id": id(&first)}),
    ));
    assert_eq!(error["error"]["code"], "previous_response_not_found");
    assert_eq!(error["status"], 400);
    assert_eq!(gateway.rows_when(4).len(), 4, "each turn is a call");
}

#[test]
fn stored_responses_are_gone_on_from_anywhere() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator, &[]);
    let caller = gateway.caller(json!({}));
    let first = Socket::open(&caller).respond(&request("m", json!({})));
    let next = request(
        "m",
        json!({"previous_response_id": id(&first), "input": "and?"}),
    );
    let second = Socket::open(&caller).respond(&next);
    assert_eq!(second["previous_response_id"], first["id"]);
    super::response(&caller, &next);
    let stranger = Socket::open(&gateway.caller(json!({}))).refused(&next);
    assert_eq!(stranger["error"]["code"], "previous_response_not_found");
}

#[test]
fn a_warm_up_asks_nobody() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator, &[]);
    let mut socket = Socket::open(&gateway.caller(json!({})));
    let warm = socket.respond(&request("m", json!({"generate": false, "store": false})));
    assert_eq!(simulator.take().len(), 0);
    let next = json!({"store": false, "previous_response_id": id(&warm), "input": "go"});
    socket.respond(&request("m", next));
    let sent = simulator.take().remove(0).json();
    assert_eq!(sent["messages"].as_array().unwrap().len(), 2, "{sent}");
}

#[test]
fn what_is_wrong_is_told_and_the_connection_goes_on() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator, &[]);
    let caller = gateway.caller(json!({"rpm_limit": 3}));
    let mut socket = Socket::open(&caller);
    for wrong in [
        "",
        "{",
        "[]",
        r#"{"type":"response.create"}"#,
        r#"{"type":"no.such.thing"}"#,
    ] {
        socket.say(wrong);
        let event = socket.event();
        assert_eq!(
            (&event["type"], &event["status"]),
            (&json!("error"), &json!(400)),
            "{wrong}: {event}"
        );
        assert!(event["error"]["message"].is_string(), "{event}");
    }
    let unknown = socket.refused(&request("no-such-model", json!({})));
    assert_eq!(unknown["status"], 400, "{unknown}");
    simulator.behave("m", Behaviour::failing(500));
    let failed = socket.refused(&request("m", json!({})));
    assert_eq!(failed["status"], 500, "{failed}");
    simulator.behave("m", Behaviour::saying("Kiel"));
    socket.say(r#"{"type":"response.processed","response_id":"resp_1"}"#);
    socket.respond(&request("m", json!({})));
    socket.respond(&request("m", json!({})));
    let limited = socket.refused(&request("m", json!({})));
    assert_eq!(limited["status"], 429, "{limited}");
}

#[test]
fn requests_are_answered_one_after_another() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator, &[]);
    let mut socket = Socket::open(&gateway.caller(json!({})));
    for _ in 0..5 {
        socket.send(&request("m", json!({"store": false})));
    }
    for _ in 0..5 {
        let events = socket.events();
        assert_eq!(events[0]["type"], "response.created");
        assert_eq!(events.last().unwrap()["type"], "response.completed");
    }
}

#[test]
fn a_client_that_leaves_ends_its_call() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator, &[]);
    let slow = json!({"content": "one two three", "chunks": 3, "silent_after_chunks": 1});
    simulator.behave("m", Behaviour::of(slow));
    let mut socket = Socket::open(&gateway.caller(json!({})));
    socket.send(&request("m", json!({})));
    while socket.event()["type"] != "response.output_text.delta" {}
    assert_eq!(simulator.in_flight("m"), 1);
    drop(socket);
    until("the call has ended", Duration::from_secs(1), || {
        simulator.in_flight("m") == 0
    });
    // Also one that has not begun to answer.
    simulator.behave("m", Behaviour::of(json!({"hold": true})));
    let mut socket = Socket::open(&gateway.caller(json!({})));
    socket.send(&request("m", json!({})));
    until("it is called", Duration::from_secs(5), || {
        simulator.in_flight("m") == 1
    });
    drop(socket);
    until("the call has ended", Duration::from_secs(1), || {
        simulator.in_flight("m") == 0
    });
}

#[test]
fn a_key_is_asked_for_its_rights_each_time() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator, &[("user_api_key_cache_ttl", json!(1))]);
    let key = gateway.key(json!({}));
    let mut socket = Socket::open(&gateway.client(&key.secret));
    socket.respond(&request("m", json!({})));
    gateway
        .master()
        .post("/key/block", &json!({"key": key.secret}))
        .with_status(200);
    let refused = socket.refused(&request("m", json!({})));
    assert_eq!(refused["status"], 401, "{refused}");
    let unasked = gateway.master().get("/v1/responses").with_status(426);
    assert_eq!(unasked.header("upgrade"), Some("websocket"));
    gateway.anonymous().get("/v1/responses").with_status(401);
}

#[test]
fn connections_end_with_the_gateway() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator, &[]);
    let mut socket = Socket::open(&gateway.caller(json!({})));
    socket.respond(&request("m", json!({})));
    gateway.ask_to_stop();
    loop {
        match socket.0.read() {
            Ok(Message::Close(_)) | Err(_) => break,
            Ok(_) => {}
        }
    }
    assert!(gateway.ended(Duration::from_secs(10)).success());
}
