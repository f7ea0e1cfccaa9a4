//! `mid_stream_failure: resume`: a stream that breaks after its first content is gone on with by another deployment.

use serde_json::Value;

use super::failover::Twins;
use super::failures::broken_off;
use super::told::Told;
use super::{Asked, Family, Protocol, asks, streams};
use crate::harness::{Config, Reply, SOON, json, until};
use crate::simulator::{Behaviour, Recorded};

/// Ways in which a stream breaks in the middle, after two words.
fn faults() -> Vec<Value> {
    let said = json!({"content": "one two three four", "chunk_delay_ms": 20});
    let with = |more: Value| {
        let mut fault = said.clone();
        let fields = fault.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        fault
    };
    vec![
        with(json!({"error_mid_stream": {"after_chunks": 2}})),
        with(json!({"silent_after_chunks": 2})),
    ]
}

fn resuming() -> Twins {
    Twins::with(|config| config.router("mid_stream_failure", "resume"))
}

/// What the second deployment was asked.
#[track_caller]
fn asked(twins: &Twins) -> Value {
    let requests: Vec<Recorded> = twins.second.take();
    assert_eq!(requests.len(), 1, "one call");
    serde_json::from_slice(&requests[0].body).expect("JSON")
}

#[test]
fn another_deployment_goes_on() {
    let twins = resuming();
    let mut calls = 0;
    for family in Family::ALL {
        for client in Protocol::ALL {
            for fault in faults() {
                let what = format!("{client:?} over {family:?}, {fault}");
                twins.first.behave(family.model(), Behaviour::of(fault));
                let rest = json!({
                    "content": "and the rest",
                    "counts": {"input": 40, "output": 6},
                });
                twins.second.behave(family.model(), Behaviour::of(rest));
                twins.second.take();
                let reply = twins.ask(client, family);
                calls += 1;
                assert_eq!(reply.status, 200, "{what}: {}", reply.text());
                // Checks ids, numbers and the order of events on the way.
                let told = Told::of(client, &streams::assembled(client, &reply));
                assert_eq!(
                    told.text,
                    "one two and the rest",
                    "{what}: {}",
                    reply.text()
                );
                assert_eq!(told.model, family.group(), "{what}");
                assert!(told.usage.output > 6, "{what}: {:?}", told.usage);
                assert!(told.usage.input > 40, "{what}: {:?}", told.usage);
                assert!(
                    reply.must("x-litellm-model-id").ends_with("first"),
                    "{what}: who began has been told"
                );
                let asked = asked(&twins).to_string();
                assert!(asked.contains("one two "), "{what}: {asked}");
            }
        }
    }
    let rows = twins.gateway.rows_when(calls);
    for row in rows {
        assert_eq!((row.http_status, row.retries), (200, 1), "{row:?}");
        assert!(row.model_id.ends_with("second"), "{row:?}");
        assert!(row.usage_estimated, "{row:?}");
        let failed = row.read_labels().previous_models;
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert!(failed[0].model_id.ends_with("first"), "{failed:?}");
    }
    twins.gateway.books_agree();
}

/// Wherever a stream is cut, its client reads one well-formed answer, or an error of its protocol.
#[test]
fn cut_anywhere() {
    let twins = resuming();
    for family in Family::ALL {
        twins
            .second
            .behave(family.model(), Behaviour::saying("rest"));
        for client in Protocol::ALL {
            let mut resumed = 0;
            for bytes in (0..3_400).step_by(97) {
                let fault = json!({
                    "content": "one two three", "chunk_delay_ms": 2, "cut_after_bytes": bytes,
                });
                twins.first.behave(family.model(), Behaviour::of(fault));
                let reply = twins.ask(client, family);
                let what = format!("{client:?} over {family:?}, cut at {bytes}");
                assert_eq!(reply.status, 200, "{what}: {}", reply.text());
                if ends_with_error(client, &reply) {
                    let (text, _) = broken_off(client, &reply);
                    // When the words are all said, nobody goes on.
                    assert_eq!(text, "one two three", "{what}: {}", reply.text());
                    continue;
                }
                let told = Told::of(client, &streams::assembled(client, &reply));
                let begun = told.text.strip_suffix("rest");
                assert!(
                    begun.is_some_and(|begun| "one two three".starts_with(begun))
                        || told.text == "one two three",
                    "{what}: {}",
                    told.text
                );
                resumed += usize::from(begun.is_some_and(|begun| !begun.is_empty()));
            }
            assert!(resumed > 0, "{client:?} over {family:?}");
        }
    }
    twins.gateway.books_agree();
}

fn ends_with_error(client: Protocol, reply: &Reply) -> bool {
    let events = streams::events(reply);
    let (name, data) = events.last().expect("an event");
    match client {
        Protocol::Chat => data.contains("\"error\""),
        Protocol::Messages => name.as_deref() == Some("error"),
        Protocol::Responses => name.as_deref() == Some("response.failed"),
    }
}

#[test]
fn never_behind_a_tool_call_or_an_open_thought() {
    let twins = resuming();
    for family in Family::ALL {
        for client in Protocol::ALL {
            let call = json!({"type": "tool_use", "id": "call_1", "name": "weather", "arguments": "{\"city\": \"Rome, the eternal one\"}"});
            let thought = json!({"type": "thinking", "thinking": "long thoughts about much"});
            let mut cases =
                vec![json!({"blocks": [{"type": "text", "text": "a"}, call], "chunk_bytes": 4})];
            if family == Family::Anthropic {
                cases.push(
                    json!({"blocks": [thought, {"type": "text", "text": "a"}], "chunk_bytes": 4}),
                );
            }
            for mut fault in cases {
                fault["chunk_delay_ms"] = json!(5);
                fault["error_mid_stream"] = json!({"after_chunks": 3});
                twins.first.behave(family.model(), Behaviour::of(&fault));
                twins.second.take();
                let wishes = Asked {
                    stream: true,
                    tools: true,
                    thinking: true,
                };
                let reply = twins.post(client, &asks::first(client, family.group(), wishes));
                let what = format!("{client:?} over {family:?}, {fault}");
                assert_eq!(reply.status, 200, "{what}: {}", reply.text());
                assert!(ends_with_error(client, &reply), "{what}: {}", reply.text());
                assert_eq!(twins.second.take().len(), 0, "{what}");
            }
        }
    }
}

/// The request decides, before the router.
#[test]
fn a_request_may_ask_for_it() {
    let twins = Twins::with(|config: Config| config);
    let family = Family::Compatible;
    for client in Protocol::ALL {
        let fault = json!({"content": "one two three", "chunk_delay_ms": 20, "error_mid_stream": {"after_chunks": 1}});
        twins.first.behave(family.model(), Behaviour::of(fault));
        let wishes = Asked {
            stream: true,
            ..Asked::default()
        };
        let body = asks::first(client, family.group(), wishes);
        let reply = twins.post(client, &body);
        assert!(ends_with_error(client, &reply), "{}", reply.text());
        let mut body = body;
        body["mid_stream_failure"] = json!("resume");
        let reply = twins.post(client, &body);
        let told = Told::of(client, &streams::assembled(client, &reply));
        assert_eq!(told.text, "one the twin answers");
        let asked = asked(&twins).to_string();
        assert!(!asked.contains("mid_stream_failure"), "{asked}");
        body["mid_stream_failure"] = json!("perhaps");
        let reply = twins.post(client, &body);
        assert_eq!(reply.status, 400);
        assert!(
            reply.text().contains("mid_stream_failure"),
            "{}",
            reply.text()
        );
    }
}

/// A format that only a whole answer has: the rest would be another whole one.
#[test]
fn a_prescribed_format_is_not_gone_on_with() {
    let twins = resuming();
    let family = Family::Compatible;
    let fault = json!({"content": "one two three", "chunk_delay_ms": 20, "error_mid_stream": {"after_chunks": 1}});
    twins.first.behave(family.model(), Behaviour::of(fault));
    let wishes = Asked {
        stream: true,
        ..Asked::default()
    };
    let mut body = asks::first(Protocol::Chat, family.group(), wishes);
    body["response_format"] = json!({"type": "json_object"});
    let reply = twins.post(Protocol::Chat, &body);
    assert!(ends_with_error(Protocol::Chat, &reply), "{}", reply.text());
}

/// Who goes on may break as well: the next one has both pieces. When nobody is left, an error ends what was said.
#[test]
fn breaking_again() {
    let twins = Twins::with(|config| {
        config
            .router("mid_stream_failure", "resume")
            .router("num_retries", 2)
    });
    let family = Family::Compatible;
    let breaks = |text: &str| {
        Behaviour::of(
            json!({"content": text, "chunk_delay_ms": 20, "error_mid_stream": {"after_chunks": 1}}),
        )
    };
    for client in Protocol::ALL {
        twins.first.behave_in_turn(
            family.model(),
            vec![breaks("one x")],
            Behaviour::saying("three"),
        );
        twins.second.behave(family.model(), breaks("two x"));
        let reply = twins.ask(client, family);
        let told = Told::of(client, &streams::assembled(client, &reply));
        assert_eq!(told.text, "one two three", "{client:?}: {}", reply.text());
        twins.first.behave_in_turn(
            family.model(),
            vec![breaks("one x")],
            Behaviour::failing(503),
        );
        twins.second.behave(family.model(), Behaviour::failing(503));
        let reply = twins.ask(client, family).with_status(200);
        assert!(ends_with_error(client, &reply), "{}", reply.text());
        let (text, error) = broken_off(client, &reply);
        assert_eq!(text, "one ", "{error}");
    }
    let rows = twins.gateway.rows_when(6);
    let failed = rows.iter().filter(|row| row.http_status != 200);
    for row in failed {
        assert!(
            row.usage.completion_tokens() > 0,
            "what was streamed is charged: {row:?}"
        );
    }
    twins.gateway.books_agree();
}

/// A client that leaves while the rest is asked for ends that call, and pays for what it got.
#[test]
fn leaving_meanwhile() {
    let twins = resuming();
    let family = Family::Compatible;
    let fault = json!({"content": "one two three", "chunk_delay_ms": 20, "error_mid_stream": {"after_chunks": 1}});
    twins.first.behave(family.model(), Behaviour::of(fault));
    twins
        .second
        .behave(family.model(), Behaviour::of(json!({"hang": "after_head"})));
    let wishes = Asked {
        stream: true,
        ..Asked::default()
    };
    let mut body = asks::first(Protocol::Chat, family.group(), wishes);
    body["stream_timeout"] = json!(60);
    let (mut connection, mut incoming) = twins.gateway.master().begin(&body);
    connection.read_until(&mut incoming, "one");
    until("the rest is asked for", SOON, || {
        twins.second.in_flight(family.model()) == 1
    });
    connection.leave();
    until("the call ends", SOON, || {
        twins.second.in_flight(family.model()) == 0
    });
    let row = &twins.gateway.rows_when(1)[0];
    assert_eq!(row.http_status, 499);
    assert!(row.usage.completion_tokens() > 0, "{row:?}");
    twins.gateway.books_agree();
}
