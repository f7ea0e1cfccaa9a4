//! Decoding what was encoded gives it back, and any bytes are survived.

use bytes::Bytes;
use proptest::prelude::*;

use super::generous;
use crate::protocol::neutral::testing::*;
use crate::protocol::neutral::*;
use crate::protocol::openai::usage::ParsedUsage;
use crate::protocol::openai_chat::stream::{Decoder, Encoder, Ending, StreamForm, grammar};
use crate::protocol::openai_chat::*;
use crate::types::Usage;

fn image() -> BoxedStrategy<Content> {
    let source = prop_oneof![
        "[A-Za-z0-9+/]{0,12}".prop_map(|data| Source::Base64 {
            media_type: "image/png".to_owned(),
            data,
        }),
        word().prop_map(|word| Source::Url(format!("https://x/{word}"))),
    ];
    let detail = prop::option::of(Just("low".to_owned()));
    (source, detail)
        .prop_map(|(source, detail)| Content::Image { source, detail })
        .boxed()
}

fn document() -> BoxedStrategy<Content> {
    let source = prop_oneof![
        "[A-Za-z0-9+/]{0,12}".prop_map(|data| (
            Source::Base64 {
                media_type: "application/pdf".to_owned(),
                data,
            },
            Some("a.pdf".to_owned())
        )),
        word().prop_map(|id| (Source::File(id), None)),
    ];
    source
        .prop_map(|(source, title)| Content::Document {
            source,
            title,
            context: None,
            cited: false,
        })
        .boxed()
}

fn audio() -> BoxedStrategy<Content> {
    "[A-Za-z0-9+/]{0,12}"
        .prop_map(|data| Content::Audio {
            id: None,
            data,
            format: Some("wav".to_owned()),
            transcript: None,
        })
        .boxed()
}

fn video() -> BoxedStrategy<Content> {
    let raw = br#"{"type":"video_url", "video_url":{"url":"https://v"}}"#;
    Just(Content::Unknown {
        dialect: Dialect::Chat,
        kind: "video_url".to_owned(),
        raw: Raw::parse(raw).expect("JSON"),
    })
    .boxed()
}

fn message(role: Role, content: Vec<Block>) -> Message {
    Message {
        role,
        content,
        name: None,
        extensions: Extensions::default(),
    }
}

fn user() -> BoxedStrategy<Message> {
    let part = prop_oneof![
        marked(text()),
        marked(image()),
        marked(document()),
        marked(audio()),
        video().prop_map(Block::plain),
    ];
    let said = (
        prop::collection::vec(part, 1..4),
        prop::option::of(word()),
        extensions(Dialect::Chat, &["x_future"]),
    )
        .prop_map(|(content, name, extensions)| Message {
            role: Role::User,
            content,
            name,
            extensions,
        });
    let result = (word(), prop::collection::vec(marked(text()), 1..3), cache()).prop_map(
        |(call, content, cache)| {
            let result = ToolResult {
                call,
                content,
                is_error: false,
            };
            let block = Block {
                cache,
                ..Block::plain(Content::ToolResult(result))
            };
            message(Role::User, vec![block])
        },
    );
    let empty = Just(message(Role::User, vec![Block::text("")]));
    let system = marked(text()).prop_map(|block| message(Role::System, vec![block]));
    prop_oneof![4 => said, 3 => result, 1 => empty, 1 => system].boxed()
}

fn custom_call() -> BoxedStrategy<Content> {
    (word(), any_text())
        .prop_map(|(name, arguments)| {
            Content::ToolCall(ToolCall {
                id: "call_custom".to_owned(),
                name,
                arguments,
                kind: ToolCallKind::Custom,
            })
        })
        .boxed()
}

fn assistant() -> BoxedStrategy<Message> {
    let thought = prop_oneof![thinking(true), thinking(false), redacted()];
    let refusal = said().prop_map(Content::Refusal);
    let call = prop_oneof![3 => tool_call(), 1 => custom_call()];
    (
        prop::collection::vec(thought.prop_map(Block::plain), 0..3),
        prop::option::of(marked(text())),
        prop::option::weighted(0.2, refusal.prop_map(Block::plain)),
        prop::collection::vec(marked(call), 0..3),
    )
        .prop_map(|(thoughts, text, refusal, calls)| {
            let nothing = text.is_none() && refusal.is_none() && calls.is_empty();
            let text = text.or_else(|| nothing.then(|| Block::text("so")));
            let content = thoughts.into_iter().chain(text).chain(refusal).chain(calls);
            message(Role::Assistant, content.collect())
        })
        .boxed()
}

fn tool() -> BoxedStrategy<Tool> {
    let function = (
        word(),
        prop::option::of(any_text()),
        prop::option::of(object()),
        prop::option::of(any::<bool>()),
    )
        .prop_map(
            |(name, description, parameters, strict)| ToolKind::Function {
                name,
                description,
                parameters,
                strict,
            },
        );
    let custom = (word(), prop::option::of(object())).prop_map(|(name, format)| ToolKind::Custom {
        name,
        description: None,
        format,
    });
    let kind = prop_oneof![3 => function, 1 => custom];
    (kind, cache(), extensions(Dialect::Chat, &["x_future"]))
        .prop_map(|(kind, cache, extensions)| Tool {
            kind,
            cache,
            extensions,
        })
        .boxed()
}

fn format() -> BoxedStrategy<Option<OutputFormat>> {
    let schema = (prop::option::of(any::<bool>()), object()).prop_map(|(strict, schema)| {
        OutputFormat::Schema {
            name: Some("n".to_owned()),
            description: None,
            schema,
            strict,
        }
    });
    let plain = prop::sample::select(vec![OutputFormat::Text, OutputFormat::Json]);
    prop::option::of(prop_oneof![plain, schema]).boxed()
}

fn request() -> BoxedStrategy<Request> {
    let raw = |text: &'static str| prop::option::of(Just(Raw::parse(text.as_bytes()).unwrap()));
    let first = (
        prop::collection::vec(marked(text()), 0..3),
        prop::collection::vec(prop_oneof![user(), assistant()], 0..5),
        prop::collection::vec(tool(), 1..3),
        prop::sample::select(vec![
            None,
            Some(ToolChoice::Auto),
            Some(ToolChoice::None),
            Some(ToolChoice::Required),
            Some(ToolChoice::Named("f".to_owned())),
            Some(ToolChoice::Other {
                dialect: Dialect::Chat,
                raw: Raw::parse(br#"{"type":"allowed_tools","allowed_tools":{}}"#).unwrap(),
            }),
        ]),
        prop::option::of(any::<bool>()),
        (raw("0.70"), raw("1"), raw("40"), raw("-2.0"), raw("7")),
        (raw(r#"{"50256":-100}"#), prop::option::of(any::<bool>())),
        format(),
    );
    let budget = prop::option::of(prop::sample::select(vec![
        ReasoningMode::Off,
        ReasoningMode::Adaptive,
        ReasoningMode::Budget(5000),
    ]));
    let effort = prop::option::of(prop::sample::select(Effort::ALL.to_vec()));
    let second = (
        prop::option::of(1_u64..100_000),
        prop::option::of(1_u64..5),
        prop::collection::vec(any_text(), 0..3),
        (budget, effort),
        prop::option::of(word()),
        extensions(Dialect::Chat, &["x_meta"]),
        (any::<bool>(), any::<bool>()),
        extensions(Dialect::Chat, &["prediction", "store", "x_future"]),
    );
    (first, second)
        .prop_map(|(first, second)| {
            let (system, messages, tools, tool_choice, parallel, numbers, bias, format) = first;
            let (max, n, stop, (mode, effort), user, metadata, (stream, usage), extensions) =
                second;
            let leading_messages = usize::from(!system.is_empty());
            let mut messages = messages;
            // A first message of the system would become the prompt.
            messages.insert(0, message(Role::User, vec![Block::text("hi")]));
            let (temperature, top_p, top_k, presence_penalty, seed) = numbers;
            let (logit_bias, logprobs) = bias;
            let reasoning = Reasoning {
                mode,
                effort,
                display: mode.map(|_| "summarized".to_owned()),
            };
            Request {
                model: "m".to_owned(),
                system,
                leading_messages,
                messages,
                tools,
                tool_choice,
                parallel_tool_calls: parallel,
                max_output_tokens: max,
                n,
                stop,
                sampling: Sampling {
                    temperature,
                    top_p,
                    top_k,
                    presence_penalty,
                    seed,
                    logit_bias,
                    logprobs,
                    top_logprobs: logprobs.map(|_| 3),
                    ..Sampling::default()
                },
                reasoning: Some(reasoning).filter(|said| *said != Reasoning::default()),
                format,
                verbosity: user.clone(),
                modalities: vec!["text".to_owned()],
                user,
                metadata,
                stream,
                wants_stream_usage: stream && usage,
                extensions,
                ..Request::default()
            }
        })
        .boxed()
}

fn choice(index: u32) -> BoxedStrategy<Choice> {
    let thought = prop_oneof![thinking(true), redacted()];
    let refusal = said().prop_map(Content::Refusal);
    let call = prop_oneof![3 => tool_call(), 1 => custom_call()];
    let stop = prop::sample::select(vec![
        StopReason::MaxTokens,
        StopReason::ToolUse,
        StopReason::Refusal,
    ]);
    (
        prop::collection::vec(thought, 0..3),
        prop::option::of(text()),
        prop::option::weighted(0.2, refusal),
        prop::collection::vec(call, 0..3),
        stop,
    )
        .prop_map(move |(thoughts, text, refusal, mut calls, reason)| {
            for (place, call) in calls.iter_mut().enumerate() {
                if let Content::ToolCall(call) = call {
                    call.id = format!("{}_{place}", call.id);
                }
            }
            let content = thoughts.into_iter().chain(text).chain(refusal).chain(calls);
            Choice {
                index,
                content: content.map(Block::plain).collect(),
                stop: Some(reason.into()),
                ..Choice::default()
            }
        })
        .boxed()
}

fn answer() -> BoxedStrategy<Answer> {
    let choices = prop_oneof![
        choice(0).prop_map(|one| vec![one]),
        (choice(0), choice(1)).prop_map(|(one, other)| vec![one, other]),
    ];
    (choices, report())
        .prop_map(|(choices, usage)| Answer {
            id: "chatcmpl-1".to_owned(),
            model: "m".to_owned(),
            created: Some(1_700_000_000),
            choices,
            usage: Some(usage),
            ..Answer::default()
        })
        .boxed()
}

fn streamed(answer: &Answer, size: usize) -> Vec<u8> {
    let mut encoder = Encoder::new(StreamForm {
        model: "m".to_owned(),
        id: "x".to_owned(),
        created: 1,
        wants_usage: true,
    });
    let mut bytes = Vec::new();
    for event in play(answer, size) {
        encoder.event(event, &mut bytes);
    }
    assert_eq!(encoder.not_carried(), &[]);
    bytes
}

proptest! {
    #[test]
    fn requests(request in request()) {
        let encoded = encode_request(&request, &generous()).expect("nothing to refuse");
        prop_assert_eq!(&encoded.not_carried, &vec![]);
        let decoded = decode_request(&encoded.body.clone().into()).expect("what was encoded");
        prop_assert_eq!(decoded, request);
    }

    #[test]
    fn answers(mut answer in answer(), logprobs in prop::option::of(object())) {
        answer.choices[0].logprobs = logprobs;
        let (body, notes) = encode_answer(&answer, 0);
        prop_assert_eq!(&notes, &vec![]);
        prop_assert_eq!(decode_answer(&body).expect("what was encoded"), answer);
    }

    #[test]
    fn a_stream_put_together_is_the_whole_answer(
        answer in answer(),
        size in 1_usize..5,
        places in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let bytes = streamed(&answer, size);
        prop_assert_eq!(grammar::offence(&bytes, true), None);
        let mut decoder = Decoder::new("x", Ending::WithReason);
        let mut events = Vec::new();
        for read in cut(&bytes, &places) {
            decoder.feed(&read, &mut events);
        }
        decoder.finish(&mut events);
        let mut found = assemble(&events);
        let mut answer = answer;
        for choice in found.choices.iter_mut().chain(&mut answer.choices) {
            empty_custom_inputs(choice);
        }
        prop_assert_eq!(found, answer);
    }

    #[test]
    fn usage_counts(counts in prop::collection::vec(0_u64..1_000_000, 12), searches in 0_u64..9) {
        let &[input, cache_read, cache_write_5m, cache_write_1h, input_audio, input_image, input_video, output, reasoning, output_audio, output_image, output_video] = counts.as_slice() else { unreachable!() };
        let usage = Usage { input, cache_read, cache_write_5m, cache_write_1h, input_audio, input_image, input_video, output, reasoning, output_audio, output_image, output_video };
        let answer = Answer {
            usage: Some(UsageReport {
                counts: ParsedUsage { usage, web_searches: searches, ..ParsedUsage::default() },
                extras: Extensions::default(),
            }),
            ..Answer::default()
        };
        let (body, _) = encode_answer(&answer, 0);
        prop_assert_eq!(decode_answer(&body).expect("an answer").usage, answer.usage);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_request(&bytes.clone().into());
        let _ = decode_answer(&bytes);
        let _ = decode_error(&bytes, Some(400));
    }

    #[test]
    fn broken_bodies(request in request(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = encode_request(&request, &generous()).expect("nothing to refuse").body;
        let at = at.index(body.len());
        body[at] = byte;
        if let Ok(request) = decode_request(&body.clone().into()) {
            let _ = encode_request(&request, &generous());
        }
        let _ = decode_request(&Bytes::copy_from_slice(&body[..at]));
    }
}

/// Where nothing was said, an assembled call has `{}`.
fn empty_custom_inputs(choice: &mut Choice) {
    for block in &mut choice.content {
        if let Content::ToolCall(call) = &mut block.content
            && call.kind == ToolCallKind::Custom
            && call.arguments == "{}"
        {
            call.arguments.clear();
        }
    }
}
