//! What the tests of the translators share: generators, an answer as events, and events as an answer.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::protocol::openai::usage::ParsedUsage;
use crate::types::Usage;

// === streams and answers ===

/// The events of a stream that tells this answer, texts in pieces of at most `size` characters.
pub fn play(answer: &Answer, size: usize) -> Vec<Event> {
    let mut events = vec![Event::Start {
        id: answer.id.clone(),
        model: answer.model.clone(),
        created: answer.created,
    }];
    for choice in &answer.choices {
        for (number, block) in choice.content.iter().enumerate() {
            let number = u32::try_from(number).unwrap();
            events.extend(play_block(choice.index, number, &block.content, size));
        }
        if let Some(stop) = &choice.stop {
            events.push(Event::Finish {
                choice: choice.index,
                stop: stop.clone(),
            });
        }
    }
    events.extend(answer.usage.clone().map(Event::Usage));
    events.push(Event::End);
    events
}

fn play_block(choice: u32, block: u32, content: &Content, size: usize) -> Vec<Event> {
    let pieces = |text: &str| -> Vec<String> {
        let letters: Vec<char> = text.chars().collect();
        letters
            .chunks(size.max(1))
            .map(|piece| piece.iter().collect())
            .collect()
    };
    let all = |text: &str, delta: fn(String) -> Delta| -> Vec<Delta> {
        pieces(text).into_iter().map(delta).collect()
    };
    let (opening, deltas) = match content {
        Content::Text { text, citations } => {
            let mut deltas = all(&text.said(), Delta::Text);
            deltas.extend(citations.iter().cloned().map(Delta::Citation));
            (Opening::Text, deltas)
        }
        Content::Refusal(text) => (Opening::Refusal, all(text, Delta::Text)),
        Content::Thinking { text, signature } => {
            let mut deltas = all(text, Delta::Thinking);
            deltas.extend(signature.clone().map(Delta::Signature));
            (Opening::Thinking, deltas)
        }
        Content::RedactedThinking(data) => (Opening::RedactedThinking(data.clone()), vec![]),
        Content::ToolCall(call) => (
            Opening::ToolCall {
                id: call.id.clone(),
                name: call.name.clone(),
                kind: call.kind,
            },
            all(&call.arguments, Delta::Arguments),
        ),
        Content::ServerCall(call) => (
            Opening::ServerCall {
                id: call.id.clone(),
                name: call.name.clone(),
            },
            all(&call.input, Delta::Arguments),
        ),
        Content::ServerResult(result) => (Opening::ServerResult(result.clone()), vec![]),
        other => panic!("no block of an answer: {other:?}"),
    };
    let mut events = vec![Event::BlockStart {
        choice,
        block,
        opening,
    }];
    events.extend(deltas.into_iter().map(|delta| Event::BlockDelta {
        choice,
        block,
        delta,
    }));
    events.push(Event::BlockStop { choice, block });
    events
}

/// The answer that a stream tells; the last event of a whole one is `End`.
pub fn assemble(events: &[Event]) -> Answer {
    let mut answer = Answer::default();
    let mut blocks: BTreeMap<(u32, u32), Content> = BTreeMap::new();
    let mut stops = BTreeMap::new();
    assert_eq!(events.last(), Some(&Event::End), "{events:?}");
    for event in events {
        match event {
            Event::Start { id, model, created } => {
                answer.id.clone_from(id);
                answer.model.clone_from(model);
                answer.created = *created;
            }
            Event::BlockStart {
                choice,
                block,
                opening,
            } => {
                let begun = blocks.insert((*choice, *block), begin(opening));
                assert_eq!(begun, None, "a block begins twice");
            }
            Event::BlockDelta {
                choice,
                block,
                delta,
            } => add(
                blocks.get_mut(&(*choice, *block)).expect("an open block"),
                delta,
            ),
            Event::Usage(usage) => answer.usage = Some(usage.clone()),
            Event::Finish { choice, stop } => {
                let said = stops.insert(*choice, stop.clone());
                assert_eq!(said, None, "a choice ends twice");
            }
            Event::Error(failure) => panic!("{failure:?}"),
            Event::BlockStop { .. } | Event::Ping | Event::End | Event::Unknown { .. } => {}
        }
    }
    for ((index, _), mut content) in blocks {
        if let Content::ToolCall(call) = &mut content
            && call.arguments.is_empty()
        {
            call.arguments.push_str("{}");
        }
        if answer
            .choices
            .last()
            .is_none_or(|choice| choice.index != index)
        {
            answer.choices.push(Choice {
                index,
                ..Choice::default()
            });
        }
        let choice = answer.choices.last_mut().expect("a choice");
        choice.content.push(Block::plain(content));
    }
    for (index, stop) in stops {
        match answer
            .choices
            .iter_mut()
            .find(|choice| choice.index == index)
        {
            Some(choice) => choice.stop = Some(stop),
            None => answer.choices.push(Choice {
                index,
                stop: Some(stop),
                ..Choice::default()
            }),
        }
    }
    answer.choices.sort_by_key(|choice| choice.index);
    answer
}

fn begin(opening: &Opening) -> Content {
    match opening.clone() {
        Opening::Text => Content::Text {
            text: Text::from(""),
            citations: vec![],
        },
        Opening::Refusal => Content::Refusal(String::new()),
        Opening::Thinking => Content::Thinking {
            text: String::new(),
            signature: None,
        },
        Opening::RedactedThinking(data) => Content::RedactedThinking(data),
        Opening::ToolCall { id, name, kind } => Content::ToolCall(ToolCall {
            id,
            name,
            arguments: String::new(),
            kind,
        }),
        Opening::ServerCall { id, name } => Content::ServerCall(ServerCall {
            id,
            name,
            input: String::new(),
        }),
        Opening::ServerResult(result) => Content::ServerResult(result),
        Opening::Image(url) => Content::Image {
            source: Source::Url(url),
            detail: None,
        },
        Opening::Audio(id) => Content::Audio {
            id: Some(id),
            data: String::new(),
            format: None,
            transcript: None,
        },
        Opening::Unknown { dialect, kind, raw } => Content::Unknown { dialect, kind, raw },
    }
}

fn add(content: &mut Content, delta: &Delta) {
    match (content, delta) {
        (Content::Text { text, .. }, Delta::Text(more)) => {
            *text = (text.said().into_owned() + more).into();
        }
        (Content::Refusal(text), Delta::Text(more))
        | (Content::Thinking { text, .. }, Delta::Thinking(more)) => text.push_str(more),
        (Content::Text { citations, .. }, Delta::Citation(citation)) => {
            citations.push(citation.clone());
        }
        (Content::Thinking { signature, .. }, Delta::Signature(more)) => {
            signature.get_or_insert_default().push_str(more);
        }
        (Content::ToolCall(call), Delta::Arguments(more)) => call.arguments.push_str(more),
        (Content::ServerCall(call), Delta::Arguments(more)) => call.input.push_str(more),
        (Content::Audio { data, .. }, Delta::Audio(more)) => data.push_str(more),
        (Content::Audio { transcript, .. }, Delta::Transcript(more)) => {
            transcript.get_or_insert_default().push_str(more);
        }
        (content, delta) => panic!("{content:?} got {delta:?}"),
    }
}

// === what crosses ===

/// The events in another order of the calls' deltas, each call's own kept.
pub fn interleaved(events: Vec<Event>, order: &[u8]) -> Vec<Event> {
    let of_call = |event: &Event| match event {
        Event::BlockDelta {
            block,
            delta: Delta::Arguments(_),
            ..
        } => Some(*block),
        _ => None,
    };
    let mut queues: Vec<Vec<Event>> = Vec::new();
    let mut head = Vec::new();
    let mut tail = Vec::new();
    for event in events {
        match (&event, of_call(&event)) {
            (_, Some(_)) => match queues.last_mut() {
                Some(queue) if queue.first().and_then(of_call) == of_call(&event) => {
                    queue.push(event);
                }
                _ => queues.push(vec![event]),
            },
            (Event::Finish { .. } | Event::Usage(_) | Event::End, _) => tail.push(event),
            (Event::BlockStop { .. }, _) if !queues.is_empty() => tail.push(event),
            _ => head.push(event),
        }
    }
    tail.sort_by_key(|event| !matches!(event, Event::BlockStop { .. }));
    for pick in order.iter().cycle().take(100_000) {
        if queues.is_empty() {
            break;
        }
        let place = usize::from(*pick) % queues.len();
        head.push(queues[place].remove(0));
        queues.retain(|queue| !queue.is_empty());
    }
    for queue in queues {
        head.extend(queue);
    }
    head.extend(tail);
    head
}

/// What a client sees of an answer, however it is cut into blocks.
#[derive(Debug, Default, PartialEq)]
pub struct Seen {
    pub text: String,
    pub thoughts: String,
    pub signatures: Vec<String>,
    /// Id, name, arguments.
    pub calls: Vec<(String, String, String)>,
}

pub fn seen(answer: &Answer) -> Seen {
    let mut seen = Seen::default();
    for block in answer.choices.iter().flat_map(|choice| &choice.content) {
        match &block.content {
            Content::Text { text, .. } => seen.text.push_str(&text.said()),
            Content::Thinking { text, signature } => {
                seen.thoughts.push_str(text);
                seen.signatures.extend(signature.clone());
            }
            Content::ToolCall(call) => {
                let arguments = match call.arguments.as_str() {
                    "" => "{}".to_owned(),
                    said => said.to_owned(),
                };
                seen.calls
                    .push((call.id.clone(), call.name.clone(), arguments));
            }
            other => panic!("{other:?}"),
        }
    }
    seen
}

// === generators ===

/// Any text, with what JSON and SSE have to escape.
pub fn any_text() -> BoxedStrategy<String> {
    "[a-z\\n\\r\"\\\\\u{0}\u{7f}é😀 {}:]{0,12}".boxed()
}

/// A text that is not blank and ends in a letter.
pub fn said() -> BoxedStrategy<String> {
    "[a-z\\n\"\\\\é😀 ]{0,8}[a-zé]".boxed()
}

pub fn word() -> BoxedStrategy<String> {
    "[a-z_]{1,8}".boxed()
}

/// JSON that is written as nobody would write it.
pub fn object() -> BoxedStrategy<Raw> {
    let texts = [
        "{}",
        r#"{"a":1.50,"b":[ 1e2 ]}"#,
        r#"{ "z":"\u00e9", "a":{"big":123456789012345678901234567890} }"#,
        r#"{"path":"C:\\x","text":"line\nline"}"#,
    ];
    let raw = |text: &'static str| Raw::parse(text.as_bytes()).expect("JSON");
    prop::sample::select(texts.map(raw).to_vec()).boxed()
}

/// At most one of each name.
pub fn extensions(dialect: Dialect, names: &'static [&'static str]) -> BoxedStrategy<Extensions> {
    prop::collection::vec(any::<bool>(), names.len())
        .prop_flat_map(|wanted| (Just(wanted), object()))
        .prop_map(move |(wanted, value)| {
            let wanted = names.iter().zip(wanted).filter(|(_, wanted)| *wanted);
            Extensions(
                wanted
                    .map(|(name, _)| Extension {
                        dialect,
                        name: (*name).to_owned(),
                        value: value.clone(),
                    })
                    .collect(),
            )
        })
        .boxed()
}

pub fn cache() -> BoxedStrategy<Option<CacheControl>> {
    let lifetime = prop::option::of(prop::sample::select(vec![
        Lifetime::FiveMinutes,
        Lifetime::OneHour,
    ]));
    let mark = (lifetime, extensions(Dialect::Anthropic, &["scope"]));
    prop::option::weighted(
        0.3,
        mark.prop_map(|(lifetime, extensions)| CacheControl {
            lifetime,
            extensions,
        }),
    )
    .boxed()
}

/// A block of this content, perhaps with a mark.
pub fn marked(content: impl Strategy<Value = Content> + 'static) -> BoxedStrategy<Block> {
    (content, cache())
        .prop_map(|(content, cache)| Block {
            content,
            cache,
            extensions: Extensions::default(),
        })
        .boxed()
}

pub fn text() -> BoxedStrategy<Content> {
    said()
        .prop_map(|text| Content::Text {
            text: text.into(),
            citations: vec![],
        })
        .boxed()
}

/// A call of a function, whose arguments are an object.
pub fn tool_call() -> BoxedStrategy<Content> {
    ("call_[a-z0-9]{6}", word(), object())
        .prop_map(|(id, name, arguments)| {
            Content::ToolCall(ToolCall {
                id,
                name,
                arguments: arguments.as_str().to_owned(),
                kind: ToolCallKind::Function,
            })
        })
        .boxed()
}

pub fn thinking(signed: bool) -> BoxedStrategy<Content> {
    (any_text(), "[A-Za-z0-9+/=]{4,20}")
        .prop_map(move |(text, signature)| Content::Thinking {
            text: format!("{text}."),
            signature: signed.then_some(signature),
        })
        .boxed()
}

pub fn redacted() -> BoxedStrategy<Content> {
    "[A-Za-z0-9+/=]{4,20}"
        .prop_map(Content::RedactedThinking)
        .boxed()
}

/// Counts in the buckets that both protocols have.
pub fn usage() -> BoxedStrategy<Usage> {
    let count = || prop_oneof![Just(0_u64), 0_u64..100_000];
    (count(), count(), count(), count(), count(), count())
        .prop_map(|(input, read, five, hour, output, reasoning)| Usage {
            input,
            cache_read: read,
            cache_write_5m: five,
            cache_write_1h: hour,
            output,
            reasoning,
            ..Usage::default()
        })
        .boxed()
}

pub fn report() -> BoxedStrategy<UsageReport> {
    usage()
        .prop_map(|usage| UsageReport {
            counts: ParsedUsage {
                usage,
                ..ParsedUsage::default()
            },
            extras: Extensions::default(),
        })
        .boxed()
}

/// Answers that both protocols can tell: thoughts, then text, then calls with ids of their own.
pub fn shared_answer(signed: bool) -> BoxedStrategy<Answer> {
    let thoughts = prop::collection::vec(thinking(signed), 0..2);
    let texts = prop::collection::vec(text(), 0..2);
    let calls = prop::collection::vec(tool_call(), 0..4);
    let stop = prop::sample::select(vec![StopReason::EndTurn, StopReason::MaxTokens]);
    (thoughts, texts, calls, stop, report())
        .prop_map(|(thoughts, texts, mut calls, stop, usage)| {
            for (place, call) in calls.iter_mut().enumerate() {
                if let Content::ToolCall(call) = call {
                    call.id = format!("{}_{place}", call.id);
                }
            }
            let has_calls = !calls.is_empty();
            let content = thoughts.into_iter().chain(texts).chain(calls);
            let stop = match stop {
                StopReason::EndTurn if has_calls => StopReason::ToolUse,
                stop => stop,
            };
            Answer {
                id: "msg_1".to_owned(),
                model: "m".to_owned(),
                choices: vec![Choice {
                    content: content.map(Block::plain).collect(),
                    stop: Some(stop.into()),
                    ..Choice::default()
                }],
                usage: Some(usage),
                ..Answer::default()
            }
        })
        .boxed()
}

fn opening() -> BoxedStrategy<Opening> {
    let raw = || Raw::parse(b"{\"a\":1}").expect("JSON");
    prop_oneof![
        4 => Just(Opening::Text),
        1 => Just(Opening::Refusal),
        3 => Just(Opening::Thinking),
        1 => Just(Opening::RedactedThinking("ZZ".to_owned())),
        4 => (any_text(), any_text(), any::<bool>()).prop_map(|(id, name, custom)| Opening::ToolCall {
            id,
            name,
            kind: if custom { ToolCallKind::Custom } else { ToolCallKind::Function },
        }),
        1 => Just(Opening::ServerCall { id: "srvtoolu_1".to_owned(), name: "web_search".to_owned() }),
        1 => Just(Opening::ServerResult(ServerResult {
            kind: "web_search_tool_result".to_owned(),
            call: "srvtoolu_1".to_owned(),
            content: raw(),
        })),
        1 => Just(Opening::Image("data:image/png;base64,AA".to_owned())),
        1 => Just(Opening::Audio("audio_1".to_owned())),
        1 => Just(Opening::Unknown { dialect: Dialect::Chat, kind: "odd".to_owned(), raw: raw() }),
    ]
    .boxed()
}

fn delta() -> BoxedStrategy<Delta> {
    let citation = |dialect| Citation {
        dialect,
        raw: Raw::parse(b"{\"type\":\"x\"}").expect("JSON"),
        url: None,
        title: None,
    };
    prop_oneof![
        any_text().prop_map(Delta::Text),
        any_text().prop_map(Delta::Thinking),
        any_text().prop_map(Delta::Signature),
        any_text().prop_map(Delta::Arguments),
        any_text().prop_map(Delta::Audio),
        any_text().prop_map(Delta::Transcript),
        Just(Delta::Citation(citation(Dialect::Chat))),
        Just(Delta::Citation(citation(Dialect::Anthropic))),
        Just(Delta::Unknown {
            dialect: Dialect::Anthropic,
            kind: "odd_delta".to_owned(),
            raw: Raw::parse(b"{}").expect("JSON"),
        }),
    ]
    .boxed()
}

/// One event, sensible or not beside its neighbours.
pub fn any_event() -> BoxedStrategy<Event> {
    let stop = (
        prop::sample::select(vec![
            StopReason::EndTurn,
            StopReason::StopSequence,
            StopReason::PauseTurn,
            StopReason::Refusal,
        ]),
        prop::option::of(any_text()),
    );
    let choice = || prop_oneof![4 => Just(0_u32), 1 => 0_u32..3];
    prop_oneof![
        1 => any_text().prop_map(|id| Event::Start { id, model: "up".to_owned(), created: Some(7) }),
        6 => (choice(), 0_u32..4, opening())
            .prop_map(|(choice, block, opening)| Event::BlockStart { choice, block, opening }),
        10 => (choice(), 0_u32..4, delta())
            .prop_map(|(choice, block, delta)| Event::BlockDelta { choice, block, delta }),
        5 => (choice(), 0_u32..4).prop_map(|(choice, block)| Event::BlockStop { choice, block }),
        1 => report().prop_map(Event::Usage),
        1 => (choice(), stop).prop_map(|(choice, (reason, sequence))| Event::Finish {
            choice,
            stop: Stop { reason, sequence },
        }),
        1 => Just(Event::Ping),
        1 => Just(Event::Unknown {
            dialect: Dialect::Anthropic,
            name: "odd".to_owned(),
            raw: Raw::parse(b"{}").expect("JSON"),
        }),
    ]
    .boxed()
}

/// Any events; now and then a stream that fails or ends in the middle.
pub fn any_events() -> BoxedStrategy<Vec<Event>> {
    let last = prop_oneof![
        5 => any_event(),
        1 => any_text().prop_map(|text| Event::Error(Failure::new(FailureKind::Overloaded, text))),
        1 => Just(Event::End),
    ];
    prop::collection::vec(last, 0..40).boxed()
}

/// Bytes cut at these places, in order.
pub fn cut(bytes: &[u8], places: &[usize]) -> Vec<Vec<u8>> {
    let mut places: Vec<usize> = places
        .iter()
        .map(|place| place % (bytes.len() + 1))
        .collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    let pairs = places.windows(2);
    pairs.map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}
