use proptest::prelude::*;

use super::*;

const STREAM: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"usage":{"input_tokens":3,"cache_read_input_tokens":7,"output_tokens":1,"service_tier":"standard"}}}

event: ping
data: {"type":"ping"}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Äh"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"t","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}

event: new_thing
data: {"type":"new_thing","x":1.50}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}}

event: message_stop
data: {"type":"message_stop"}

"#;

/// The stream in reads of these sizes, again and again.
fn run(stream: &str, sizes: &[usize]) -> (String, Editor, Option<StreamFault>) {
    let mut editor = Editor::new(b"\"mine\"".to_vec());
    let mut out = Vec::new();
    let mut rest = Bytes::copy_from_slice(stream.as_bytes());
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let edited = editor.feed(rest.split_to((*size).clamp(1, rest.len())));
        out.extend_from_slice(&edited.out);
        if edited.fault.is_some() {
            return (String::from_utf8(out).unwrap(), editor, edited.fault);
        }
    }
    let edited = editor.finish();
    out.extend_from_slice(&edited.out);
    (String::from_utf8(out).unwrap(), editor, edited.fault)
}

#[test]
fn the_model_alone_changes() {
    let (out, editor, fault) = run(STREAM, &[usize::MAX]);
    assert_eq!(fault, None);
    assert_eq!(out, STREAM.replace("\"claude-x\"", "\"mine\""));
    let facts = &editor.facts;
    assert_eq!(facts.id.as_deref(), Some("msg_1"));
    assert_eq!(facts.model.as_deref(), Some("claude-x"));
    assert_eq!(facts.service_tier.as_deref(), Some("standard"));
    assert_eq!(facts.content_bytes, "Äh".len() as u64 + 9);
    assert!(facts.content_started && facts.finished && facts.done && editor.may_end());
    let counts = facts.usage.unwrap();
    assert!(!counts.output_is_open);
    assert_eq!((counts.usage.input, counts.usage.cache_read), (3, 7));
    assert_eq!(counts.usage.output, 9);
}

#[test]
fn what_is_not_edited_is_not_copied() {
    let mut editor = Editor::new(b"\"mine\"".to_vec());
    let (_, rest) = STREAM.split_once("event: ping").unwrap();
    let read = Bytes::from(format!("event: ping{rest}"));
    let edited = editor.feed(read.clone());
    assert_eq!(edited.out.as_ptr(), read.as_ptr());
    assert_eq!(edited.out, read);
}

/// The stream up to the event of this name, and `more` behind it.
fn until(event: &str, more: &str) -> String {
    let (before, _) = STREAM.split_once(&format!("event: {event}\n")).unwrap();
    format!("{before}{more}")
}

#[test]
fn comments_are_left_out() {
    let stream = STREAM.replace(
        "event: ping",
        ": keep-alive\n\nevent: nothing\n\nevent: ping",
    );
    let (out, _, fault) = run(&stream, &[11]);
    assert_eq!(fault, None);
    assert_eq!(out, STREAM.replace("claude-x", "mine"));
}

#[test]
fn when_content_begins() {
    for (event, content, open) in [
        ("ping", false, true),
        ("content_block_delta", false, true),
        ("content_block_stop", true, true),
        ("message_stop", true, false),
    ] {
        let (_, editor, _) = run(&until(event, ""), &[7]);
        assert_eq!(editor.facts.content_started, content, "{event}");
        let usage = editor.facts.usage.unwrap();
        assert_eq!(usage.output_is_open, open, "{event}");
        assert_eq!(usage.usage.input, 3);
    }
    let begun = r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}"#;
    let (_, editor, _) = run(&until("content_block_start", begun), &[7]);
    assert!(editor.facts.content_started);
}

#[test]
fn ends() {
    let (out, mut editor, fault) = run(&until("message_stop", "data: [DONE]\n\n"), &[9]);
    assert_eq!(fault, None);
    assert!(editor.may_end() && !editor.facts.done);
    let closed = out + std::str::from_utf8(&editor.closing()).unwrap();
    assert_eq!(closed, STREAM.replace("claude-x", "mine"));
    assert_eq!(editor.closing(), b"");
    let (_, editor, _) = run(&until("message_delta", ""), &[9]);
    assert!(!editor.may_end());
    let more = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n".repeat(2);
    let (out, _, _) = run(&until("message_stop", &more), &[usize::MAX]);
    assert_eq!(out, STREAM.replace("claude-x", "mine"));
}

#[test]
fn faults() {
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    for (more, expected) in [
        (
            format!("event: error\ndata: {error}\n\n"),
            StreamFault::Error(error.into()),
        ),
        (
            "data: {\"error\":\"x\"}\n\n".to_owned(),
            StreamFault::Error(b"{\"error\":\"x\"}".to_vec()),
        ),
        ("data: <html>\n\n".to_owned(), StreamFault::Malformed),
        ("data: []\n\n".to_owned(), StreamFault::Malformed),
    ] {
        let (out, _, fault) = run(&until("content_block_stop", &more), &[13]);
        assert_eq!(fault, Some(expected));
        assert_eq!(
            out,
            until("content_block_stop", "").replace("claude-x", "mine")
        );
    }
}

proptest! {
    #[test]
    fn any_split_gives_the_same_bytes(sizes in prop::collection::vec(1_usize..200, 1..40), crlf: bool) {
        let stream = if crlf { STREAM.replace('\n', "\r\n") } else { STREAM.to_owned() };
        let (out, editor, fault) = run(&stream, &sizes);
        prop_assert_eq!(fault, None);
        prop_assert_eq!(out, STREAM.replace("claude-x", "mine"));
        prop_assert!(editor.facts.done);
        prop_assert_eq!(editor.facts.content_bytes, 12);
    }

    #[test]
    fn any_bytes_pass_without_panic(reads in prop::collection::vec(
        "(data: |event: x|\n|\r|\\{\"type\":\"(message_start|message_delta|content_block_delta)\",\"(message|delta|usage)\":(\\{\"model\":\"x\"\\}|null|1)\\}|\\{|\"|é){0,8}", 0..8)) {
        let mut editor = Editor::new(b"\"mine\"".to_vec());
        for read in reads {
            if editor.feed(Bytes::from(read)).fault.is_some() {
                return Ok(());
            }
        }
        editor.finish();
    }
}
