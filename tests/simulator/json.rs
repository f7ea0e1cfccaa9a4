//! OpenAI's answer objects, with its keys in its order.

use serde::Serialize;
use serde_json::value::RawValue;

use super::Behaviour;
use super::ids::Stamp;
use super::logprobs::Logprobs;
use super::message::{Delta, Message, Said};
use super::request::Ask;

const FINGERPRINT: &str = "fp_44709d6fcb";

#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage<'a>>,
    service_tier: &'static str,
    system_fingerprint: &'static str,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    message: Message<'a>,
    logprobs: Option<Logprobs<'a>>,
    finish_reason: &'a str,
}

/// One chunk of a stream.
#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    service_tier: &'static str,
    system_fingerprint: &'static str,
    choices: Vec<Part<'a>>,
    /// `null` on every chunk but the last when usage was asked for, else absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<Usage<'a>>>,
}

/// A choice within a chunk.
#[derive(Serialize)]
pub struct Part<'a> {
    pub index: u32,
    pub delta: Delta<'a>,
    pub logprobs: Option<Logprobs<'a>>,
    pub finish_reason: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub enum Usage<'a> {
    Given(&'a RawValue),
    Counted(Counted),
}

#[derive(Serialize)]
pub struct Counted {
    prompt_tokens: usize,
    completion_tokens: usize,
    total_tokens: usize,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Default, Serialize)]
struct PromptDetails {
    cached_tokens: usize,
    audio_tokens: usize,
}

#[derive(Default, Serialize)]
struct CompletionDetails {
    reasoning_tokens: usize,
    audio_tokens: usize,
    accepted_prediction_tokens: usize,
    rejected_prediction_tokens: usize,
}

/// The finish reason of an answer.
pub fn finish_reason(behaviour: &Behaviour) -> &str {
    match &behaviour.finish_reason {
        Some(reason) => reason,
        None if behaviour.tool_calls.is_empty() => "stop",
        None => "tool_calls",
    }
}

/// A whole answer, indented as OpenAI indents it.
pub fn completion(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp) -> Vec<u8> {
    let said = Said::new(ask, behaviour);
    let choice = |index| Choice {
        index,
        message: said.message(),
        logprobs: said.logprobs(),
        finish_reason: finish_reason(behaviour),
    };
    let completion = Completion {
        id: &stamp.completion,
        object: "chat.completion",
        created: stamp.created.parse().unwrap_or_default(),
        model: &ask.model,
        choices: (0..ask.choices).map(choice).collect(),
        usage: (!behaviour.no_usage).then(|| usage(ask, behaviour)),
        service_tier: "default",
        system_fingerprint: FINGERPRINT,
    };
    serde_json::to_vec_pretty(&completion).unwrap_or_default()
}

/// A chunk with these choices.
pub fn chunk(ask: &Ask, stamp: &Stamp, choices: Vec<Part<'_>>) -> String {
    chunk_with(ask, stamp, choices, ask.include_usage.then_some(None))
}

/// The chunk that carries usage and no choice.
pub fn usage_chunk(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp) -> String {
    chunk_with(ask, stamp, Vec::new(), Some(Some(usage(ask, behaviour))))
}

fn chunk_with(
    ask: &Ask,
    stamp: &Stamp,
    choices: Vec<Part<'_>>,
    usage: Option<Option<Usage<'_>>>,
) -> String {
    let chunk = Chunk {
        id: &stamp.completion,
        object: "chat.completion.chunk",
        created: stamp.created.parse().unwrap_or_default(),
        model: &ask.model,
        service_tier: "default",
        system_fingerprint: FINGERPRINT,
        choices,
        usage,
    };
    serde_json::to_string(&chunk).unwrap_or_default()
}

/// What an answer says it took.
pub fn usage<'a>(ask: &Ask, behaviour: &'a Behaviour) -> Usage<'a> {
    if let Some(given) = &behaviour.usage {
        return Usage::Given(given);
    }
    if let Some(counts) = &behaviour.counts {
        let (prompt, completion) = (counts.all_input() as usize, counts.output as usize);
        return Usage::Counted(Counted {
            prompt_tokens: prompt,
            completion_tokens: completion,
            total_tokens: prompt + completion,
            prompt_tokens_details: PromptDetails {
                cached_tokens: counts.cache_read as usize,
                ..PromptDetails::default()
            },
            completion_tokens_details: CompletionDetails {
                reasoning_tokens: counts.thinking as usize,
                ..CompletionDetails::default()
            },
        });
    }
    let (said, thought) = Said::new(ask, behaviour).bytes();
    let choices = ask.choices as usize;
    let completion_tokens = said.div_ceil(4) * choices;
    Usage::Counted(Counted {
        prompt_tokens: ask.prompt_tokens,
        completion_tokens,
        total_tokens: ask.prompt_tokens + completion_tokens,
        prompt_tokens_details: PromptDetails::default(),
        completion_tokens_details: CompletionDetails {
            reasoning_tokens: thought / 4 * choices,
            ..CompletionDetails::default()
        },
    })
}
