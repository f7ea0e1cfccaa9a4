//! Any stream, broken anywhere and gone on with by any other, is one stream of its protocol.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::protocol::crossing::{Back, Form};
use crate::protocol::neutral::testing::*;
use crate::protocol::neutral::{Dialect, Event};
use crate::protocol::openai::request::Request;
use crate::protocol::{anthropic, openai_chat, openai_responses, shape};
use crate::types::{Operation, Usage};

const DIALECTS: [Dialect; 3] = [Dialect::Chat, Dialect::Anthropic, Dialect::Responses];

fn form() -> Form {
    Form {
        model: "the-group".to_owned(),
        id: "0192".to_owned(),
        created: 1_700_000_000,
        wants_usage: true,
        ends_with_reason: true,
    }
}

/// The events as an upstream of this dialect sends them.
fn wire(dialect: Dialect, events: &[Event]) -> Vec<u8> {
    let mut out = Vec::new();
    let form = form();
    match dialect {
        Dialect::Chat => {
            let mut encoder = openai_chat::stream::Encoder::new(openai_chat::stream::StreamForm {
                model: form.model,
                id: form.id,
                created: form.created,
                wants_usage: true,
            });
            events
                .iter()
                .for_each(|event| encoder.event(event.clone(), &mut out));
        }
        Dialect::Anthropic => {
            let mut encoder = anthropic::stream::Encoder::new(form.model, form.id);
            events
                .iter()
                .for_each(|event| encoder.event(event.clone(), &mut out));
        }
        Dialect::Responses => {
            let head = openai_responses::stream::Head {
                id: "resp_1".to_owned(),
                model: form.model,
                created: form.created,
                ..Default::default()
            };
            let mut encoder = openai_responses::stream::Encoder::new(head);
            events
                .iter()
                .for_each(|event| encoder.event(event.clone(), &mut out));
        }
    }
    out
}

fn offence(dialect: Dialect, bytes: &[u8]) -> Option<String> {
    match dialect {
        Dialect::Chat => openai_chat::stream::grammar::offence(bytes, true),
        Dialect::Anthropic => anthropic::stream::grammar::offence(bytes, true),
        Dialect::Responses => openai_responses::stream::grammar::offence(bytes, true),
    }
}

/// The text that a client of this dialect reads.
fn text(dialect: Dialect, bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let parsed = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    let said = parsed.filter_map(|event| {
        let said = match dialect {
            Dialect::Chat => &event["choices"][0]["delta"]["content"],
            Dialect::Anthropic => &event["delta"]["text"],
            Dialect::Responses if event["type"] == "response.output_text.delta" => &event["delta"],
            Dialect::Responses => return None,
        };
        said.as_str().map(str::to_owned)
    });
    said.collect()
}

/// Bytes up to the end of an event.
fn broken_off(bytes: &[u8], at: usize) -> &[u8] {
    let ends: Vec<usize> = memchr::memmem::find_iter(bytes, "\n\n")
        .map(|at| at + 2)
        .collect();
    let end = ends.get(at % (ends.len() + 1)).copied().unwrap_or_default();
    &bytes[..end]
}

proptest! {
    #[test]
    fn one_stream_of_two(
        first in shared_answer(false),
        second in shared_answer(false),
        at in 0_usize..40,
        size in 1_usize..9,
        client in 0_usize..3,
        upstream in 0_usize..3,
    ) {
        let (client, upstream) = (DIALECTS[client], DIALECTS[upstream]);
        let sent = wire(client, &play(&first, size));
        let sent = broken_off(&sent, at);
        let mut delivered = Delivered::new(client);
        for piece in sent.chunks(7) {
            delivered.feed(piece);
        }
        // Before the first content nothing is gone on with: the next attempt begins.
        let has_begun = !text(client, sent).is_empty();
        if let Some(passed) = delivered.passed(false).ok().filter(|_| has_begun) {
            prop_assert_eq!(delivered.text(), text(client, sent));
            let before = Usage { input: 5, output: 3, ..Usage::default() };
            let mut crossing = Back::plain(upstream, client).stream_behind(form(), passed, before);
            let rest = wire(upstream, &play(&second, size));
            let mut whole = sent.to_vec();
            let fed = crossing.feed(&rest);
            prop_assert!(fed.fault.is_none(), "{:?}", fed.fault);
            whole.extend_from_slice(&fed.out);
            whole.extend_from_slice(&crossing.finish().out);
            let shown = String::from_utf8_lossy(&whole);
            prop_assert_eq!(offence(client, &whole), None, "{}", shown);
            let expected = delivered.text().to_owned() + &text(upstream, &rest);
            prop_assert_eq!(text(client, &whole), expected, "{}", shown);
        }
    }
}

#[test]
fn what_is_not_gone_on_with() {
    let frames = |events: &[Value]| -> Vec<u8> {
        let frames = events.iter().map(|event| {
            let name = event["type"].as_str().unwrap_or_default();
            format!("event: {name}\ndata: {event}\n\n")
        });
        frames.collect::<String>().into_bytes()
    };
    let start =
        json!({"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": {}}});
    let block = |index: u64, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let thought = block(
        0,
        json!({"type": "thinking", "thinking": "", "signature": ""}),
    );
    let text = block(0, json!({"type": "text", "text": ""}));
    let stop = json!({"type": "content_block_stop", "index": 0});
    let said = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a b"}});
    let call = block(
        1,
        json!({"type": "tool_use", "id": "t", "name": "n", "input": {}}),
    );
    let ended = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}});
    for (events, expected) in [
        (vec![start.clone(), text.clone(), said.clone()], None),
        (
            vec![start.clone(), thought.clone()],
            Some(Obstacle::Thought),
        ),
        (vec![start.clone(), thought, stop.clone()], None),
        (
            vec![
                start.clone(),
                text.clone(),
                said.clone(),
                stop.clone(),
                call,
            ],
            Some(Obstacle::Tool),
        ),
        (vec![start, text, said, stop, ended], Some(Obstacle::Ended)),
    ] {
        let mut delivered = Delivered::new(Dialect::Anthropic);
        delivered.feed(&frames(&events));
        assert_eq!(delivered.passed(true).err(), expected, "{events:?}");
    }
    let mut delivered = Delivered::new(Dialect::Chat);
    let chunk =
        json!({"id": "c", "choices": [{"index": 0, "delta": {"content": "x".repeat(600_000)}}]});
    for expected in [None, Some(Obstacle::TooLong)] {
        delivered.feed(format!("data: {chunk}\n\n").as_bytes());
        assert_eq!(delivered.passed(false).err(), expected);
    }
    assert_eq!(delivered.text(), "", "nothing is kept for nothing");
}

fn asked(operation: Operation, body: &Value, text: &str, manner: Manner) -> Option<Value> {
    let body = Bytes::from(body.to_string());
    let request = Request::read(shape(operation), &body, None).unwrap();
    question(&request, text, manner).map(|body| serde_json::from_slice(&body).unwrap())
}

#[test]
fn the_question_holds_what_was_said() {
    let user = json!({"role": "user", "content": "Tell."});
    let body = json!({"model": "m", "messages": [user], "max_tokens": 100, "top_p": 0.5});
    let told = asked(Operation::Chat, &body, "One two", Manner::Asked).unwrap();
    assert_eq!(told["messages"][0], user);
    assert_eq!(
        told["messages"][1],
        json!({"role": "assistant", "content": "One two"})
    );
    assert_eq!(told["messages"][2]["role"], "user");
    assert_eq!(
        (told["max_tokens"].as_u64(), &told["top_p"]),
        (Some(99), &json!(0.5))
    );
    let told = asked(Operation::Messages, &body, "One two", Manner::Prefilled).unwrap();
    assert_eq!(told["messages"].as_array().map(Vec::len), Some(2), "{told}");
    let body = json!({"model": "m", "input": "Tell \"me\".", "max_output_tokens": 20});
    let told = asked(Operation::Responses, &body, "One", Manner::Asked).unwrap();
    assert_eq!(told["input"][0]["content"][0]["text"], "Tell \"me\".");
    assert_eq!(told["input"][1]["role"], "assistant");
    assert_eq!(
        told["input"][1]["content"][0],
        json!({"type": "output_text", "text": "One"})
    );
    assert_eq!(told["input"][2]["role"], "user");
    assert_eq!(asked(Operation::Responses, &body, "", Manner::Asked), None);
}

#[test]
fn formats_that_only_a_whole_answer_has() {
    for (operation, body, expected) in [
        (
            Operation::Chat,
            json!({"response_format": {"type": "json_object"}}),
            true,
        ),
        (
            Operation::Chat,
            json!({"response_format": {"type": "text"}}),
            false,
        ),
        (Operation::Chat, json!({}), false),
        (
            Operation::Responses,
            json!({"text": {"format": {"type": "json_schema"}}}),
            true,
        ),
        (
            Operation::Responses,
            json!({"text": {"verbosity": "low"}}),
            false,
        ),
        (
            Operation::Messages,
            json!({"output_config": {"format": {"type": "json_schema"}}}),
            true,
        ),
    ] {
        let mut whole = json!({"model": "m", "messages": [], "input": "", "max_tokens": 5});
        whole
            .as_object_mut()
            .unwrap()
            .extend(body.as_object().unwrap().clone());
        let bytes = Bytes::from(whole.to_string());
        let request = Request::read(shape(operation), &bytes, None).unwrap();
        assert_eq!(has_format(&request), expected, "{body}");
    }
}
