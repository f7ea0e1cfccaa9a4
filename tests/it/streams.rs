//! Server-sent events, chunk by chunk.

use crate::harness::{Config, Deployment, Ended, Gateway, at_once, json, streamed};
use crate::simulator::{Behaviour, Simulator};

fn gateway(simulator: &Simulator) -> Gateway {
    Gateway::of(&Config::single(simulator, "m"))
}

#[test]
fn a_stream_has_openais_form() {
    let simulator = Simulator::start();
    simulator.behave("m", Behaviour::saying("one two three"));
    let gateway = gateway(&simulator);
    let reply = gateway
        .master()
        .chat(&streamed("m", json!({})))
        .with_status(200);
    assert!(reply.must("content-type").starts_with("text/event-stream"));
    assert_eq!(reply.must("cache-control"), "no-cache");
    assert_eq!(reply.must("x-accel-buffering"), "no");
    assert_eq!(
        reply.header("x-litellm-response-cost"),
        None,
        "a stream's cost is not known at its head"
    );
    assert!(reply.is_done());
    assert_eq!(reply.said(), "one two three");
    let events = reply.events();
    assert!(
        events
            .iter()
            .all(|event| event["model"] == "m" && event.get("usage").is_none()),
        "{events:?}"
    );
    assert_eq!(
        events.last().unwrap()["choices"][0]["finish_reason"],
        "stop"
    );
}

#[test]
fn usage_comes_to_those_who_ask() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let asked = json!({"stream_options": {"include_usage": true}});
    let events = gateway
        .master()
        .chat(&streamed("m", asked))
        .with_status(200)
        .events();
    let last = events.last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert!(last["usage"]["total_tokens"].as_u64() > Some(0));
    let not_asked = json!({"stream_options": {"include_usage": false}});
    let events = gateway
        .master()
        .chat(&streamed("m", not_asked))
        .with_status(200)
        .events();
    assert!(
        events.iter().all(|event| event["choices"][0].is_object()),
        "{events:?}"
    );
    // Both are charged all the same.
    let rows = gateway.rows_when(2);
    assert!(
        rows.iter()
            .all(|row| row.usage.completion_tokens() == 8 && !row.usage_estimated),
        "{rows:#?}"
    );
}

/// The text, although the pieces may end anywhere: within the head, a transfer chunk, an event, a character.
#[test]
fn any_split_of_the_upstreams_bytes() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let text = "Zug 7 é 東京駅 🚂";
    let master = gateway.master();
    let how = |split, on_wire: bool, delay: u64| json!({"simulate": {"content": text, "split": split, "split_wire": on_wire, "split_delay_ms": delay}});
    let mut whole = master
        .chat(&streamed("m", how(json!({"sizes": []}), false, 0)))
        .with_status(200)
        .frames();
    let masked = |frames: &mut Vec<String>| {
        for frame in frames.iter_mut().filter(|frame| frame.starts_with('{')) {
            let mut event: serde_json::Value = serde_json::from_str(frame).unwrap();
            (event["id"], event["created"]) = (json!(0), json!(0));
            *frame = event.to_string();
        }
    };
    masked(&mut whole);
    let check = |split: serde_json::Value, on_wire: bool, delay: u64| {
        let reply = master.chat(&streamed("m", how(split.clone(), on_wire, delay)));
        let mut frames = reply.with_status(200).frames();
        masked(&mut frames);
        assert_eq!(frames, whole, "{split} {on_wire}");
    };
    for on_wire in [false, true] {
        check(json!("every_byte"), on_wire, 0);
        at_once(8, |seed| check(json!({"random": seed}), on_wire, 0));
    }
    at_once(8, |lane| {
        // One write, a pause that makes it a read of its own, and the rest; at every place of the first kilobytes.
        for first in (1 + lane..1800).step_by(8) {
            check(json!({"sizes": [first]}), true, 1);
        }
    });
}

#[test]
fn every_form_of_event_arrives() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    for how in [
        json!({"crlf": true}),
        json!({"comments": true}),
        json!({"crlf": true, "comments": true, "split": "every_byte"}),
    ] {
        let mut simulate = how.clone();
        simulate["content"] = json!("a bé c");
        let reply = gateway
            .master()
            .chat(&streamed("m", json!({"simulate": simulate})))
            .with_status(200);
        assert_eq!(
            (reply.said().as_str(), reply.is_done()),
            ("a bé c", true),
            "{how}"
        );
    }
}

/// A stream is complete when a choice has finished, whether or not the upstream says `[DONE]`.
#[test]
fn an_upstream_may_forget_done() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let reply = gateway
        .master()
        .chat(&streamed("m", json!({"simulate": {"no_done": true}})))
        .with_status(200);
    assert_eq!(reply.said(), "Hello! How can I help you today?");
    assert!(reply.is_done(), "clients wait for it");
    let row = &gateway.rows_when(1)[0];
    assert_eq!(row.status, pointsman::types::CallStatus::Success);
}

/// Nothing waits for what comes later: the first words arrive while the upstream is silent.
#[test]
fn chunks_are_not_held_back() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let how = json!({"simulate": {"content": "first then never", "silent_after_chunks": 2}});
    let (mut connection, mut incoming) = gateway.master().begin(&streamed("m", how));
    connection.read_until(&mut incoming, "then");
    assert_eq!(incoming.reply.ended, Ended::Open);
    assert_eq!(simulator.in_flight("m"), 1);
}

#[test]
fn paced_chunks_come_one_by_one() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let how = json!({"simulate": {"chunks": 20, "chunk_bytes": 8, "chunk_delay_ms": 15}});
    let reply = gateway.master().chat(&streamed("m", how)).with_status(200);
    assert!(
        reply.chunks.len() >= 20,
        "some were joined: {:?}",
        reply.chunks
    );
}

#[test]
fn a_long_stream_arrives_whole() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let how = json!({"simulate": {"chunks": 4000, "chunk_bytes": 40, "multibyte": true}});
    let replies = at_once(8, |_| {
        gateway
            .master()
            .chat(&streamed("m", how.clone()))
            .with_status(200)
            .said()
    });
    assert!(
        replies
            .iter()
            .all(|said| said.len() == 160_000 && *said == replies[0])
    );
}

#[test]
fn tool_calls_and_choices_pass() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let call = json!({"id": "call_1", "name": "weather", "arguments": "{\"city\":\"Köln\"}"});
    let how = json!({"n": 2, "simulate": {"tool_calls": [call], "chunks": 3}});
    let events = gateway
        .master()
        .chat(&streamed("m", how))
        .with_status(200)
        .events();
    for choice in [0, 1] {
        let deltas = events
            .iter()
            .map(|event| &event["choices"][0])
            .filter(|own| own["index"] == choice);
        let arguments: String = deltas
            .filter_map(|own| own["delta"]["tool_calls"][0]["function"]["arguments"].as_str())
            .collect();
        assert_eq!(arguments, "{\"city\":\"Köln\"}");
    }
}

/// A host that puts its finish reason and its usage on the last content, has no id and forgets `[DONE]`: clients see
/// OpenAI's form, and the row is found by the id they saw.
#[test]
fn the_stream_of_an_odd_host_is_evened_out() {
    let simulator = Simulator::start();
    let deployment = Deployment::at(&simulator.base_url(), "m").param("model", "hosted_vllm/m");
    let gateway = Gateway::of(&Config::of([deployment]).router("num_retries", 0));
    let frames = [
        json!({"model": "m", "choices": [{"index": 0, "delta": {"content": "a"}}]}),
        json!({"model": "m", "choices": [{"index": 0, "delta": {"content": "b"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}}),
    ]
    .map(|frame| frame.to_string());
    for asked in [false, true] {
        let how = json!({
            "stream_options": {"include_usage": asked},
            "simulate": {"frames": frames, "no_done": true},
        });
        let reply = gateway.master().chat(&streamed("m", how)).with_status(200);
        assert!(reply.is_done());
        assert_eq!(reply.said(), "ab");
        let events = reply.events();
        assert_eq!(events.len(), 3 + usize::from(asked), "{events:#?}");
        assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
        assert_eq!(events[1]["choices"][0]["finish_reason"], json!(null));
        assert_eq!(
            events[2]["choices"][0],
            json!({"index": 0, "delta": {}, "finish_reason": "stop"})
        );
        for event in &events {
            assert_eq!(event["id"], events[0]["id"]);
            assert_eq!(event["object"], "chat.completion.chunk");
        }
        if asked {
            assert_eq!(events[3]["usage"]["total_tokens"], 7);
        }
        let id = events[0]["id"].as_str().unwrap();
        let rows = gateway.rows_when(1 + usize::from(asked));
        let row = rows.iter().find(|row| *row.request_id == *id).unwrap();
        assert_eq!(row.usage.total_tokens(), 7);
    }
}
