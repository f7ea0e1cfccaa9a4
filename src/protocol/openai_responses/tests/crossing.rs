//! What one side says arrives at the other, among all three protocols: every text, every argument, every count.

use bytes::Bytes;
use proptest::prelude::*;

use super::{head, json as parsed};
use crate::protocol::neutral::testing::*;
use crate::protocol::neutral::*;
use crate::protocol::openai_chat::stream::Ending;
use crate::protocol::openai_responses::{self, Asked};
use crate::protocol::{anthropic, openai_chat};

const ALL: [Dialect; 3] = [Dialect::Chat, Dialect::Anthropic, Dialect::Responses];

enum Reader {
    Chat(openai_chat::stream::Decoder),
    Anthropic(anthropic::stream::Decoder),
    Responses(openai_responses::stream::Decoder),
}

impl Reader {
    fn new(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Chat => Self::Chat(openai_chat::stream::Decoder::new("x", Ending::WithReason)),
            Dialect::Anthropic => Self::Anthropic(anthropic::stream::Decoder::default()),
            Dialect::Responses => Self::Responses(openai_responses::stream::Decoder::default()),
        }
    }

    fn feed(&mut self, read: &[u8], events: &mut Vec<Event>) {
        match self {
            Self::Chat(decoder) => decoder.feed(read, events),
            Self::Anthropic(decoder) => decoder.feed(read, events),
            Self::Responses(decoder) => decoder.feed(read, events),
        }
    }
}

enum Writer {
    Chat(openai_chat::stream::Encoder),
    Anthropic(anthropic::stream::Encoder),
    Responses(Box<openai_responses::stream::Encoder>),
}

impl Writer {
    fn new(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Chat => Self::Chat(openai_chat::stream::Encoder::new(
                openai_chat::stream::StreamForm {
                    model: "m".to_owned(),
                    id: "x".to_owned(),
                    created: 1,
                    wants_usage: true,
                },
            )),
            Dialect::Anthropic => Self::Anthropic(anthropic::stream::Encoder::new("m", "x")),
            Dialect::Responses => Self::Responses(Box::new(
                openai_responses::stream::Encoder::new(head(Asked::default())),
            )),
        }
    }

    fn event(&mut self, event: Event, out: &mut Vec<u8>) {
        match self {
            Self::Chat(encoder) => encoder.event(event, out),
            Self::Anthropic(encoder) => encoder.event(event, out),
            Self::Responses(encoder) => encoder.event(event, out),
        }
    }

    fn not_carried(&self) -> Vec<NotCarried> {
        match self {
            Self::Chat(encoder) => encoder.not_carried().to_vec(),
            Self::Anthropic(encoder) => encoder.not_carried().to_vec(),
            Self::Responses(encoder) => encoder.not_carried().to_vec(),
        }
    }
}

fn offence(dialect: Dialect, bytes: &[u8]) -> Option<String> {
    match dialect {
        Dialect::Chat => openai_chat::stream::grammar::offence(bytes, true),
        Dialect::Anthropic => anthropic::stream::grammar::offence(bytes, true),
        Dialect::Responses => openai_responses::stream::grammar::offence(bytes, true),
    }
}

fn written(dialect: Dialect, answer: &Answer) -> (Vec<u8>, Vec<NotCarried>) {
    match dialect {
        Dialect::Chat => openai_chat::encode_answer(answer, 0),
        Dialect::Anthropic => anthropic::encode_answer(answer),
        Dialect::Responses => openai_responses::encode_answer(answer, head(Asked::default())),
    }
}

fn read(dialect: Dialect, body: &[u8]) -> Answer {
    match dialect {
        Dialect::Chat => openai_chat::decode_answer(body).unwrap(),
        Dialect::Anthropic => anthropic::decode_answer(body).unwrap(),
        Dialect::Responses => openai_responses::decode_answer(body).unwrap(),
    }
}

/// Numbers in a usage object, all that are said.
fn counts(answer: &Answer) -> Option<crate::types::Usage> {
    answer.usage.as_ref().map(|usage| usage.counts.usage)
}

proptest! {
    /// Streams from every upstream to every client; calls whose arguments come mixed, reads cut anywhere.
    #[test]
    fn streams_cross(
        answer in shared_answer(true),
        size in 1_usize..6,
        order in prop::collection::vec(any::<u8>(), 1..20),
        places in prop::collection::vec(any::<usize>(), 0..20),
        upstream in prop::sample::select(ALL.to_vec()),
        client in prop::sample::select(ALL.to_vec()),
    ) {
        let mut bytes = Vec::new();
        let mut upstream_writer = Writer::new(upstream);
        for event in interleaved(play(&answer, size), &order) {
            upstream_writer.event(event, &mut bytes);
        }
        prop_assert_eq!(offence(upstream, &bytes), None);
        let mut decoder = Reader::new(upstream);
        let mut encoder = Writer::new(client);
        let (mut events, mut out) = (Vec::new(), Vec::new());
        for part in cut(&bytes, &places) {
            decoder.feed(&part, &mut events);
            for event in events.drain(..) {
                encoder.event(event, &mut out);
            }
        }
        prop_assert_eq!(offence(client, &out), None);
        prop_assert_eq!(encoder.not_carried(), vec![]);
        let mut events = Vec::new();
        Reader::new(client).feed(&out, &mut events);
        let found = assemble(&events);
        prop_assert_eq!(seen(&found), seen(&answer));
        prop_assert_eq!(&found.choices[0].stop, &answer.choices[0].stop);
        prop_assert_eq!(counts(&found), counts(&answer));
    }

    /// Whole answers, there and back again.
    #[test]
    fn whole_answers_cross(
        answer in shared_answer(true),
        upstream in prop::sample::select(ALL.to_vec()),
        client in prop::sample::select(ALL.to_vec()),
    ) {
        let (body, notes) = written(upstream, &answer);
        prop_assert_eq!(&notes, &vec![]);
        let there = read(upstream, &body);
        let (body, notes) = written(client, &there);
        prop_assert_eq!(&notes, &vec![]);
        let found = read(client, &body);
        prop_assert_eq!(seen(&found), seen(&answer));
        prop_assert_eq!(&found.choices[0].stop, &answer.choices[0].stop);
        prop_assert_eq!(counts(&found), counts(&answer));
    }

    /// A thought that OpenAI has encrypted comes back to it as it went, over clients of all protocols.
    #[test]
    fn proofs_come_back(id in "rs_[a-z0-9]{1,8}", encrypted in "[A-Za-z0-9+/=]{4,30}", text in said(), client in prop::sample::select(ALL.to_vec())) {
        let upstream = format!(
            r#"{{"id":"resp_1","model":"m","status":"completed","output":[{{"type":"reasoning","id":"{id}","summary":[{{"type":"summary_text","text":{}}}],"encrypted_content":"{encrypted}"}},{{"type":"message","role":"assistant","content":[{{"type":"output_text","text":"x"}}]}}]}}"#,
            String::from_utf8(crate::protocol::json::quoted(&text)).unwrap(),
        );
        let answer = read(Dialect::Responses, upstream.as_bytes());
        let (told, _) = written(client, &answer);
        let mut back = Request {
            model: "m".to_owned(),
            messages: vec![Message {
                role: Role::User,
                content: vec![Block::text("u")],
                name: None,
                extensions: Extensions::default(),
            }],
            ..Request::default()
        };
        // What the client sends with its next question: what it was told.
        let told = match client {
            Dialect::Chat => {
                let message = parsed(&told)["choices"][0]["message"].take();
                let body = serde_json::json!({"model": "m", "messages": [message]});
                openai_chat::decode_request(&body.to_string().into()).unwrap()
            }
            Dialect::Anthropic => {
                let content = parsed(&told)["content"].take();
                let body = serde_json::json!({"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": content}]});
                anthropic::decode_request(&body.to_string().into()).unwrap()
            }
            Dialect::Responses => {
                let output = parsed(&told)["output"].take();
                let body = serde_json::json!({"model": "m", "input": output});
                openai_responses::decode_request(&body.to_string().into()).unwrap().0
            }
        };
        back.messages.extend(told.messages);
        let target = openai_responses::Target {
            model: "m",
            highest_effort: Some(Effort::High),
            takes_sampling: false,
            searches_web: false,
            deployment: "d",
        };
        let sent = parsed(&openai_responses::encode_request(&back, &target).unwrap().body);
        let item = &sent["input"][1];
        prop_assert_eq!(&item["type"], "reasoning");
        prop_assert_eq!(&item["encrypted_content"], encrypted.as_str());
        prop_assert_eq!(&item["summary"][0]["text"], text.as_str());
    }
}

/// A thought of Claude's goes to a client of Responses and comes back to Claude, byte for byte; OpenAI is not shown it.
#[test]
fn a_signature_comes_back_to_claude() {
    let claude = br#"{"id":"msg_1","type":"message","role":"assistant","model":"c","content":[{"type":"thinking","thinking":"Hm","signature":"EqQB+/=="},{"type":"redacted_thinking","data":"ZZ"},{"type":"text","text":"x"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}"#;
    let (told, notes) = written(Dialect::Responses, &read(Dialect::Anthropic, claude));
    assert_eq!(notes, []);
    let mut input = vec![serde_json::json!({"role": "user", "content": "u"})];
    input.extend(parsed(&told)["output"].as_array().unwrap().iter().cloned());
    input.push(serde_json::json!({"role": "user", "content": "v"}));
    let body = serde_json::json!({"model": "m", "input": input}).to_string();
    let (request, _) =
        openai_responses::decode_request(&Bytes::copy_from_slice(body.as_bytes())).unwrap();
    let target = anthropic::Target {
        model: "claude",
        default_max_tokens: 100,
        thinking: anthropic::ThinkingSupport::Budget,
        native_format: false,
        takes_sampling: true,
        takes_forced_tools: true,
        takes_mid_system: false,
        ..anthropic::Target::unknown("claude")
    };
    let sent = parsed(&anthropic::encode_request(&request, &target).unwrap().body);
    assert_eq!(
        sent["messages"][1]["content"],
        serde_json::json!([
            {"type": "thinking", "thinking": "Hm", "signature": "EqQB+/=="},
            {"type": "redacted_thinking", "data": "ZZ"},
            {"type": "text", "text": "x"},
        ])
    );
    let target = openai_responses::Target {
        model: "m",
        highest_effort: Some(Effort::High),
        takes_sampling: false,
        searches_web: false,
        deployment: "d",
    };
    let encoded = openai_responses::encode_request(&request, &target).unwrap();
    let sent = String::from_utf8(encoded.body).unwrap();
    assert!(!sent.contains("EqQB") && !sent.contains("ZZ"), "{sent}");
    assert_eq!(encoded.not_carried.len(), 2);
}

/// What one account has encrypted another cannot read.
#[test]
fn a_thought_comes_back_to_the_deployment_that_had_it() {
    let target = |deployment| openai_responses::Target {
        model: "m",
        highest_effort: Some(Effort::High),
        takes_sampling: false,
        searches_web: false,
        deployment,
    };
    let ask = |content: serde_json::Value| {
        let messages = serde_json::json!([{"role": "user", "content": "u"}, {"role": "assistant", "content": content}]);
        let body = serde_json::json!({"model": "m", "max_tokens": 9, "messages": messages});
        anthropic::decode_request(&body.to_string().into()).unwrap()
    };
    let first = openai_responses::encode_request(&ask("x".into()), &target("d-1")).unwrap();
    let upstream = br#"{"id":"resp_1","model":"m","status":"completed","output":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"}]}"#;
    let mut answer = read(Dialect::Responses, upstream);
    let mut reversal = StreamReversal::new(first.reversal.clone());
    let streamed: Vec<Event> = play(&answer, 9)
        .into_iter()
        .map(|event| reversal.undo(event))
        .collect();
    first.reversal.undo(&mut answer);
    assert_eq!(seen(&assemble(&streamed)), seen(&answer));
    let content = parsed(&written(Dialect::Anthropic, &answer).0)["content"].take();
    for (deployment, arrives) in [("d-1", true), ("d-2", false)] {
        let again = openai_responses::encode_request(&ask(content.clone()), &target(deployment));
        let again = again.unwrap();
        let sent = parsed(&again.body);
        assert_eq!(sent["input"][1]["encrypted_content"] == "gAAA", arrives);
        let left = again.not_carried.iter();
        let left = left.filter(|note| note.why == Why::OtherProvider).count();
        assert_eq!(left == 0, arrives);
    }
}

/// A choice of a tool of free text is one of a function elsewhere.
#[test]
fn a_choice_of_a_custom_tool() {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"custom","custom":{"name":"c"}}],"tool_choice":{"type":"custom","custom":{"name":"c"}}}"#;
    let request = openai_chat::decode_request(&Bytes::copy_from_slice(body)).unwrap();
    for (custom, expected) in [
        (
            true,
            serde_json::json!({"type": "custom", "custom": {"name": "c"}}),
        ),
        (
            false,
            serde_json::json!({"type": "function", "function": {"name": "c"}}),
        ),
    ] {
        let target = openai_chat::Target {
            takes_custom_tools: custom,
            ..openai_chat::Target::openai("m", None)
        };
        let sent = parsed(&openai_chat::encode_request(&request, &target).unwrap().body);
        assert_eq!(sent["tool_choice"], expected);
    }
    let target = openai_responses::Target {
        model: "m",
        highest_effort: None,
        takes_sampling: true,
        searches_web: false,
        deployment: "d",
    };
    let sent = parsed(
        &openai_responses::encode_request(&request, &target)
            .unwrap()
            .body,
    );
    assert_eq!(
        sent["tool_choice"],
        serde_json::json!({"type": "custom", "name": "c"})
    );
}
