//! Decoding what was encoded gives it back, and any bytes are survived.

use bytes::Bytes;
use proptest::prelude::*;

use super::claude;
use crate::protocol::anthropic::*;
use crate::protocol::neutral::testing::*;
use crate::protocol::neutral::*;

fn source() -> BoxedStrategy<Source> {
    prop_oneof![
        "[A-Za-z0-9+/]{0,12}".prop_map(|data| Source::Base64 {
            media_type: "image/png".to_owned(),
            data,
        }),
        word().prop_map(|word| Source::Url(format!("https://x/{word}"))),
        word().prop_map(Source::File),
    ]
    .boxed()
}

fn document() -> BoxedStrategy<Content> {
    let source = prop_oneof![
        source(),
        said().prop_map(Source::Text),
        prop::collection::vec(marked(text()), 1..3).prop_map(Source::Blocks),
    ];
    let words = || prop::option::of(word());
    (source, words(), words(), any::<bool>())
        .prop_map(|(source, title, context, cited)| Content::Document {
            source,
            title,
            context,
            cited,
        })
        .boxed()
}

fn image() -> BoxedStrategy<Content> {
    source()
        .prop_map(|source| Content::Image {
            source,
            detail: None,
        })
        .boxed()
}

fn citation() -> BoxedStrategy<Citation> {
    word()
        .prop_map(|word| {
            let raw = format!(
                r#"{{"type":"web_search_result_location","url":"https://{word}","title": "T","encrypted_index":"E=="}}"#
            );
            Citation {
                dialect: Dialect::Anthropic,
                raw: Raw::parse(raw.as_bytes()).expect("JSON"),
                url: Some(format!("https://{word}")),
                title: Some("T".to_owned()),
            }
        })
        .boxed()
}

fn cited() -> BoxedStrategy<Content> {
    (said(), prop::collection::vec(citation(), 0..3))
        .prop_map(|(text, citations)| Content::Text {
            text: text.into(),
            citations,
        })
        .boxed()
}

fn result() -> BoxedStrategy<Content> {
    let inner = prop_oneof![marked(text()), marked(image()), marked(document())];
    (word(), prop::collection::vec(inner, 0..3), any::<bool>())
        .prop_map(|(call, content, is_error)| {
            Content::ToolResult(ToolResult {
                call,
                content,
                is_error,
            })
        })
        .boxed()
}

fn server() -> BoxedStrategy<Vec<Block>> {
    (word(), object())
        .prop_map(|(id, input)| {
            let id = format!("srvtoolu_{id}");
            let call = Content::ServerCall(ServerCall {
                id: id.clone(),
                name: "web_search".to_owned(),
                input: input.as_str().to_owned(),
            });
            let result = Content::ServerResult(ServerResult {
                kind: "web_search_tool_result".to_owned(),
                call: id,
                content: input,
            });
            vec![Block::plain(call), Block::plain(result)]
        })
        .boxed()
}

fn unknown() -> BoxedStrategy<Block> {
    Just(Block::plain(Content::Unknown {
        dialect: Dialect::Anthropic,
        kind: "container_upload".to_owned(),
        raw: Raw::parse(br#"{"type":"container_upload", "file_id":"f"}"#).expect("JSON"),
    }))
    .boxed()
}

fn user() -> BoxedStrategy<Message> {
    let results = prop::collection::vec(marked(result()), 0..3);
    let said = prop_oneof![
        marked(text()),
        marked(image()),
        marked(document()),
        unknown()
    ];
    (results, prop::collection::vec(said, 1..3))
        .prop_map(|(results, said)| Message {
            role: Role::User,
            content: results.into_iter().chain(said).collect(),
            name: None,
            extensions: Extensions::default(),
        })
        .boxed()
}

fn assistant() -> BoxedStrategy<Message> {
    let plain = |content: BoxedStrategy<Content>| content.prop_map(|c| vec![Block::plain(c)]);
    let part = prop_oneof![
        plain(thinking(true)),
        plain(redacted()),
        marked(cited()).prop_map(|block| vec![block]),
        marked(tool_call()).prop_map(|block| vec![block]),
        server(),
    ];
    prop::collection::vec(part, 1..4)
        .prop_map(|parts| Message {
            role: Role::Assistant,
            content: parts.into_iter().flatten().collect(),
            name: None,
            extensions: Extensions::default(),
        })
        .boxed()
}

fn tool() -> BoxedStrategy<Tool> {
    let function = (
        word(),
        prop::option::of(any_text()),
        object(),
        prop::option::of(any::<bool>()),
        cache(),
        extensions(Dialect::Anthropic, &["input_examples", "x_future"]),
    )
        .prop_map(
            |(name, description, parameters, strict, cache, extensions)| Tool {
                kind: ToolKind::Function {
                    name,
                    description,
                    parameters: Some(parameters),
                    strict,
                },
                cache,
                extensions,
            },
        );
    let search = Just(Tool {
        kind: ToolKind::Provided {
            dialect: Dialect::Anthropic,
            kind: "web_search_20250305".to_owned(),
            raw: Raw::parse(br#"{"type":"web_search_20250305", "name":"web_search"}"#)
                .expect("JSON"),
        },
        cache: None,
        extensions: Extensions::default(),
    });
    prop_oneof![3 => function, 1 => search].boxed()
}

fn distinct_calls(messages: &mut [Message]) {
    let blocks = messages.iter_mut().flat_map(|message| &mut message.content);
    for (place, block) in blocks.enumerate() {
        if let Content::ToolCall(call) = &mut block.content {
            call.id = format!("{}_{place}", call.id);
        }
    }
}

fn reasoning() -> BoxedStrategy<Option<Reasoning>> {
    let effort = prop::option::of(prop::sample::select(vec![Effort::Low, Effort::Max]));
    prop::option::of((1024_u64..4096, effort, prop::option::of(word())).prop_map(
        |(budget, effort, display)| Reasoning {
            mode: Some(ReasoningMode::Budget(budget)),
            effort,
            display,
        },
    ))
    .boxed()
}

fn format() -> BoxedStrategy<Option<OutputFormat>> {
    let schema = br#"{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"number"}},"required":["b"],"additionalProperties":false}"#;
    prop::option::of(Just(OutputFormat::Schema {
        name: None,
        description: None,
        schema: Raw::parse(schema).expect("JSON"),
        strict: None,
    }))
    .boxed()
}

fn request() -> BoxedStrategy<Request> {
    let turns = (user(), prop::collection::vec((assistant(), user()), 0..3));
    let messages = turns.prop_map(|(first, turns)| {
        let mut messages = vec![first];
        for (assistant, user) in turns {
            messages.extend([assistant, user]);
        }
        distinct_calls(&mut messages);
        messages
    });
    let number = |text: &'static str| prop::option::of(Just(Raw::parse(text.as_bytes()).unwrap()));
    let sampling = (number("0.70"), number("1e-1"), number("40"));
    let choice = prop::sample::select(vec![
        None,
        Some(ToolChoice::Auto),
        Some(ToolChoice::None),
        Some(ToolChoice::Required),
        Some(ToolChoice::Named("f".to_owned())),
    ]);
    let first = (
        prop::collection::vec(marked(text()), 0..3),
        messages,
        prop::collection::vec(tool(), 1..3),
        choice,
        prop::option::of(any::<bool>()),
        sampling,
        reasoning(),
        format(),
    );
    let second = (
        1_u64..100_000,
        prop::collection::vec(said(), 0..3),
        prop::option::of(word()),
        extensions(Dialect::Anthropic, &["x_meta"]),
        any::<bool>(),
        extensions(
            Dialect::Anthropic,
            &["container", "x_future", "output_config.x_new"],
        ),
    );
    (first, second)
        .prop_map(|(first, second)| {
            let (system, messages, tools, choice, parallel, sampling, reasoning, format) = first;
            let (max, stop, user, metadata, stream, extensions) = second;
            let thinks = reasoning.is_some();
            let forced = matches!(choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
            let choice = choice.filter(|_| !(thinks && forced));
            let may_say = !matches!(choice, None | Some(ToolChoice::None));
            let (temperature, top_p, top_k) = sampling;
            Request {
                model: "claude".to_owned(),
                system,
                messages,
                tools,
                parallel_tool_calls: parallel.filter(|_| may_say),
                tool_choice: choice,
                max_output_tokens: Some(max),
                stop,
                sampling: Sampling {
                    temperature: temperature.filter(|_| !thinks),
                    top_p,
                    top_k: top_k.filter(|_| !thinks),
                    ..Sampling::default()
                },
                reasoning,
                format,
                user,
                metadata,
                stream,
                wants_stream_usage: true,
                extensions,
                ..Request::default()
            }
        })
        .boxed()
}

fn answer() -> BoxedStrategy<Answer> {
    let part = prop_oneof![
        thinking(true).prop_map(|c| vec![Block::plain(c)]),
        thinking(false).prop_map(|c| vec![Block::plain(c)]),
        redacted().prop_map(|c| vec![Block::plain(c)]),
        cited().prop_map(|c| vec![Block::plain(c)]),
        tool_call().prop_map(|c| vec![Block::plain(c)]),
        server(),
    ];
    let stop = prop::sample::select(vec![
        StopReason::MaxTokens,
        StopReason::StopSequence,
        StopReason::ToolUse,
        StopReason::PauseTurn,
        StopReason::Refusal,
        StopReason::ContextWindow,
        StopReason::Compaction,
    ]);
    let extras = extensions(Dialect::Anthropic, &["service_tier"]);
    (
        prop::collection::vec(part, 0..5),
        stop,
        prop::option::of(any_text()),
        report(),
        extras,
    )
        .prop_map(|(parts, reason, sequence, usage, extras)| Answer {
            id: "msg_1".to_owned(),
            model: "claude".to_owned(),
            choices: vec![Choice {
                content: parts.into_iter().flatten().collect(),
                stop: Some(Stop { reason, sequence }),
                ..Choice::default()
            }],
            usage: Some(UsageReport { extras, ..usage }),
            ..Answer::default()
        })
        .boxed()
}

proptest! {
    #[test]
    fn requests(request in request()) {
        let encoded = encode_request(&request, &claude()).expect("nothing to refuse");
        prop_assert_eq!(&encoded.not_carried, &vec![]);
        let decoded = decode_request(&encoded.body.clone().into()).expect("what was encoded");
        prop_assert_eq!(decoded, request);
    }

    #[test]
    fn answers(answer in answer()) {
        let (body, notes) = encode_answer(&answer);
        prop_assert_eq!(&notes, &vec![]);
        prop_assert_eq!(decode_answer(&body).expect("what was encoded"), answer);
    }

    #[test]
    fn a_stream_put_together_is_the_whole_answer(
        answer in answer(),
        size in 1_usize..5,
        places in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let mut encoder = stream::Encoder::new("claude", "msg_0");
        let mut bytes = Vec::new();
        for event in play(&answer, size) {
            encoder.event(event, &mut bytes);
        }
        prop_assert_eq!(stream::grammar::offence(&bytes, true), None);
        prop_assert_eq!(encoder.not_carried(), &[]);
        let mut decoder = stream::Decoder::default();
        let mut events = Vec::new();
        for read in cut(&bytes, &places) {
            decoder.feed(&read, &mut events);
        }
        decoder.finish(&mut events);
        prop_assert_eq!(assemble(&events), answer);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_request(&bytes.clone().into());
        let _ = decode_answer(&bytes);
        let _ = decode_error(&bytes, Some(400));
        let _ = decode_count_answer(&bytes);
    }

    #[test]
    fn broken_bodies(request in request(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = encode_request(&request, &claude()).expect("nothing to refuse").body;
        let at = at.index(body.len());
        body[at] = byte;
        if let Ok(request) = decode_request(&body.clone().into()) {
            let _ = encode_request(&request, &claude());
        }
        let _ = decode_request(&Bytes::copy_from_slice(&body[..at]));
    }
}
