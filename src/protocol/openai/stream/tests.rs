//! Streams in any pieces.

use super::*;
use proptest::prelude::*;

const ROLE: &str = r#"{"id":"c-1","object":"chat.completion.chunk","created":17,"model":"gpt-up","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#;
const TEXT: &str = r#"{"id":"c-1","usage":null,"created":17,"object":"chat.completion.chunk","model":"gpt-up","choices":[{"index":0,"delta":{"content":"Grüße \"usage\":{}"},"finish_reason":null}]}"#;
const STOP: &str = r#"{"id":"c-1","object":"chat.completion.chunk","created":17,"model":"gpt-up","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const USAGE: &str = r#"{"id":"c-1","object":"chat.completion.chunk","created":17,"model":"gpt-up","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;

fn form(wants_usage: bool) -> StreamForm {
    StreamForm {
        model_json: b"\"mine\"".to_vec(),
        wants_usage,
        operation: Operation::Chat,
        from_chat: false,
        id: "ours".into(),
        created: 99,
        is_openai: true,
        says_reasoning: false,
    }
}

fn upstream() -> String {
    format!(
        ": ping\n\ndata: {ROLE}\n\ndata:{TEXT}\r\n\r\ndata: {STOP}\n\ndata: {USAGE}\n\ndata: [DONE]\n\n"
    )
}

fn client(usage: bool) -> String {
    let edit = |text: &str| text.replace("gpt-up", "mine");
    let unasked = |text: &str| edit(text).replace(",\"usage\":null", "");
    if usage {
        let events = [ROLE, TEXT, STOP, USAGE].map(|event| format!("data: {}\n\n", edit(event)));
        events.concat() + "data: [DONE]\n\n"
    } else {
        let text = edit(TEXT).replace("\"usage\":null,", "");
        let events = [unasked(ROLE), text, edit(STOP)].map(|event| format!("data: {event}\n\n"));
        events.concat() + "data: [DONE]\n\n"
    }
}

fn run(
    usage: bool,
    pieces: impl Iterator<Item = Vec<u8>>,
) -> (String, StreamFacts, Option<StreamFault>) {
    let mut editor = StreamEditor::new(form(usage));
    let mut out = Vec::new();
    let mut fault = None;
    for piece in pieces {
        let edited = editor.feed(Bytes::from(piece));
        out.extend_from_slice(&edited.out);
        fault = fault.or(edited.fault);
    }
    out.extend_from_slice(&editor.finish().out);
    (String::from_utf8(out).unwrap(), editor.facts, fault)
}

#[test]
fn facts_are_learned() {
    let (_, facts, fault) = run(false, [upstream().into_bytes()].into_iter());
    assert_eq!(fault, None);
    assert_eq!(facts.id.as_deref(), Some("c-1"));
    assert_eq!(facts.model.as_deref(), Some("gpt-up"));
    assert!(facts.content_started && facts.finished && facts.done);
    assert_eq!(facts.content_bytes, r#"Grüße \"usage\":{}"#.len() as u64);
    let usage = facts.usage.unwrap().usage;
    assert_eq!((usage.prompt_tokens(), usage.completion_tokens()), (3, 2));
}

#[test]
fn a_role_is_no_content_yet() {
    let (_, facts, _) = run(
        false,
        [format!("data: {ROLE}\n\n").into_bytes()].into_iter(),
    );
    assert!(!facts.content_started);
}

#[test]
fn reads_that_need_no_edit_are_not_copied() {
    let mut editor = StreamEditor::new(StreamForm {
        model_json: b"\"gpt-up\"".to_vec(),
        ..form(true)
    });
    let read = Bytes::from(format!("data: {ROLE}\n\ndata: {TEXT}\n\ndata: {STOP}\n\n"));
    let edited = editor.feed(read.clone());
    assert_eq!(edited.out.as_ptr(), read.as_ptr());
    assert_eq!(edited.out, read);
}

#[test]
fn errors_end_the_stream() {
    let text =
        format!("data: {ROLE}\n\ndata: {{\"error\":{{\"message\":\"died\"}}}}\n\ndata: {STOP}\n\n");
    let (out, _, fault) = run(true, [text.into_bytes()].into_iter());
    assert_eq!(
        fault,
        Some(StreamFault::Error(br#"{"message":"died"}"#.to_vec()))
    );
    assert_eq!(out, format!("data: {}\n\n", ROLE.replace("gpt-up", "mine")));
    let (_, _, fault) = run(true, [b"data: <html>\n\n".to_vec()].into_iter());
    assert_eq!(fault, Some(StreamFault::Malformed));
}

#[test]
fn nothing_follows_done() {
    let text = format!("data: {ROLE}\n\ndata: [DONE]\n\ndata: {TEXT}\n\n");
    let (out, _, _) = run(true, [text.into_bytes()].into_iter());
    assert!(out.ends_with("data: [DONE]\n\n"));
    assert_eq!(out.matches("data: ").count(), 2);
}

proptest! {
    #[test]
    fn any_split_gives_the_same_stream(cuts in prop::collection::vec(1usize..40, 0..80), usage in any::<bool>()) {
        let bytes = upstream().into_bytes();
        let mut pieces = Vec::new();
        let mut rest = &bytes[..];
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece.to_vec());
            rest = after;
        }
        pieces.push(rest.to_vec());
        let (out, facts, fault) = run(usage, pieces.into_iter());
        prop_assert_eq!(out, client(usage));
        prop_assert_eq!(fault, None);
        prop_assert!(facts.done && facts.usage.is_some());
    }

    #[test]
    fn any_bytes_are_taken_without_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..8)) {
        let mut editor = StreamEditor::new(form(false));
        for piece in pieces {
            editor.feed(Bytes::from(piece));
        }
        editor.finish();
    }
}
