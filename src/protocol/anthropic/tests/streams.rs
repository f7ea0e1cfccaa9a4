//! Streams that are out of order, and streams that upstreams send.

use proptest::prelude::*;

use super::json;
use crate::protocol::anthropic::stream::{Decoder, Encoder, grammar::offence};
use crate::protocol::neutral::testing::*;
use crate::protocol::neutral::*;

fn decoded(bytes: &[u8]) -> Vec<Event> {
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    decoder.feed(bytes, &mut events);
    decoder.finish(&mut events);
    events
}

fn frames(events: &[&str]) -> Vec<u8> {
    let frames = events.iter().map(|data| format!("data: {data}\n\n"));
    frames.collect::<String>().into_bytes()
}

#[test]
fn what_claude_sends_while_it_thinks_and_calls() {
    let bytes = frames(&[
        r#"{"type":"message_start","message":{"id":"msg_1","model":"claude-x","usage":{"input_tokens":10,"cache_read_input_tokens":5,"cache_creation_input_tokens":7,"cache_creation":{"ephemeral_1h_input_tokens":3},"output_tokens":1}}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB+/=="}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"Read","input":{}}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":""}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"p\": 1"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"}"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        // Input that is whole at the start, and nothing after it.
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_2","name":"List","input":{"d":"."}}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        r#"{"type":"future_event","x":1}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":40,"output_tokens_details":{"thinking_tokens":12}}}"#,
        r#"{"type":"message_stop"}"#,
    ]);
    let events = decoded(&bytes);
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::Unknown { name, .. } if name == "future_event"))
    );
    assert!(!events[..3].iter().any(Event::is_content));
    let answer = assemble(&events);
    let content: Vec<_> = answer.choices[0]
        .content
        .iter()
        .map(|block| &block.content)
        .collect();
    let call = |id: &str, name: &str, arguments: &str| {
        Content::ToolCall(ToolCall {
            id: id.to_owned(),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
            kind: ToolCallKind::Function,
        })
    };
    assert_eq!(
        content,
        [
            &Content::Thinking {
                text: "Hm".to_owned(),
                signature: Some("EqQB+/==".to_owned()),
            },
            &call("toolu_1", "Read", "{\"p\": 1}"),
            &call("toolu_2", "List", "{\"d\":\".\"}"),
        ]
    );
    let usage = answer.usage.unwrap().counts.usage;
    assert_eq!((usage.input, usage.cache_read), (10, 5));
    assert_eq!((usage.cache_write_5m, usage.cache_write_1h), (4, 3));
    assert_eq!((usage.output, usage.reasoning), (28, 12));
}

#[test]
fn what_ends_a_stream() {
    let start = r#"{"type":"message_start","message":{"id":"msg_1","model":"c"}}"#;
    for (frames_, kind, word) in [
        (
            vec![
                start,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            ],
            FailureKind::Overloaded,
            "Overloaded",
        ),
        (vec![start], FailureKind::Api, "ended before"),
        (vec![start, "{broken"], FailureKind::Api, "cannot be read"),
        (
            vec![
                start,
                r#"{"type":"content_block_delta","index":9,"delta":{"type":"text_delta","text":"x"}}"#,
            ],
            FailureKind::Api,
            "open block",
        ),
    ] {
        let events = decoded(&frames(&frames_));
        let Some(Event::Error(failure)) = events.last() else {
            panic!("{events:?}");
        };
        assert_eq!(failure.kind, kind);
        assert!(failure.message.contains(word), "{}", failure.message);
        let errors = events
            .iter()
            .filter(|event| matches!(event, Event::Error(_)));
        assert_eq!(errors.count(), 1);
    }
}

#[test]
fn parallel_calls_wait_for_each_other() {
    let start = |block, id: &str| Event::BlockStart {
        choice: 0,
        block,
        opening: Opening::ToolCall {
            id: id.to_owned(),
            name: "f".to_owned(),
            kind: ToolCallKind::Function,
        },
    };
    let more = |block, text: &str| Event::BlockDelta {
        choice: 0,
        block,
        delta: Delta::Arguments(text.to_owned()),
    };
    let mut encoder = Encoder::new("m", "id");
    let mut out = Vec::new();
    for event in [
        start(0, "a"),
        start(1, "b"),
        more(1, "{\"b\""),
        more(0, "{\"a\""),
        more(1, ":2}"),
        more(0, ":1}"),
        Event::BlockStop {
            choice: 0,
            block: 1,
        },
        Event::BlockStop {
            choice: 0,
            block: 0,
        },
        Event::End,
    ] {
        encoder.event(event, &mut out);
    }
    assert_eq!(offence(&out, true), None);
    let answer = assemble(&decoded(&out));
    let arguments: Vec<_> = answer.choices[0]
        .content
        .iter()
        .map(|block| match &block.content {
            Content::ToolCall(call) => (call.id.as_str(), call.arguments.as_str()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(arguments, [("a", "{\"a\":1}"), ("b", "{\"b\":2}")]);
    assert_eq!(answer.choices[0].stop, Some(StopReason::ToolUse.into()));
}

#[test]
fn what_waits_is_bounded() {
    let mut encoder = Encoder::new("m", "id");
    let mut out = Vec::new();
    for block in 0..2 {
        let opening = Opening::Text;
        encoder.event(
            Event::BlockStart {
                choice: 0,
                block,
                opening,
            },
            &mut out,
        );
    }
    let text = "x".repeat(1024 * 1024);
    for _ in 0..20 {
        let delta = Delta::Text(text.clone());
        encoder.event(
            Event::BlockDelta {
                choice: 0,
                block: 1,
                delta,
            },
            &mut out,
        );
    }
    assert_eq!(offence(&out, true), None);
    assert!(String::from_utf8_lossy(&out).contains("event: error"));
    assert!(out.len() < 4096);
}

#[test]
fn a_start_tells_the_usage_that_is_known() {
    let mut encoder = Encoder::new("mine", "id");
    let mut out = Vec::new();
    let mut usage = UsageReport::default();
    usage.counts.usage.cache_read = 9;
    encoder.event(Event::Usage(usage), &mut out);
    assert!(out.is_empty());
    encoder.event(
        Event::Start {
            id: "chatcmpl-1".to_owned(),
            model: "up".to_owned(),
            created: None,
        },
        &mut out,
    );
    let text = String::from_utf8(out).unwrap();
    let data = text.lines().nth(1).unwrap().strip_prefix("data: ").unwrap();
    let message = &json(data.as_bytes())["message"];
    assert_eq!(message["model"], "mine");
    assert_eq!(message["id"], "msg_chatcmpl-1");
    assert_eq!(message["usage"]["cache_read_input_tokens"], 9);
}

proptest! {
    #[test]
    fn any_events_are_written_in_order(events in any_events()) {
        let mut encoder = Encoder::new("m", "id");
        let mut out = Vec::new();
        for event in events {
            encoder.event(event, &mut out);
            prop_assert_eq!(offence(&out, false), None);
        }
        encoder.event(Event::End, &mut out);
        prop_assert_eq!(offence(&out, true), None);
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let events = decoded(&bytes);
        prop_assert!(matches!(events.last(), Some(Event::Error(_))));
    }

    #[test]
    fn a_stream_with_a_wrong_byte_is_read_and_written_in_order(
        answer in shared_answer(true),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut encoder = Encoder::new("m", "id");
        let mut bytes = Vec::new();
        for event in play(&answer, 3) {
            encoder.event(event, &mut bytes);
        }
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let events = decoded(&bytes);
        prop_assert!(matches!(events.last(), Some(Event::Error(_) | Event::End)));
        let mut encoder = Encoder::new("m", "id");
        let mut out = Vec::new();
        for event in events {
            encoder.event(event, &mut out);
        }
        prop_assert_eq!(offence(&out, true), None);
    }
}
