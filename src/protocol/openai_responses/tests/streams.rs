//! Streams that are out of order, and streams that upstreams send.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{head, json as parsed};
use crate::protocol::neutral::testing::*;
use crate::protocol::neutral::*;
use crate::protocol::openai_responses::stream::{Encoder, grammar::offence};
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
        text: text.to_owned(),
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
    let (_, asked) = decode_request(body).unwrap();
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
        text: "Hé".to_owned(),
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
