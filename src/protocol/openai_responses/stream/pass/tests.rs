//! Streams as OpenAI sends them, in any pieces.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::protocol::neutral::FailureKind;
use crate::protocol::neutral::testing::cut;

const STREAM: &str = "event: response.created\n\
data: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\",\"model\":\"gpt-x\",\"status\":\"in_progress\",\"service_tier\":\"auto\",\"output\":[],\"error\":null}}\n\n\
event: response.output_item.added\n\
data: {\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,\"item\":{\"id\":\"msg_1\",\"type\":\"message\",\"content\":[]}}\n\n\
: keep-alive\n\n\
event: response.output_text.delta\n\
data: {\"type\":\"response.output_text.delta\",\"sequence_number\":2,\"delta\":\"H\u{e9} \\\"model\\\"\",\"obfuscation\":\"x\"}\n\n\
event: response.new.thing\n\
data: {\"type\":\"response.new.thing\",\"sequence_number\":3,\"x\":1.0}\n\n\
event: response.completed\n\
data: {\"type\":\"response.completed\",\"sequence_number\":4,\"response\":{\"id\":\"resp_1\",\"status\":\"completed\", \"model\" : \"gpt-x\",\"service_tier\":\"flex\",\"output\":[{\"model\":\"gpt-x\"}],\"usage\":{\"input_tokens\":3,\"output_tokens\":5,\"output_tokens_details\":{\"reasoning_tokens\":0}}}}\n\n";

fn passed(bytes: &[u8], places: &[usize]) -> (String, Editor, Option<StreamFault>) {
    let mut editor = Editor::new(b"\"mine\"".to_vec());
    let mut out = Vec::new();
    let mut fault = None;
    for read in cut(bytes, places) {
        let edited = editor.feed(Bytes::from(read));
        out.extend_from_slice(&edited.out);
        fault = fault.or(edited.fault);
    }
    let edited = editor.finish();
    out.extend_from_slice(&edited.out);
    (
        String::from_utf8(out).unwrap(),
        editor,
        fault.or(edited.fault),
    )
}

fn expected() -> String {
    let edited = STREAM.replace(": keep-alive\n\n", "");
    let edited = edited.replacen("\"model\":\"gpt-x\"", "\"model\":\"mine\"", 1);
    edited.replacen("\"model\" : \"gpt-x\"", "\"model\" : \"mine\"", 1)
}

#[test]
fn what_a_stream_tells() {
    let (out, editor, fault) = passed(STREAM.as_bytes(), &[]);
    assert_eq!((out, fault), (expected(), None));
    assert!(editor.may_end());
    let facts = editor.facts;
    assert_eq!(
        (facts.id.as_deref(), facts.model.as_deref()),
        (Some("resp_1"), Some("gpt-x"))
    );
    assert_eq!(facts.service_tier.as_deref(), Some("flex"));
    let usage = facts.usage.unwrap().usage;
    assert_eq!((usage.input, usage.output), (3, 5));
    assert_eq!(facts.content_bytes, 13);
    assert!(facts.content_started && facts.finished && facts.done);
}

#[test]
fn reads_without_the_model_are_not_copied() {
    let mut editor = Editor::new(b"\"mine\"".to_vec());
    let start = STREAM.find("event: response.output_text.delta").unwrap();
    let end = STREAM.find("event: response.completed").unwrap();
    let read = Bytes::copy_from_slice(&STREAM.as_bytes()[start..end]);
    let edited = editor.feed(read.clone());
    assert_eq!(edited.out.as_ptr(), read.as_ptr());
    assert_eq!(edited.out, read);
}

#[test]
fn what_is_content() {
    for (event, starts) in [
        (
            r#"{"type":"response.output_item.added","item":{"type":"reasoning","summary":[]}}"#,
            false,
        ),
        (
            r#"{"type":"response.content_part.added","part":{"type":"output_text","text":""}}"#,
            false,
        ),
        (r#"{"type":"response.output_text.delta","delta":""}"#, false),
        (
            r#"{"type":"response.reasoning_summary_text.delta","delta":"x"}"#,
            true,
        ),
        (
            r#"{"type":"response.output_item.added","item":{"type":"function_call","name":"f"}}"#,
            true,
        ),
        (
            r#"{"type":"response.output_item.done","item":{"type":"message","content":[{"type":"output_text","text":"x"}]}}"#,
            true,
        ),
        (r#"{"type":"keepalive","sequence_number":3}"#, false),
    ] {
        let (_, editor, fault) = passed(format!("data: {event}\n\n").as_bytes(), &[]);
        assert_eq!(
            (editor.facts.content_started, fault),
            (starts, None),
            "{event}"
        );
        assert!(!editor.may_end());
    }
}

#[test]
fn faults_are_held_back_and_told_in_the_same_form() {
    let begin = STREAM.find("event: response.new.thing").unwrap();
    for (event, error) in [
        (
            r#"{"type":"response.failed","sequence_number":3,"response":{"id":"resp_1","error":{"code":"rate_limit_exceeded","message":"m"}}}"#,
            r#"{"code":"rate_limit_exceeded","message":"m"}"#,
        ),
        (
            r#"{"type":"error","sequence_number":3,"error":{"code":"x","message":"m"}}"#,
            r#"{"code":"x","message":"m"}"#,
        ),
        (
            r#"{"type":"error","code":"x","message":"m","sequence_number":3}"#,
            r#"{"type":"error","code":"x","message":"m","sequence_number":3}"#,
        ),
    ] {
        let bytes = format!("{}data: {event}\n\n", &STREAM[..begin]);
        let (out, editor, fault) = passed(bytes.as_bytes(), &[]);
        assert_eq!(fault, Some(StreamFault::Error(error.as_bytes().to_vec())));
        assert!(!out.contains("\"message\":\"m\""));
        let failure = Failure::new(FailureKind::RateLimit, "later");
        let ending = String::from_utf8(editor.failing(&failure, 7)).unwrap();
        let data: Vec<Value> = ending
            .lines()
            .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
            .collect();
        assert_eq!(
            (
                data[0]["type"].as_str(),
                data[0]["sequence_number"].as_u64()
            ),
            (Some("error"), Some(3))
        );
        assert_eq!(data[1]["response"]["id"], "resp_1");
        assert_eq!(data[1]["response"]["model"], "mine");
        assert_eq!(data[1]["response"]["error"]["code"], "rate_limit_exceeded");
    }
    for bytes in ["data: [1]\n\n", "data: {\"type\":\n\n"] {
        let (_, _, fault) = passed(bytes.as_bytes(), &[]);
        assert_eq!(fault, Some(StreamFault::Malformed));
    }
}

#[test]
fn an_event_of_several_lines_is_one_event() {
    let event = "event: response.created\r\ndata: {\"type\":\"response.created\",\r\ndata: \"response\":{\"model\":\"gpt-x\"}}\r\n\r\n";
    let (out, _, fault) = passed(event.as_bytes(), &[]);
    assert_eq!(fault, None);
    assert_eq!(
        out,
        "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"model\":\"mine\"}}\n\n"
    );
}

proptest! {
    #[test]
    fn any_split_passes_the_same(places in prop::collection::vec(any::<usize>(), 0..12)) {
        let (out, editor, fault) = passed(STREAM.as_bytes(), &places);
        prop_assert_eq!((out, fault), (expected(), None));
        prop_assert!(editor.may_end());
    }

    #[test]
    fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut editor = Editor::new(b"\"mine\"".to_vec());
        editor.feed(Bytes::from(bytes));
        let mut stream = STREAM.as_bytes().to_vec();
        let at = at.index(stream.len());
        stream[at] = byte;
        let mut editor = Editor::new(b"\"mine\"".to_vec());
        editor.feed(Bytes::from(stream));
        editor.finish();
    }
}
