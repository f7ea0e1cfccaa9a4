//! Every parser of outside bytes, called with any bytes: none may panic, and what they say of the bytes must hold.
//!
//! The fuzz targets beside call these functions, and so do property tests (`tests/it/parsers.rs`), so that plain
//! `cargo test` knows them too.

use std::hint::black_box;

use bytes::Bytes;
use pointsman::config::Config;
use pointsman::policy::client_access;
use pointsman::policy::duration::{parse_budget_duration, parse_key_duration};
use pointsman::policy::proxies::Proxies;
use pointsman::policy::upstream_error::{Headers, Upstream, classify};
use pointsman::protocol::crossing::{self, Back, Form, Target};
use pointsman::protocol::json;
use pointsman::protocol::json_edit;
use pointsman::protocol::neutral::{Dialect, Effort};
use pointsman::protocol::openai::answer::AnswerSpans;
use pointsman::protocol::openai::request::Request;
use pointsman::protocol::openai::stream::{StreamEditor, StreamForm};
use pointsman::protocol::openai::usage::parse_usage;
use pointsman::protocol::pass::Edited;
use pointsman::protocol::{anthropic, openai_chat, openai_responses, shape, sse};
use pointsman::spend::journal::Segments;
use pointsman::types::Operation;
use pointsman::upstream::Decoder;

/// A parser and its name, which is its fuzz target's.
pub type Parser = (&'static str, fn(&[u8]));

/// All of them.
pub const PARSERS: &[Parser] = &[
    ("json_spans", json_spans),
    ("request", request),
    ("answer", answer),
    ("usage", usage),
    ("stream", stream),
    ("crossing_request", crossing_request),
    ("crossing_answer", crossing_answer),
    ("crossing_stream", crossing_stream),
    ("passing_stream", passing_stream),
    ("error_body", error_body),
    ("config", config),
    ("settings", settings),
    ("journal", journal),
    ("decode", decode),
];

/// Spans of fields and items lie in the text, one after the other, and are what a strict parser finds there.
pub fn json_spans(bytes: &[u8]) {
    let mut values = Vec::new();
    if json::scan_object(bytes, |field| values.push(field.value)).is_ok() {
        in_order(bytes, &values);
        for value in &values {
            black_box(json::plain_str(bytes, value));
            black_box(json::decoded(&bytes[value.clone()]));
        }
    }
    let mut items = Vec::new();
    if json::scan_array(bytes, |item| items.push(item)).is_ok() {
        in_order(bytes, &items);
    }
    let _ = black_box(json::raw_fields(bytes));
    // Everything is replaced by itself.
    let whole = |_: usize, value: &[u8]| json_edit::Part::Replace(value.to_vec());
    if let Some(edited) = json_edit::array(bytes, whole) {
        same_value(bytes, &edited);
    }
    if let Some(edited) =
        json_edit::object(bytes, |_, value| json_edit::Part::Replace(value.to_vec()))
    {
        same_value(bytes, &edited);
    }
}

fn in_order(bytes: &[u8], spans: &[std::ops::Range<usize>]) {
    let mut last = 0;
    for span in spans {
        assert!(last <= span.start && span.start <= span.end && span.end <= bytes.len());
        last = span.end;
    }
}

fn same_value(one: &[u8], other: &[u8]) {
    let value = |bytes| serde_json::from_slice::<serde_json::Value>(bytes).ok();
    if let Some(before) = value(one) {
        assert_eq!(Some(before), value(other));
    }
}

/// A client's body, as each operation.
pub fn request(bytes: &[u8]) {
    let body = Bytes::copy_from_slice(bytes);
    for operation in Operation::ALL {
        if let Ok(request) = Request::read(shape(operation), &body, None) {
            black_box(&request);
            // What was taken is an object, in whatever normal form.
            assert!(body.trim_ascii().starts_with(b"{"));
        }
    }
}

/// A whole answer, and another name in it.
pub fn answer(bytes: &[u8]) {
    let Some(spans) = AnswerSpans::read(bytes) else {
        return;
    };
    for span in [&spans.id, &spans.model, &spans.service_tier] {
        black_box(spans.text(bytes, span));
    }
    let renamed = spans.with_model(bytes, b"\"m\"");
    let value = |bytes| serde_json::from_slice::<serde_json::Value>(bytes).ok();
    if value(bytes).is_some() {
        assert!(value(&renamed).is_some(), "an answer was broken by an edit");
    }
}

/// The usage of an answer.
pub fn usage(bytes: &[u8]) {
    if let Ok(parsed) = parse_usage(bytes) {
        black_box(parsed);
    }
}

/// A stream in pieces of any size; the pieces change nothing. The first byte says how large they are.
pub fn stream(bytes: &[u8]) {
    let (first, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let size = usize::from(*first).max(1);
    let run = |size: usize| {
        let mut editor = StreamEditor::new(StreamForm {
            model_json: b"\"m\"".to_vec(),
            wants_usage: first & 1 == 1,
            operation: Operation::Chat,
            from_chat: false,
            id: "chatcmpl-1".into(),
            created: 1,
            is_openai: first & 2 == 2,
            says_reasoning: first & 4 == 4,
        });
        let mut out = Vec::new();
        for piece in rest.chunks(size) {
            let edited = editor.feed(Bytes::copy_from_slice(piece));
            out.extend_from_slice(&edited.out);
            if edited.fault.is_some() {
                return None;
            }
        }
        let edited = editor.finish();
        out.extend_from_slice(&edited.out);
        edited.fault.is_none().then_some(out)
    };
    assert_eq!(run(size), run(rest.len().max(1)));
    let mut left = rest;
    while let Some(end) = sse::event_end(left) {
        assert!(0 < end && end <= left.len());
        black_box(sse::data(&left[..end]).bytes());
        left = &left[end..];
    }
}

const DIALECTS: [Dialect; 3] = [Dialect::Chat, Dialect::Anthropic, Dialect::Responses];

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<&serde_json::value::RawValue>(bytes).is_ok()
}

/// A client's body in each protocol, told in each.
pub fn crossing_request(bytes: &[u8]) {
    let targets = [
        Target::Chat(openai_chat::Target::openai("m", Some(Effort::High))),
        Target::Anthropic(anthropic::Target::of("m", None, None)),
        Target::Responses(openai_responses::Target {
            model: "m",
            highest_effort: Some(Effort::High),
            takes_sampling: false,
            searches_web: true,
            deployment: "d",
        }),
    ];
    for from in DIALECTS {
        for to in &targets {
            match crossing::request(from, &bytes.to_vec().into(), to) {
                Ok(across) => assert!(is_json(&across.body), "{from:?} to {:?}", to.dialect()),
                Err(stranded) => assert!(!stranded.field().is_empty()),
            }
        }
    }
}

fn form() -> Form {
    Form {
        model: "m".to_owned(),
        id: "x".to_owned(),
        created: 1,
        wants_usage: true,
        ends_with_reason: true,
    }
}

/// An upstream's answer in each protocol, told in each.
pub fn crossing_answer(bytes: &[u8]) {
    for upstream in DIALECTS {
        for client in DIALECTS {
            let back = Back::plain(upstream, client);
            if let Ok((body, facts)) = back.answer(bytes, form()) {
                black_box(facts);
                assert!(is_json(&body), "{upstream:?} to {client:?}");
            }
        }
    }
}

/// An upstream's stream in each protocol, told in each, in pieces of any size; the pieces change nothing. The first byte says
/// how large they are.
pub fn crossing_stream(bytes: &[u8]) {
    for upstream in DIALECTS {
        for client in DIALECTS {
            in_pieces(bytes, || {
                let mut crossing = Back::plain(upstream, client).stream(form());
                move |read: Option<Bytes>| match read {
                    Some(read) => crossing.feed(&read),
                    None => crossing.finish(),
                }
            });
        }
    }
}

/// The same for streams that pass.
pub fn passing_stream(bytes: &[u8]) {
    in_pieces(bytes, || {
        let mut editor = anthropic::stream::Editor::new(b"\"m\"".to_vec());
        move |read: Option<Bytes>| match read {
            Some(read) => editor.feed(read),
            None => editor.finish(),
        }
    });
    in_pieces(bytes, || {
        let mut editor = openai_responses::stream::Editor::new(b"\"m\"".to_vec());
        move |read: Option<Bytes>| match read {
            Some(read) => editor.feed(read),
            None => editor.finish(),
        }
    });
}

/// Runs a stream in pieces and as a whole.
fn in_pieces<R: FnMut(Option<Bytes>) -> Edited>(bytes: &[u8], begin: impl Fn() -> R) {
    let (first, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let run = |size: usize| {
        let mut read = begin();
        let mut out = Vec::new();
        let pieces = rest
            .chunks(size)
            .map(|piece| Some(Bytes::copy_from_slice(piece)));
        for piece in pieces.chain([None]) {
            let edited = read(piece);
            out.extend_from_slice(&edited.out);
            if edited.fault.is_some() {
                return (out, edited.fault);
            }
        }
        (out, None)
    };
    assert_eq!(run(usize::from(*first).max(1)), run(rest.len().max(1)));
}

/// A provider's error, as each provider has it.
pub fn error_body(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for provider in ["openai", "azure", "anthropic", "groq", "mistral", "cohere"] {
        let (status, wait) = (400 + u16::from(bytes.len() as u8 % 200), Some(&*text));
        let headers = Headers {
            retry_after: wait,
            retry_after_ms: wait,
            should_retry: wait,
        };
        let told = Upstream::Status {
            status,
            headers,
            body: bytes,
        };
        let failure = classify(provider, &told, 1_700_000_000_000);
        assert!((400..600).contains(&failure.status), "{}", failure.status);
        black_box(classify(provider, &Upstream::InStream { frame: bytes }, 0));
    }
}

/// A configuration: read, or refused with a reason.
pub fn config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = black_box(Config::from_text("fuzz.yaml", &text, &|_| None));
}

/// Small texts of keys, headers and the environment.
pub fn settings(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(span) = parse_budget_duration(&text) {
        black_box(span.next_reset(1_700_000_000_000));
    }
    if let Ok(Some(span)) = parse_key_duration(&text) {
        black_box(span.expires_at(1_700_000_000_000));
    }
    let env = |name: &str| (name != "no_proxy").then(|| text.clone().into_owned());
    if let Ok(proxies) = Proxies::of(&env) {
        black_box(proxies.way_to(true, "api.test", 443));
        black_box(proxies.way_to(false, &text, 80));
    }
    let access = client_access::ClientAccess {
        api_base: Some(text.clone().into_owned()),
        base_field: "api_base",
        ..Default::default()
    };
    let rule = client_access::AccessRule {
        any_base: true,
        ..Default::default()
    };
    let _ = black_box(rule.permit(&access));
    let _ = black_box(client_access::whole(&text));
}

/// A segment of the journal, as a crash or a bad disk may leave it.
pub fn journal(bytes: &[u8]) {
    let folder = std::env::temp_dir().join(format!("pointsman-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let id = *uuid::Uuid::new_v4().as_bytes();
    let path = Segments::path(&folder, &id, 0);
    std::fs::write(&path, bytes).expect("a segment");
    let mut segments = Segments::open(&folder, id, 0);
    let mut last = 0;
    while let Ok(Some((sequence, record))) = segments.read() {
        black_box((sequence, record));
        last += 1;
        assert!(last <= bytes.len(), "more records than bytes");
    }
    let _ = std::fs::remove_file(path);
}

/// A compressed answer: decoded piece by piece, within bounds. The first byte says how.
pub fn decode(bytes: &[u8]) {
    let (first, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let encoding = if first & 1 == 0 { "gzip" } else { "deflate" };
    let mut decoder = Decoder::of(encoding).expect("an encoding");
    let mut given = 0;
    let pieces = rest.chunks(usize::from(first >> 1).max(1)).map(Some);
    for piece in pieces.chain([None]) {
        match piece {
            Some(piece) => decoder.feed(Bytes::copy_from_slice(piece)),
            None => decoder.end(),
        }
        loop {
            match decoder.piece() {
                Ok(Some(out)) => given += out.len(),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
    assert!(
        given <= (1 << 20) + 200 * rest.len() + (1 << 16),
        "{given} of {}",
        rest.len()
    );
}
