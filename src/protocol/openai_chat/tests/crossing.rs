//! What one side says arrives at the other: every text, every argument, every count.

use bytes::Bytes;
use proptest::prelude::*;

use crate::protocol::anthropic;
use crate::protocol::neutral::testing::*;
use crate::protocol::neutral::*;
use crate::protocol::openai_chat::stream::{Decoder, Encoder, Ending, StreamForm, grammar};
use crate::protocol::openai_chat::{
    Target, decode_answer, decode_request, encode_answer, encode_request,
};

fn form() -> StreamForm {
    StreamForm {
        model: "m".to_owned(),
        id: "x".to_owned(),
        created: 1,
        wants_usage: true,
    }
}

proptest! {
    /// An upstream of Chat Completions, a client of Anthropic; calls whose arguments come mixed.
    #[test]
    fn a_chat_stream_arrives_at_a_client_of_anthropic(
        answer in shared_answer(false),
        size in 1_usize..6,
        order in prop::collection::vec(any::<u8>(), 1..20),
        places in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let mut bytes = Vec::new();
        let mut upstream = Encoder::new(form());
        for event in interleaved(play(&answer, size), &order) {
            upstream.event(event, &mut bytes);
        }
        prop_assert_eq!(grammar::offence(&bytes, true), None);
        let mut decoder = Decoder::new("x", Ending::WithReason);
        let mut client = anthropic::stream::Encoder::new("m", "x");
        let (mut events, mut out) = (Vec::new(), Vec::new());
        for read in cut(&bytes, &places) {
            decoder.feed(&read, &mut events);
            for event in events.drain(..) {
                client.event(event, &mut out);
            }
        }
        prop_assert_eq!(anthropic::stream::grammar::offence(&out, true), None);
        prop_assert_eq!(client.not_carried(), &[]);
        let mut events = Vec::new();
        let mut reader = anthropic::stream::Decoder::default();
        reader.feed(&out, &mut events);
        let found = assemble(&events);
        prop_assert_eq!(seen(&found), seen(&answer));
        prop_assert_eq!(&found.choices[0].stop, &answer.choices[0].stop);
        let counts = |answer: &Answer| answer.usage.as_ref().map(|usage| usage.counts);
        prop_assert_eq!(counts(&found), counts(&answer));
    }

    /// The other way: signatures arrive byte for byte.
    #[test]
    fn an_anthropic_stream_arrives_at_a_client_of_chat(
        answer in shared_answer(true),
        size in 1_usize..6,
    ) {
        let mut bytes = Vec::new();
        let mut upstream = anthropic::stream::Encoder::new("m", "x");
        for event in play(&answer, size) {
            upstream.event(event, &mut bytes);
        }
        let mut events = Vec::new();
        anthropic::stream::Decoder::default().feed(&bytes, &mut events);
        let mut client = Encoder::new(form());
        let mut out = Vec::new();
        for event in events {
            client.event(event, &mut out);
        }
        prop_assert_eq!(grammar::offence(&out, true), None);
        prop_assert_eq!(client.not_carried(), &[]);
        let mut events = Vec::new();
        Decoder::new("x", Ending::WithReason).feed(&out, &mut events);
        let found = assemble(&events);
        prop_assert_eq!(seen(&found), seen(&answer));
        let counts = |answer: &Answer| answer.usage.as_ref().map(|usage| usage.counts);
        prop_assert_eq!(counts(&found), counts(&answer));
    }

    /// Whole answers, both ways.
    #[test]
    fn whole_answers_cross(answer in shared_answer(true)) {
        let (body, notes) = encode_answer(&answer, 0);
        prop_assert_eq!(&notes, &vec![]);
        let there = decode_answer(&body).unwrap();
        prop_assert_eq!(seen(&there), seen(&answer));
        let (body, notes) = anthropic::encode_answer(&there);
        prop_assert_eq!(&notes, &vec![]);
        let back = anthropic::decode_answer(&body).unwrap();
        prop_assert_eq!(seen(&back), seen(&answer));
        prop_assert_eq!(&back.choices[0].stop, &answer.choices[0].stop);
        let counts = |answer: &Answer| answer.usage.as_ref().map(|usage| usage.counts);
        prop_assert_eq!(counts(&back), counts(&answer));
    }
}

#[test]
fn tool_names_and_the_format_tool_are_undone() {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"mcp.read file"}}],"response_format":{"type":"json_object"}}"#;
    let request = decode_request(&Bytes::copy_from_slice(body)).unwrap();
    let target = anthropic::Target {
        thinking: anthropic::ThinkingSupport::None,
        ..anthropic::Target::unknown("claude")
    };
    let encoded = anthropic::encode_request(&request, &target).unwrap();
    let text = String::from_utf8(encoded.body).unwrap();
    assert!(text.contains(r#""name":"mcp_read_file""#), "{text}");
    assert!(text.contains(r#""tool_choice":{"type":"any"}"#), "{text}");
    let answer = |name: &str, arguments: &str| Answer {
        id: "msg_1".to_owned(),
        choices: vec![Choice {
            content: vec![Block::plain(Content::ToolCall(ToolCall {
                id: "toolu_1".to_owned(),
                name: name.to_owned(),
                arguments: arguments.to_owned(),
                kind: ToolCallKind::Function,
            }))],
            stop: Some(StopReason::ToolUse.into()),
            ..Choice::default()
        }],
        ..Answer::default()
    };
    for (name, arguments, expected, finish) in [
        (
            "json_tool_call",
            r#"{"a": 1}"#,
            r#""content":"{\"a\": 1}""#,
            "stop",
        ),
        (
            "mcp_read_file",
            "{}",
            r#""name":"mcp.read file""#,
            "tool_calls",
        ),
    ] {
        let mut whole = answer(name, arguments);
        encoded.reversal.undo(&mut whole);
        let (body, _) = encode_answer(&whole, 0);
        let body = String::from_utf8(body).unwrap();
        assert!(body.contains(expected), "{body}");
        assert!(
            body.contains(&format!(r#""finish_reason":"{finish}""#)),
            "{body}"
        );
        let mut reversal = StreamReversal::new(encoded.reversal.clone());
        let events = play(&answer(name, arguments), 2).into_iter();
        let events: Vec<_> = events.map(|event| reversal.undo(event)).collect();
        let mut streamed = assemble(&events);
        streamed.model = String::new();
        assert_eq!(streamed, whole);
    }
}

/// Codex's `apply_patch`: a tool of free text at models whose tools take JSON.
#[test]
fn a_tool_of_free_text_is_a_function_elsewhere() {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","content":null,"tool_calls":[{"id":"c0","type":"custom","custom":{"name":"apply.patch","input":"a \"b\"\n"}}]},{"role":"tool","tool_call_id":"c0","content":"ok"}],"tools":[{"type":"custom","custom":{"name":"apply.patch","description":"Edits.","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"start: x"}}}}]}"#;
    let request = decode_request(&Bytes::copy_from_slice(body)).unwrap();
    let claude = anthropic::Target {
        thinking: anthropic::ThinkingSupport::None,
        ..anthropic::Target::unknown("claude")
    };
    let chat = Target {
        takes_custom_tools: false,
        ..Target::openai("gpt", None)
    };
    let text = "*** Begin Patch\n+\"é😀\"\n*** End Patch";
    for encoded in [
        anthropic::encode_request(&request, &claude).unwrap(),
        encode_request(&request, &chat).unwrap(),
    ] {
        let sent = String::from_utf8(encoded.body).unwrap();
        assert!(sent.contains("lark grammar:\\nstart: x"), "{sent}");
        // Of the history, as an object or as a string.
        let wrapped = [
            r#""input":{"input":"a \"b\"\n"}"#,
            r#""arguments":"{\"input\":\"a \\\"b\\\"\\n\"}""#,
        ];
        assert!(
            wrapped.iter().any(|wrapped| sent.contains(wrapped)),
            "{sent}"
        );
        let call = ToolCall {
            id: "c1".to_owned(),
            name: "apply_patch".to_owned(),
            arguments: free_text::wrap(text),
            kind: ToolCallKind::Function,
        };
        let mut whole = Answer {
            choices: vec![Choice {
                content: vec![Block::plain(Content::ToolCall(call))],
                stop: Some(StopReason::ToolUse.into()),
                ..Choice::default()
            }],
            ..Answer::default()
        };
        let mut reversal = StreamReversal::new(encoded.reversal.clone());
        let events = play(&whole, 3).into_iter();
        let events: Vec<_> = events.map(|event| reversal.undo(event)).collect();
        encoded.reversal.undo(&mut whole);
        let Content::ToolCall(call) = &whole.choices[0].content[0].content else {
            panic!("{whole:?}");
        };
        assert_eq!(
            (call.name.as_str(), call.kind),
            ("apply.patch", ToolCallKind::Custom)
        );
        assert_eq!(call.arguments, text);
        assert_eq!(assemble(&events), whole);
    }
}

/// A reasoning item of OpenAI's is none of Anthropic's business.
#[test]
fn proofs_go_only_to_those_who_made_them() {
    let own = "EqQB+/==";
    let other = proof::of_reasoning_item("rs_1", "gAAA");
    let thought = |signature: &str| {
        Block::plain(Content::Thinking {
            text: "Hm.".to_owned(),
            signature: Some(signature.to_owned()),
        })
    };
    let request = Request {
        model: "m".to_owned(),
        messages: vec![
            Message {
                role: Role::User,
                content: vec![Block::text("x")],
                name: None,
                extensions: Extensions::default(),
            },
            Message {
                role: Role::Assistant,
                content: vec![thought(own), thought(&other), Block::text("y")],
                name: None,
                extensions: Extensions::default(),
            },
            Message {
                role: Role::User,
                content: vec![Block::text("z")],
                name: None,
                extensions: Extensions::default(),
            },
        ],
        ..Request::default()
    };
    let claude = anthropic::Target {
        thinking: anthropic::ThinkingSupport::Budget,
        ..anthropic::Target::unknown("claude")
    };
    for encoded in [
        anthropic::encode_request(&request, &claude).unwrap(),
        encode_request(&request, &super::generous()).unwrap(),
    ] {
        let sent = String::from_utf8(encoded.body).unwrap();
        assert!(sent.contains(own) && !sent.contains("gAAA"), "{sent}");
        let note = NotCarried {
            field: "messages.1.content.1".to_owned(),
            why: Why::OtherProvider,
        };
        assert_eq!(encoded.not_carried, [note]);
    }
}
