//! Streams that are out of order, and streams as hosts send them.

use proptest::prelude::*;

use crate::protocol::neutral::testing::*;
use crate::protocol::neutral::*;
use crate::protocol::openai_chat::stream::{
    Decoder, Encoder, Ending, StreamForm, grammar::offence,
};

fn decoded(bytes: &[u8], ending: Ending) -> Vec<Event> {
    let mut decoder = Decoder::new("x", ending);
    let mut events = Vec::new();
    decoder.feed(bytes, &mut events);
    decoder.finish(&mut events);
    events
}

/// A stream of these deltas of choice 0, then this finish reason.
fn stream(deltas: &[&str], finish: &str) -> Vec<u8> {
    let mut text = String::new();
    for delta in deltas {
        text +=
            &format!("data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n");
    }
    text += &format!(
        "data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"{finish}\"}}]}}\n\ndata: [DONE]\n\n"
    );
    text.into_bytes()
}

fn told(deltas: &[&str]) -> Vec<Content> {
    let answer = assemble(&decoded(&stream(deltas, "stop"), Ending::WithReason));
    let choice = answer.choices.into_iter().next().unwrap();
    choice
        .content
        .into_iter()
        .map(|block| block.content)
        .collect()
}

fn call(id: &str, name: &str, arguments: &str) -> Content {
    Content::ToolCall(ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        kind: ToolCallKind::Function,
    })
}

fn text(text: &str) -> Content {
    Block::text(text).content
}

fn thought(text: &str, signature: Option<&str>) -> Content {
    Content::Thinking {
        text: text.to_owned(),
        signature: signature.map(str::to_owned),
    }
}

#[test]
fn deltas_as_hosts_send_them() {
    for (deltas, expected) in [
        // OpenAI: id and name first, then pieces.
        (
            vec![
                r#"{"role":"assistant","content":null}"#,
                r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\""}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"arguments":": 1}"}}]}"#,
                r#"{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]}"#,
            ],
            vec![call("a", "f", "{\"x\": 1}"), call("b", "g", "{}")],
        ),
        // Whole calls, all with index 0.
        (
            vec![
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}]}"#,
                r#"{"tool_calls":[{"index":0,"id":"b","function":{"name":"f","arguments":"{\"x\":2}"}}]}"#,
            ],
            vec![call("a", "f", "{\"x\":1}"), call("b", "f", "{\"x\":2}")],
        ),
        // The same, in pieces without ids.
        (
            vec![
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}]}"#,
                r#"{"tool_calls":[{"index":0,"id":"b","function":{"name":"f","arguments":"{\"x\""}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"arguments":":2}"}}]}"#,
            ],
            vec![call("a", "f", "{\"x\":1}"), call("b", "f", "{\"x\":2}")],
        ),
        // No index, no id, arguments as an object.
        (
            vec![r#"{"tool_calls":[{"function":{"name":"f","arguments":{"x": 1.0}}}]}"#],
            vec![call("call_c_0", "f", "{\"x\": 1.0}")],
        ),
        // The name after arguments; a name alone; an empty list.
        (
            vec![
                r#"{"tool_calls":[]}"#,
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{\"x\""}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"name":"f","arguments":":1}"}}]}"#,
                r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"g"}}]}"#,
            ],
            vec![call("a", "f", "{\"x\":1}"), call("b", "g", "{}")],
        ),
        // The id repeated on each piece.
        (
            vec![
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}"#,
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"}"}}]}"#,
            ],
            vec![call("a", "f", "{}")],
        ),
        // Before there were tools.
        (
            vec![
                r#"{"function_call":{"name":"f","arguments":""}}"#,
                r#"{"function_call":{"arguments":"{}"}}"#,
            ],
            vec![call("call_c_0", "f", "{}")],
        ),
        // Thoughts by three names, then text.
        (
            vec![
                r#"{"reasoning_content":"so"}"#,
                r#"{"reasoning_content":null,"content":"A"}"#,
                r#"{"content":"B"}"#,
            ],
            vec![thought("so", None), text("AB")],
        ),
        (
            vec![r#"{"reasoning":"so"}"#, r#"{"content":"A"}"#],
            vec![thought("so", None), text("A")],
        ),
        (
            vec![
                r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"so"}]}]}"#,
                r#"{"content":[{"type":"text","text":"A"}]}"#,
            ],
            vec![thought("so", None), text("A")],
        ),
        // LiteLLM says thoughts twice; signed ones end.
        (
            vec![
                r#"{"reasoning_content":"s","thinking_blocks":[{"type":"thinking","thinking":"s"}]}"#,
                r#"{"reasoning_content":"","thinking_blocks":[{"type":"thinking","thinking":"","signature":"S="}]}"#,
                r#"{"thinking_blocks":[{"type":"redacted_thinking","data":"R"}]}"#,
                r#"{"reasoning_content":"t","thinking_blocks":[{"type":"thinking","thinking":"t"}]}"#,
                r#"{"content":"A"}"#,
            ],
            vec![
                thought("s", Some("S=")),
                Content::RedactedThinking("R".to_owned()),
                thought("t", None),
                text("A"),
            ],
        ),
        (
            vec![r#"{"refusal":"No"}"#, r#"{"refusal":"."}"#],
            vec![Content::Refusal("No.".to_owned())],
        ),
        (
            vec![r#"{"content":""}"#, r#"{"content":"é\ud83d\ude00"}"#],
            vec![text("é😀")],
        ),
        (
            vec![
                r#"{"audio":{"id":"s","transcript":"Hi"}}"#,
                r#"{"audio":{"data":"AA"}}"#,
            ],
            vec![Content::Audio {
                id: Some("s".to_owned()),
                data: "AA".to_owned(),
                format: None,
                transcript: Some("Hi".to_owned()),
            }],
        ),
    ] {
        assert_eq!(told(&deltas), expected, "{deltas:?}");
    }
}

#[test]
fn azure_begins_with_its_filter() {
    let bytes = b"data: {\"id\":\"\",\"choices\":[],\"created\":0,\"model\":\"\",\"prompt_filter_results\":[]}\n\ndata: {\"id\":\"c\",\"created\":5,\"model\":\"up\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n";
    let events = decoded(bytes, Ending::WithReason);
    let start = Event::Start {
        id: "c".to_owned(),
        model: "up".to_owned(),
        created: Some(5),
    };
    assert_eq!(events[0], start);
    assert!(!events.iter().any(Event::is_content));
}

#[test]
fn how_streams_end() {
    let word = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n";
    let finish = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n\n";
    let usage = "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n";
    let error = "data: {\"error\":{\"message\":\"busy\",\"code\":503}}\n\n";
    for (bytes, ending, is_whole) in [
        (
            format!("{word}{finish}{usage}data: [DONE]\n\n"),
            Ending::WithReason,
            true,
        ),
        (format!("{word}{finish}{usage}"), Ending::WithReason, true),
        (format!("{word}data: [DONE]\n\n"), Ending::WithReason, true),
        (word.to_owned(), Ending::WithReason, false),
        (word.to_owned(), Ending::Anyhow, true),
        (String::new(), Ending::Anyhow, false),
        (format!("{word}{error}{finish}"), Ending::Anyhow, false),
        (format!("{word}data: {{\n\n{finish}"), Ending::Anyhow, false),
    ] {
        let events = decoded(bytes.as_bytes(), ending);
        let last = events.last();
        assert_eq!(last == Some(&Event::End), is_whole, "{bytes}");
        assert_eq!(matches!(last, Some(Event::Error(_))), !is_whole, "{bytes}");
    }
}

#[test]
fn arguments_without_a_name_are_bounded() {
    let mut decoder = Decoder::new("x", Ending::WithReason);
    let mut events = Vec::new();
    let piece = "x".repeat(1024 * 1024);
    let chunk = format!(
        "data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{{\"index\":0,\"function\":{{\"arguments\":\"{piece}\"}}}}]}}}}]}}\n\n"
    );
    for _ in 0..20 {
        decoder.feed(chunk.as_bytes(), &mut events);
    }
    assert!(matches!(events.last(), Some(Event::Error(_))));
    assert!(events.len() < 4);
}

#[test]
fn several_choices_go_on_beside_each_other() {
    let start = |choice| Event::BlockStart {
        choice,
        block: 0,
        opening: Opening::Text,
    };
    let say = |choice, text: &str| Event::BlockDelta {
        choice,
        block: 0,
        delta: Delta::Text(text.to_owned()),
    };
    let finish = |choice| Event::Finish {
        choice,
        stop: StopReason::EndTurn.into(),
    };
    let mut encoder = Encoder::new(form());
    let mut out = Vec::new();
    let events = [
        start(0),
        start(1),
        say(1, "b"),
        say(0, "a"),
        finish(0),
        say(1, "B"),
        finish(1),
        Event::End,
    ];
    for event in events {
        encoder.event(event, &mut out);
    }
    assert_eq!(offence(&out, true), None);
    let answer = assemble(&decoded(&out, Ending::WithReason));
    let texts: Vec<_> = answer
        .choices
        .iter()
        .map(|choice| &choice.content[0].content)
        .collect();
    assert_eq!(texts, [&text("a"), &text("bB")]);
}

fn form() -> StreamForm {
    StreamForm {
        model: "m".to_owned(),
        id: "x".to_owned(),
        created: 1,
        wants_usage: true,
    }
}

proptest! {
    #[test]
    fn any_events_are_written_in_order(events in any_events(), wants_usage in any::<bool>()) {
        let mut encoder = Encoder::new(StreamForm { wants_usage, ..form() });
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
        let events = decoded(&bytes, Ending::Anyhow);
        prop_assert!(matches!(events.last(), Some(Event::Error(_))));
    }

    #[test]
    fn a_stream_with_a_wrong_byte_is_read_and_written_in_order(
        answer in shared_answer(true),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut encoder = Encoder::new(form());
        let mut bytes = Vec::new();
        for event in play(&answer, 3) {
            encoder.event(event, &mut bytes);
        }
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let events = decoded(&bytes, Ending::Anyhow);
        prop_assert!(matches!(events.last(), Some(Event::Error(_) | Event::End)));
        let mut encoder = Encoder::new(form());
        let mut out = Vec::new();
        for event in events {
            encoder.event(event, &mut out);
        }
        prop_assert_eq!(offence(&out, true), None);
    }
}
