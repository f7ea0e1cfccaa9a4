//! OpenAI's answer objects, with its keys in its order.

use serde::Serialize;
use serde_json::value::RawValue;

use super::ids::Stamp;
use super::request::Ask;
use super::{Behaviour, text};

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
    logprobs: (),
    finish_reason: &'a str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    refusal: (),
    annotations: [(); 0],
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
    pub logprobs: (),
    pub finish_reason: Option<&'a str>,
}

#[derive(Default, Serialize)]
pub struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<()>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<Call<'a>>,
}

/// A tool call, or the next piece of one.
#[derive(Serialize)]
pub struct Call<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<&'static str>,
    pub function: Function<'a>,
}

#[derive(Serialize)]
pub struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    pub arguments: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Usage<'a> {
    Given(&'a RawValue),
    Counted(Counted),
}

#[derive(Serialize)]
struct Counted {
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
    let text = text::whole(behaviour);
    let choice = |index| Choice {
        index,
        message: Message {
            role: "assistant",
            content: behaviour.tool_calls.is_empty().then_some(text.as_str()),
            tool_calls: behaviour.tool_calls.iter().map(Call::whole).collect(),
            refusal: (),
            annotations: [],
        },
        logprobs: (),
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

fn usage<'a>(ask: &Ask, behaviour: &'a Behaviour) -> Usage<'a> {
    if let Some(given) = &behaviour.usage {
        return Usage::Given(given);
    }
    let spoken = match behaviour.tool_calls.as_slice() {
        [] => text::whole(behaviour).len(),
        calls => calls
            .iter()
            .map(|call| call.name.len() + call.arguments.len())
            .sum(),
    };
    let completion_tokens = spoken.div_ceil(4) * ask.choices as usize;
    Usage::Counted(Counted {
        prompt_tokens: ask.prompt_tokens,
        completion_tokens,
        total_tokens: ask.prompt_tokens + completion_tokens,
        prompt_tokens_details: PromptDetails::default(),
        completion_tokens_details: CompletionDetails::default(),
    })
}

// === impl Call ===

impl<'a> Call<'a> {
    fn whole(call: &'a super::ToolCall) -> Self {
        Self {
            index: None,
            id: Some(&call.id),
            r#type: Some("function"),
            function: Function {
                name: Some(&call.name),
                arguments: &call.arguments,
            },
        }
    }

    /// The chunk that names the call; its arguments follow.
    pub fn opening(index: usize, call: &'a super::ToolCall) -> Self {
        Self {
            index: Some(index),
            id: Some(&call.id),
            r#type: Some("function"),
            function: Function {
                name: Some(&call.name),
                arguments: "",
            },
        }
    }

    pub fn more(index: usize, arguments: &'a str) -> Self {
        Self {
            index: Some(index),
            id: None,
            r#type: None,
            function: Function {
                name: None,
                arguments,
            },
        }
    }
}
