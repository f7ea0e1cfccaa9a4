//! Streams that are out of order, and streams that upstreams send.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{head, json as parsed};
use crate::protocol::neutral::testing::*;
use crate::protocol::neutral::*;
use crate::protocol::openai_responses::stream::{Decoder, Encoder, grammar::offence};
use crate::protocol::openai_responses::{Asked, decode_request, encode_answer};

fn encoded(events: impl IntoIterator<Item = Event>, asked: Asked) -> Vec<u8> {
    let mut encoder = Encoder::new(head(asked));
    let mut out = Vec::new();
    for event in events {
        encoder.event(event, &mut out);
    }
    out
}

/// The data of all events.
fn told(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn names(bytes: &[u8]) -> Vec<String> {
    let names = told(bytes).into_iter();
    names
        .map(|event| event["type"].as_str().unwrap().replace("response.", ""))
        .collect()
}

fn answer(content: Vec<Content>) -> Answer {
    Answer {
        id: "x".to_owned(),
        model: "m".to_owned(),
        choices: vec![Choice {
            content: content.into_iter().map(Block::plain).collect(),
            ..Choice::default()
        }],
        ..Answer::default()
    }
}

fn call(id: &str, name: &str, arguments: &str, kind: ToolCallKind) -> Content {
    Content::ToolCall(ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        kind,
    })
}

fn text(text: &str) -> Content {
    Content::Text {
        text: text.into(),
        citations: vec![],
    }
}

/// What Codex and the SDKs need: reasoning is done before the message begins, and each item before the next.
#[test]
fn items_follow_one_another() {
    let whole = answer(vec![
        Content::Thinking {
            text: "Hm".to_owned(),
            signature: Some("EqQB".to_owned()),
        },
        text("Hi"),
        call("c1", "f", "{\"a\": 1}", ToolCallKind::Function),
        call("c2", "apply_patch", "*** Begin", ToolCallKind::Custom),
    ]);
    let out = encoded(play(&whole, 9), Asked::default());
    assert_eq!(offence(&out, true), None);
    assert_eq!(
        names(&out),
        [
            "created",
            "in_progress",
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "output_item.added",
            "custom_tool_call_input.delta",
            "custom_tool_call_input.done",
            "output_item.done",
            "completed",
        ]
    );
    let last = told(&out).pop().unwrap();
    let output = &last["response"]["output"];
    assert_eq!(output[0]["encrypted_content"], "anthropic-thinking:EqQB");
    assert_eq!(output[2]["arguments"], "{\"a\": 1}");
    assert_eq!(output[3]["input"], "*** Begin");
    // A whole answer is what the stream's last event repeats.
    let (body, notes) = encode_answer(&whole, head(Asked::default()));
    assert_eq!(notes, []);
    assert_eq!(parsed(&body), last["response"]);
}

#[test]
fn calls_are_told_as_the_client_defined_the_tools() {
    let body = br#"{"model":"m","input":"x","tools":[{"type":"local_shell"},{"type":"namespace","name":"mcp__a","description":"d","tools":[{"type":"function","name":"read","parameters":{}}]}]}"#;
    let (_, asked) = decode_request(&Bytes::copy_from_slice(body)).unwrap();
    let whole = answer(vec![
        call(
            "c1",
            "local_shell",
            "{\"command\":[\"ls\"]}",
            ToolCallKind::Function,
        ),
        call("c2", "mcp__a__read", "", ToolCallKind::Function),
        call("c3", "local_shell", "{\"comm", ToolCallKind::Function),
    ]);
    let out = encoded(play(&whole, 4), asked.clone());
    let response = told(&out).pop().unwrap()["response"].take();
    let output = &response["output"];
    assert_eq!(output[0]["type"], "local_shell_call");
    assert_eq!(output[0]["call_id"], "c1");
    assert_eq!(
        output[0]["action"],
        json!({"type": "exec", "command": ["ls"], "env": {}})
    );
    assert_eq!(output[1]["name"], "read");
    assert_eq!(output[1]["namespace"], "mcp__a");
    assert_eq!(output[1]["arguments"], "{}");
    assert_eq!(output[2]["type"], "function_call");
    assert_eq!(output[2]["arguments"], "{\"comm");
    assert_eq!(response["tools"], parsed(body)["tools"]);
    assert_eq!(parsed(&encode_answer(&whole, head(asked)).0), response);
}

#[test]
fn how_answers_end() {
    for (reason, refusal, event, why) in [
        (StopReason::EndTurn, false, "completed", Value::Null),
        (StopReason::ToolUse, false, "completed", Value::Null),
        (
            StopReason::MaxTokens,
            false,
            "incomplete",
            json!({"reason": "max_output_tokens"}),
        ),
        (
            StopReason::ContextWindow,
            false,
            "incomplete",
            json!({"reason": "max_output_tokens"}),
        ),
        (
            StopReason::Refusal,
            false,
            "incomplete",
            json!({"reason": "content_filter"}),
        ),
        (StopReason::Refusal, true, "completed", Value::Null),
    ] {
        let said = if refusal {
            Content::Refusal("no".to_owned())
        } else {
            text("yes")
        };
        let mut whole = answer(vec![said]);
        whole.choices[0].stop = Some(reason.into());
        let mut usage = UsageReport::default();
        usage.counts.usage.cache_read = 9;
        usage.counts.usage.output = 2;
        whole.usage = Some(usage);
        let last = told(&encoded(play(&whole, 9), Asked::default()))
            .pop()
            .unwrap();
        assert_eq!(last["type"], format!("response.{event}"));
        assert_eq!(last["response"]["incomplete_details"], why);
        let usage = &last["response"]["usage"];
        assert_eq!(usage["input_tokens"], 9);
        assert_eq!(usage["input_tokens_details"]["cached_tokens"], 9);
        assert_eq!(usage["output_tokens_details"]["reasoning_tokens"], 0);
        assert_eq!(usage["total_tokens"], 11);
    }
}

#[test]
fn a_failure_closes_what_is_open_and_says_what_to_do() {
    let start = Event::BlockStart {
        choice: 0,
        block: 0,
        opening: Opening::Text,
    };
    let delta = Event::BlockDelta {
        choice: 0,
        block: 0,
        delta: Delta::Text("par".to_owned()),
    };
    let failure = Failure::new(FailureKind::RateLimit, "later");
    let out = encoded(
        [start, delta, Event::Error(failure), Event::End],
        Asked::default(),
    );
    assert_eq!(offence(&out, true), None);
    let events = told(&out);
    let [.., error, failed] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(
        (error["code"].as_str(), error["error"]["message"].as_str()),
        (Some("rate_limit_exceeded"), Some("later"))
    );
    assert_eq!(
        failed["response"]["error"],
        json!({"code": "rate_limit_exceeded", "message": "later"})
    );
    assert_eq!(failed["response"]["output"][0]["content"][0]["text"], "par");
}

#[test]
fn what_a_text_is_founded_on() {
    let cited = |dialect, raw: &str, url: Option<&str>| Citation {
        dialect,
        raw: Raw::parse(raw.as_bytes()).unwrap(),
        url: url.map(str::to_owned),
        title: None,
    };
    let whole = answer(vec![Content::Text {
        text: "Hé".into(),
        citations: vec![
            cited(Dialect::Anthropic, "{}", Some("https://a")),
            cited(Dialect::Anthropic, "{}", None),
            cited(
                Dialect::Chat,
                r#"{"type":"url_citation","url_citation":{"start_index":1,"end_index":2,"url":"u","title":"t"}}"#,
                Some("u"),
            ),
        ],
    }]);
    let mut encoder = Encoder::new(head(Asked::default()));
    let mut out = Vec::new();
    for event in play(&whole, 9) {
        encoder.event(event, &mut out);
    }
    assert_eq!(offence(&out, true), None);
    let last = told(&out).pop().unwrap();
    assert_eq!(
        last["response"]["output"][0]["content"][0]["annotations"],
        json!([
            {"type": "url_citation", "start_index": 0, "end_index": 2, "title": "", "url": "https://a"},
            {"type": "url_citation", "start_index": 1, "end_index": 2, "title": "t", "url": "u"},
        ])
    );
    let notes = encoder.not_carried();
    assert_eq!(
        notes,
        [NotCarried {
            field: "citations".to_owned(),
            why: Why::Unsupported
        }]
    );
}

#[test]
fn searches_and_images_are_items() {
    let whole = answer(vec![
        Content::ServerCall(ServerCall {
            id: "srvtoolu_1".to_owned(),
            name: "web_search".to_owned(),
            input: "{\"query\":\"rust\"}".to_owned(),
        }),
        Content::Image {
            source: Source::Base64 {
                media_type: "image/png".to_owned(),
                data: "QUJD".to_owned(),
            },
            detail: None,
        },
        Content::RedactedThinking("ZZ".to_owned()),
    ]);
    let (body, notes) = encode_answer(&whole, head(Asked::default()));
    assert_eq!(notes, []);
    let output = &parsed(&body)["output"];
    assert_eq!(
        output[0]["action"],
        json!({"type": "search", "query": "rust"})
    );
    assert_eq!(
        (output[1]["type"].as_str(), output[1]["result"].as_str()),
        (Some("image_generation_call"), Some("QUJD"))
    );
    assert_eq!(output[2]["encrypted_content"], "anthropic-redacted:ZZ");
    assert_eq!(output[2]["summary"], json!([]));
}

proptest! {
    #[test]
    fn any_events_are_written_in_order(events in any_events()) {
        let mut encoder = Encoder::new(head(Asked::default()));
        let mut out = Vec::new();
        for event in events {
            encoder.event(event, &mut out);
            prop_assert_eq!(offence(&out, false), None);
        }
        encoder.event(Event::End, &mut out);
        prop_assert_eq!(offence(&out, true), None);
    }

    #[test]
    fn a_whole_answer_is_what_its_stream_repeats(answer in shared_answer(true), size in 1_usize..5) {
        let out = encoded(play(&answer, size), Asked::default());
        prop_assert_eq!(offence(&out, true), None);
        let last = told(&out).pop().unwrap();
        let (body, notes) = encode_answer(&answer, head(Asked::default()));
        prop_assert_eq!(notes, vec![]);
        prop_assert_eq!(parsed(&body), last["response"].clone());
    }
}

// === what upstreams send ===

fn frames(events: &[&str]) -> Vec<u8> {
    let frames = events.iter().map(|data| format!("data: {data}\n\n"));
    frames.collect::<String>().into_bytes()
}

fn decoded(bytes: &[u8]) -> Vec<Event> {
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    decoder.feed(bytes, &mut events);
    decoder.finish(&mut events);
    events
}

const CREATED: &str = r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_9","model":"gpt-x","created_at":5,"status":"in_progress","output":[]}}"#;
const COMPLETED: &str = r#"{"type":"response.completed","sequence_number":99,"response":{"id":"resp_9","model":"gpt-x","status":"completed","incomplete_details":null,"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":7,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":17}}}"#;

#[test]
fn what_openai_sends_while_it_thinks_and_calls() {
    let bytes = frames(&[
        CREATED,
        r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}"#,
        r#"{"type":"response.reasoning_summary_part.added","item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}}"#,
        r#"{"type":"response.reasoning_summary_text.delta","item_id":"rs_1","output_index":0,"summary_index":0,"delta":"First"}"#,
        r#"{"type":"response.reasoning_summary_text.done","item_id":"rs_1","output_index":0,"summary_index":0,"text":"First."}"#,
        r#"{"type":"response.reasoning_summary_part.done","item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":"First."}}"#,
        r#"{"type":"response.reasoning_summary_part.added","item_id":"rs_1","output_index":0,"summary_index":1,"part":{"type":"summary_text","text":""}}"#,
        r#"{"type":"response.reasoning_summary_text.delta","item_id":"rs_1","output_index":0,"summary_index":1,"delta":"Second."}"#,
        r#"{"type":"response.output_item.done","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"First."},{"type":"summary_text","text":"Second."}],"encrypted_content":"gAAA"}}"#,
        r#"{"type":"response.output_item.added","output_index":1,"item":{"id":"msg_1","type":"message","role":"assistant","content":[]}}"#,
        r#"{"type":"response.content_part.added","output_index":1,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}"#,
        r#"{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"Hé"}"#,
        r#"{"type":"response.output_text.annotation.added","output_index":1,"content_index":0,"annotation_index":0,"annotation":{"type":"url_citation","start_index":0,"end_index":1,"url":"u","title":"t"}}"#,
        r#"{"type":"response.output_text.done","output_index":1,"content_index":0,"text":"Hé"}"#,
        r#"{"type":"response.content_part.done","output_index":1,"content_index":0,"part":{"type":"output_text","text":"Hé","annotations":[{"type":"url_citation","start_index":0,"end_index":1,"url":"u","title":"t"}]}}"#,
        r#"{"type":"response.output_item.done","output_index":1,"item":{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"output_text","text":"Hé","annotations":[]}]}}"#,
        r#"{"type":"response.web_search_call.searching","output_index":2,"item_id":"ws_1"}"#,
        r#"{"type":"response.future","x":1}"#,
        r#"{"type":"response.future","x":2}"#,
        // Two calls at once: deltas of the one, and the other told when it is done alone.
        r#"{"type":"response.output_item.added","output_index":3,"item":{"id":"fc_1","type":"function_call","call_id":"c1","name":"f","arguments":""}}"#,
        r#"{"type":"response.output_item.added","output_index":4,"item":{"id":"fc_2","type":"function_call","call_id":"c2","name":"g","arguments":""}}"#,
        r#"{"type":"response.function_call_arguments.delta","output_index":3,"item_id":"fc_1","delta":"{\"a\""}"#,
        r#"{"type":"response.function_call_arguments.done","output_index":4,"item_id":"fc_2","arguments":"{\"b\": 2.0}"}"#,
        r#"{"type":"response.function_call_arguments.delta","output_index":3,"item_id":"fc_1","delta":":1}"}"#,
        r#"{"type":"response.output_item.done","output_index":4,"item":{"id":"fc_2","type":"function_call","call_id":"c2","name":"g","arguments":"{\"b\": 2.0}"}}"#,
        r#"{"type":"response.output_item.done","output_index":3,"item":{"id":"fc_1","type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":1}"}}"#,
        // An item of which the end alone is told.
        r#"{"type":"response.output_item.done","output_index":5,"item":{"id":"ctc_1","type":"custom_tool_call","call_id":"c3","name":"h","input":"text"}}"#,
        COMPLETED,
        "[DONE]",
    ]);
    for places in [vec![], (0..bytes.len()).step_by(7).collect()] {
        let mut decoder = Decoder::default();
        let mut events = Vec::new();
        for read in cut(&bytes, &places) {
            decoder.feed(&read, &mut events);
        }
        decoder.finish(&mut events);
        let unknown = events
            .iter()
            .filter(|event| matches!(event, Event::Unknown { .. }));
        assert_eq!(unknown.count(), 1);
        let found = assemble(&events);
        assert_eq!((found.id.as_str(), found.created), ("resp_9", Some(5)));
        let content: Vec<_> = found.choices[0]
            .content
            .iter()
            .map(|block| block.content.clone())
            .collect();
        let annotation = r#"{"type":"url_citation","url_citation":{"start_index":0,"end_index":1,"url":"u","title":"t"}}"#;
        assert_eq!(
            content,
            [
                Content::Thinking {
                    text: "First.\n\nSecond.".to_owned(),
                    signature: Some("openai-responses::rs_1:gAAA".to_owned()),
                },
                Content::Text {
                    text: "Hé".into(),
                    citations: vec![Citation {
                        dialect: Dialect::Chat,
                        raw: Raw::parse(annotation.as_bytes()).unwrap(),
                        url: Some("u".to_owned()),
                        title: Some("t".to_owned()),
                    }],
                },
                call("c1", "f", "{\"a\":1}", ToolCallKind::Function),
                call("c2", "g", "{\"b\": 2.0}", ToolCallKind::Function),
                call("c3", "h", "text", ToolCallKind::Custom),
            ]
        );
        assert_eq!(found.choices[0].stop, Some(StopReason::ToolUse.into()));
        let usage = found.usage.unwrap().counts.usage;
        assert_eq!(
            (usage.input, usage.cache_read, usage.output, usage.reasoning),
            (6, 4, 7, 0)
        );
    }
}

#[test]
fn hosts_that_leave_events_out() {
    // Deltas without an item, and a message that the last event alone tells.
    let bytes = frames(&[
        r#"{"type":"response.output_text.delta","delta":"Hi"}"#,
        r#"{"type":"response.incomplete","response":{"id":"r","model":"m","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[{"type":"message","content":[{"type":"output_text","text":"Hi there"}]},{"type":"reasoning","id":"rs","summary":[]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}]}}"#,
    ]);
    let events = decoded(&bytes);
    let found = assemble(&events);
    let content: Vec<_> = found.choices[0]
        .content
        .iter()
        .map(|block| block.content.clone())
        .collect();
    assert_eq!(
        content,
        [
            text("Hi there"),
            call("c", "f", "{}", ToolCallKind::Function)
        ]
    );
    assert_eq!(found.choices[0].stop, Some(StopReason::MaxTokens.into()));
}

#[test]
fn what_ends_a_stream() {
    for (last, kind, word) in [
        (
            r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"Slow down"}}}"#,
            FailureKind::RateLimit,
            "Slow down",
        ),
        (
            r#"{"type":"error","code":"server_error","message":"Oops","param":null}"#,
            FailureKind::Api,
            "Oops",
        ),
        (
            r#"{"error":{"message":"Odd","code":503}}"#,
            FailureKind::Overloaded,
            "Odd",
        ),
        ("{broken", FailureKind::Api, "cannot be read"),
        (
            r#"{"type":"response.output_text.delta","delta":5}"#,
            FailureKind::Api,
            "delta: expected a string",
        ),
        ("", FailureKind::Api, "ended before"),
    ] {
        let events = decoded(&frames(&[CREATED, last]));
        let Some(Event::Error(failure)) = events.last() else {
            panic!("{events:?}");
        };
        assert_eq!(failure.kind, kind);
        assert!(failure.message.contains(word), "{}", failure.message);
    }
}

proptest! {
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
        let mut bytes = encoded(play(&answer, 3), Asked::default());
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let events = decoded(&bytes);
        prop_assert!(matches!(events.last(), Some(Event::Error(_) | Event::End)));
        prop_assert_eq!(offence(&encoded(events, Asked::default()), true), None);
    }
}
