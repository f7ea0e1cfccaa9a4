//! What is written is read as it was: answers, streams and requests.

use bytes::Bytes;
use proptest::prelude::*;

use super::{head, json as parsed};
use crate::protocol::neutral::testing::*;
use crate::protocol::neutral::*;
use crate::protocol::openai_responses::stream::{Decoder, Encoder, grammar::offence};
use crate::protocol::openai_responses::{
    Asked, Target, decode_answer, decode_request, encode_answer, encode_request,
};

fn upstream() -> Target<'static> {
    Target {
        model: "m",
        highest_effort: Some(Effort::Max),
        takes_sampling: true,
        searches_web: true,
        deployment: "d",
    }
}

/// A signature of OpenAI's: an item's id and what it has encrypted.
fn proof() -> BoxedStrategy<String> {
    ("rs_[a-z0-9]{1,6}", "[A-Za-z0-9+/=:]{4,20}")
        .prop_map(|(id, encrypted)| proof::of_reasoning_item(&id, &encrypted))
        .boxed()
}

fn with_ids(mut answer: Answer) -> Answer {
    answer.id = "resp_1".to_owned();
    answer.created = Some(7);
    answer
}

/// What the items make of thoughts: ids are the gateway's own, and a thought of nothing is none.
fn normal(mut answer: Answer) -> Answer {
    for choice in &mut answer.choices {
        for block in &mut choice.content {
            if let Content::Thinking {
                signature: Some(signature),
                ..
            } = &mut block.content
                && let proof::Proof::Responses(item) = proof::Proof::of(signature)
            {
                *signature = proof::of_reasoning_item("", item.encrypted);
            }
        }
    }
    answer.service_tier = None;
    answer
}

proptest! {
    #[test]
    fn answers(answer in shared_answer(true), proof in proof(), other in any::<bool>()) {
        let mut answer = with_ids(answer);
        for block in &mut answer.choices[0].content {
            if let Content::Thinking { signature, .. } = &mut block.content && other {
                *signature = Some(proof.clone());
            }
        }
        let (body, notes) = encode_answer(&answer, head(Asked::default()));
        prop_assert_eq!(notes, vec![]);
        prop_assert_eq!(normal(decode_answer(&body).unwrap()), normal(answer));
    }

    #[test]
    fn streams(
        answer in shared_answer(true),
        size in 1_usize..6,
        places in prop::collection::vec(any::<usize>(), 0..30),
    ) {
        let answer = with_ids(answer);
        let mut encoder = Encoder::new(head(Asked::default()));
        let mut bytes = Vec::new();
        for event in play(&answer, size) {
            encoder.event(event, &mut bytes);
        }
        prop_assert_eq!(offence(&bytes, true), None);
        let mut decoder = Decoder::default();
        let mut events = Vec::new();
        for read in cut(&bytes, &places) {
            decoder.feed(&read, &mut events);
        }
        decoder.finish(&mut events);
        prop_assert_eq!(normal(assemble(&events)), normal(answer));
    }

    #[test]
    fn requests(request in request()) {
        let encoded = encode_request(&request, &upstream()).unwrap();
        prop_assert_eq!(&encoded.not_carried, &vec![]);
        let (found, _) = decode_request(&encoded.body.clone().into()).unwrap();
        prop_assert_eq!(found, request);
    }
}

// === requests that the protocol can tell whole ===

fn message(role: Role, content: Vec<Block>) -> Message {
    Message {
        role,
        content,
        name: None,
        extensions: Extensions::default(),
    }
}

fn part() -> BoxedStrategy<Content> {
    let source = prop_oneof![
        Just(Source::Url("https://x/y.png".to_owned())),
        Just(Source::Base64 {
            media_type: "image/png".to_owned(),
            data: "QUJD".to_owned()
        }),
        Just(Source::File("file-1".to_owned())),
    ];
    let detail = prop::sample::select(vec!["low", "auto"]);
    let image = (source, detail).prop_map(|(source, detail)| Content::Image {
        source,
        detail: Some(detail.to_owned()),
    });
    let file = prop::sample::select(vec![
        Source::Url("https://x/y.pdf".to_owned()),
        Source::File("file-2".to_owned()),
        Source::Base64 {
            media_type: "application/pdf".to_owned(),
            data: "QUJD".to_owned(),
        },
    ]);
    let file = file.prop_map(|source| Content::Document {
        source,
        title: Some("t.pdf".to_owned()),
        context: None,
        cited: false,
    });
    prop_oneof![4 => text(), 1 => image, 1 => file].boxed()
}

fn plain(content: Vec<Content>) -> Vec<Block> {
    content.into_iter().map(Block::plain).collect()
}

fn calls() -> BoxedStrategy<Vec<ToolCall>> {
    let call = (word(), object(), any::<bool>(), any_text());
    prop::collection::vec(call, 1..3)
        .prop_map(|calls| {
            let calls = calls.into_iter().enumerate();
            calls
                .map(|(place, (name, arguments, custom, text))| ToolCall {
                    id: format!("call_{place}"),
                    name,
                    arguments: if custom {
                        text
                    } else {
                        arguments.as_str().to_owned()
                    },
                    kind: if custom {
                        ToolCallKind::Custom
                    } else {
                        ToolCallKind::Function
                    },
                })
                .collect()
        })
        .boxed()
}

fn turn() -> BoxedStrategy<Vec<Message>> {
    let asked = prop::collection::vec(part(), 1..3)
        .prop_map(|content| vec![message(Role::User, plain(content))]);
    let thought = (said(), proof()).prop_map(|(text, signature)| Content::Thinking {
        text,
        signature: Some(signature),
    });
    let answered = (
        prop::option::of(thought),
        prop::option::of(said()),
        calls(),
        said(),
    )
        .prop_map(|(thought, said, calls, result)| {
            let mut content: Vec<Content> = thought.into_iter().collect();
            content.extend(said.map(|text| Content::Text {
                text: text.into(),
                citations: vec![],
            }));
            let results = calls.iter().map(|call| {
                Content::ToolResult(ToolResult {
                    call: call.id.clone(),
                    content: vec![Block::text(result.clone())],
                    is_error: false,
                })
            });
            let results = plain(results.collect());
            content.extend(calls.into_iter().map(Content::ToolCall));
            vec![
                message(Role::Assistant, plain(content)),
                message(Role::User, results),
            ]
        });
    let told = said().prop_map(|text| vec![message(Role::System, vec![Block::text(text)])]);
    prop_oneof![2 => asked, 2 => answered, 1 => told].boxed()
}

fn tool() -> BoxedStrategy<ToolKind> {
    let function = (
        word(),
        prop::option::of(any_text()),
        object(),
        any::<bool>(),
    )
        .prop_map(
            |(name, description, parameters, strict)| ToolKind::Function {
                name,
                description,
                parameters: Some(parameters),
                strict: Some(strict),
            },
        );
    let custom = (word(), prop::option::of(object())).prop_map(|(name, format)| ToolKind::Custom {
        name,
        description: None,
        format,
    });
    let hosted = Just(ToolKind::Provided {
        dialect: Dialect::Responses,
        kind: "mcp".to_owned(),
        raw: Raw::parse(br#"{"type":"mcp","server_label":"s"}"#).unwrap(),
    });
    prop_oneof![3 => function, 1 => custom, 1 => hosted].boxed()
}

prop_compose! {
    fn request()(
        system in prop::collection::vec(said(), 0..3),
        first in prop::collection::vec(part(), 1..3),
        turns in prop::collection::vec(turn(), 0..4),
        tools in prop::collection::vec(tool(), 0..4),
        search in any::<bool>(),
        parallel in prop::option::of(any::<bool>()),
        most in prop::option::of(16_u64..1000),
        temperature in prop::option::of(prop::sample::select(vec!["0", "0.50", "1"])),
        effort in prop::option::of(prop::sample::select(Effort::ALL.to_vec())),
        verbosity in prop::option::of(Just("low".to_owned())),
        format in prop::option::of(prop_oneof![
            Just(OutputFormat::Text),
            Just(OutputFormat::Json),
            object().prop_map(|schema| OutputFormat::Schema {
                name: Some("n".to_owned()),
                description: None,
                schema,
                strict: Some(true),
            }),
        ]),
        stream in any::<bool>(),
        extensions in extensions(Dialect::Responses, &["max_tool_calls", "x_new"]),
    ) -> Request {
        let mut seen = std::collections::HashSet::new();
        let tools: Vec<Tool> = tools
            .into_iter()
            .filter(|kind| kind.name().is_none_or(|name| seen.insert(name.to_owned())))
            .map(|kind| Tool { kind, cache: None, extensions: Extensions::default() })
            .collect();
        // A search alone is a tool too.
        let search = search.then(|| Raw::parse(br#"{"search_context_size":"low"}"#).unwrap());
        let choice = tools.first().and_then(|tool| tool.kind.name()).map(|name| ToolChoice::Named(name.to_owned()));
        let has_tools = !tools.is_empty() || search.is_some();
        let mut messages = vec![message(Role::User, plain(first))];
        messages.extend(turns.into_iter().flatten());
        Request {
            model: "m".to_owned(),
            system: system.into_iter().map(Block::text).collect(),
            messages,
            tools,
            tool_choice: choice,
            parallel_tool_calls: parallel.filter(|_| has_tools),
            max_output_tokens: most,
            sampling: Sampling {
                temperature: temperature.and_then(|number| Raw::parse(number.as_bytes())),
                ..Sampling::default()
            },
            reasoning: effort.filter(|effort| *effort != Effort::None).map(|effort| Reasoning {
                effort: Some(effort),
                ..Reasoning::default()
            }),
            format,
            verbosity,
            web_search: search,
            stream,
            wants_stream_usage: true,
            extensions,
            ..Request::default()
        }
    }
}

#[test]
fn what_a_chat_and_a_claude_code_ask_of_openai() {
    let body = br#"{"model":"x","messages":[{"role":"system","content":"s"},{"role":"user","content":"u"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1.0}"}}]},{"role":"tool","tool_call_id":"c1","content":"r"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"max_tokens":5,"stop":["x"],"seed":1,"logprobs":true,"top_logprobs":2,"reasoning_effort":"low","stream":true}"#;
    let request =
        crate::protocol::openai_chat::decode_request(&Bytes::copy_from_slice(body)).unwrap();
    let encoded = encode_request(&request, &upstream()).unwrap();
    assert_eq!(
        parsed(&encoded.body),
        serde_json::json!({
            "model": "m",
            "instructions": "s",
            "input": [
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "u"}]},
                {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"a\":1.0}"},
                {"type": "function_call_output", "call_id": "c1", "output": "r"},
            ],
            "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": false}],
            "max_output_tokens": 16,
            "top_logprobs": 2,
            "stream": true,
            "reasoning": {"effort": "low"},
            "store": false,
            "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        })
    );
    let left: Vec<_> = encoded
        .not_carried
        .iter()
        .map(|note| (note.field.as_str(), note.why))
        .collect();
    assert_eq!(
        left,
        [
            ("seed", Why::Unsupported),
            ("stop", Why::Unsupported),
            ("max_tokens", Why::Approximated),
        ]
    );
    let body = br#"{"model":"x","max_tokens":99,"thinking":{"type":"adaptive"},"system":[{"type":"text","text":"x-anthropic-billing-header: 1"},{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"u"},{"role":"assistant","content":[{"type":"thinking","thinking":"Hm","signature":"openai-responses::rs_1:gAAA"},{"type":"thinking","thinking":"Ho","signature":"EqQB"},{"type":"tool_use","id":"t1","name":"Read","input":{"p":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","is_error":true,"content":[{"type":"text","text":"no"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUJD"}}]},{"type":"text","text":"go on"}]}],"tools":[{"name":"Read","input_schema":{"type":"object"}},{"type":"web_search_20250305","name":"web_search","user_location":{"type":"approximate","country":"DE"},"max_uses":3}]}"#;
    let request =
        crate::protocol::anthropic::decode_request(&Bytes::copy_from_slice(body)).unwrap();
    let encoded = encode_request(&request, &upstream()).unwrap();
    let body = parsed(&encoded.body);
    assert_eq!(body["instructions"], "s");
    assert_eq!(
        body["input"],
        serde_json::json!([
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "u"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "gAAA"},
            {"type": "function_call", "call_id": "t1", "name": "Read", "arguments": "{\"p\":1}"},
            {"type": "function_call_output", "call_id": "t1", "output": [
                {"type": "input_text", "text": "The tool failed: "},
                {"type": "input_text", "text": "no"},
                {"type": "input_image", "image_url": "data:image/png;base64,QUJD", "detail": "auto"},
            ]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go on"}]},
        ])
    );
    assert_eq!(
        body["tools"][1],
        serde_json::json!({"type": "web_search", "user_location": {"type": "approximate", "country": "DE"}})
    );
    assert_eq!(
        body["reasoning"],
        serde_json::json!({"effort": "medium", "summary": "auto"})
    );
    let left: Vec<_> = encoded
        .not_carried
        .iter()
        .map(|note| (note.field.as_str(), note.why))
        .collect();
    assert_eq!(
        left,
        [
            ("system.0", Why::Hint),
            ("cache_control", Why::Hint),
            ("messages.1.content.1", Why::OtherProvider),
            ("messages.2.content.0.is_error", Why::Approximated),
            ("tools.1.max_uses", Why::Unsupported),
        ]
    );
}

#[test]
fn what_cannot_be_asked_of_openai() {
    for (body, field) in [
        (
            r#"{"model":"x","messages":[{"role":"user","content":"u"}],"n":2}"#,
            "n",
        ),
        (
            r#"{"model":"x","messages":[{"role":"user","content":"u"}],"modalities":["audio"]}"#,
            "modalities",
        ),
        (
            r#"{"model":"x","messages":[{"role":"user","content":[{"type":"video_url"}]}]}"#,
            "messages.0.content.0",
        ),
        (
            r#"{"model":"x","messages":[{"role":"user","content":"u"}],"tools":[{"type":"bash_20250124","name":"bash"}]}"#,
            "tools.0",
        ),
        (
            r#"{"model":"x","messages":[{"role":"user","content":"u"}],"web_search_options":{}}"#,
            "web_search_options",
        ),
    ] {
        let request =
            crate::protocol::openai_chat::decode_request(&Bytes::copy_from_slice(body.as_bytes()))
                .unwrap();
        let target = Target {
            searches_web: false,
            ..upstream()
        };
        let refused = encode_request(&request, &target).unwrap_err();
        assert_eq!(refused.field, field);
    }
}
