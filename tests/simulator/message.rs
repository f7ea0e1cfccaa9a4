//! The message of an answer: whole, and as the deltas that a stream makes of it.

use serde::Serialize;
use serde_json::value::RawValue;

use super::logprobs::Logprobs;
use super::request::Ask;
use super::{Behaviour, ToolCall, text};

#[derive(Serialize)]
pub struct Message<'a> {
    role: &'static str,
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<Vec<Call<'a>>>,
    refusal: Option<&'a str>,
    annotations: &'a [Box<RawValue>],
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<Audio<'a>>,
}

/// What a chunk adds to the message.
#[derive(Clone, Default, Serialize)]
pub struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Vec<Call<'a>>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub annotations: &'a [Box<RawValue>],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<Audio<'a>>,
}

/// A tool call, or the next piece of one.
#[derive(Clone, Serialize)]
pub struct Call<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    function: Function<'a>,
}

#[derive(Clone, Serialize)]
struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

/// Spoken words: all of them, or what is new.
#[derive(Clone, Default, Serialize)]
pub struct Audio<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'static str>,
    /// Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transcript: Option<&'a str>,
}

const AUDIO: &str = "audio_6843b5a1c2e08191a4b7";
const AUDIO_EXPIRES_AT: u64 = 4_102_444_800;

/// A chunk's part of one choice.
pub type Part<'a> = (Delta<'a>, Option<Logprobs<'a>>);

/// What is said in an answer; everything of it is said alike in each choice.
pub struct Said<'a> {
    behaviour: &'a Behaviour,
    text: Option<String>,
    /// Alternatives to tell of each token, if probabilities were asked for.
    alternatives: Option<usize>,
}

// === impl Said ===

impl<'a> Said<'a> {
    pub fn new(ask: &Ask, behaviour: &'a Behaviour) -> Self {
        Self {
            behaviour,
            text: text::said(behaviour),
            alternatives: ask.logprobs,
        }
    }

    pub fn message(&self) -> Message<'_> {
        let Behaviour {
            reasoning_content,
            reasoning,
            refusal,
            ..
        } = self.behaviour;
        Message {
            role: "assistant",
            content: self.text.as_deref(),
            reasoning_content: reasoning_content.as_deref(),
            reasoning: reasoning.as_deref(),
            tool_calls: (self.behaviour.empty_tool_calls || !self.behaviour.tool_calls.is_empty())
                .then(|| self.behaviour.tool_calls.iter().map(Call::whole).collect()),
            refusal: refusal.as_deref(),
            annotations: &self.behaviour.annotations,
            audio: self.behaviour.audio.as_ref().map(|audio| Audio {
                id: Some(AUDIO),
                data: Some(&audio.data),
                expires_at: Some(AUDIO_EXPIRES_AT),
                transcript: Some(&audio.transcript),
            }),
        }
    }

    pub fn logprobs(&self) -> Option<Logprobs<'_>> {
        let count = self.alternatives?;
        let tokens = |text| text::pieces(text, self.behaviour);
        Some(match (&self.behaviour.refusal, &self.text) {
            (Some(refusal), _) => Logprobs::of_refusal(tokens(refusal), 0, count),
            (None, Some(text)) => Logprobs::of_content(tokens(text), 0, count),
            (None, None) => Logprobs::default(),
        })
    }

    /// The first delta, which has the role and no word.
    pub fn opening(&self) -> Part<'_> {
        let delta = Delta {
            role: Some("assistant"),
            content: Some(self.text.is_some().then_some("")),
            refusal: Some(None),
            ..Delta::default()
        };
        (delta, self.alternatives.map(|_| Logprobs::default()))
    }

    /// All deltas that say something, in order.
    pub fn parts(&self) -> Vec<Part<'_>> {
        let mut parts = self.thoughts();
        for (at, piece) in self.pieces(&self.text).into_iter().enumerate() {
            let delta = Delta {
                content: Some(Some(piece)),
                tool_calls: self.behaviour.empty_tool_calls.then(Vec::new),
                ..Delta::default()
            };
            let of = |count| Logprobs::of_content(vec![piece], at, count);
            parts.push((delta, self.alternatives.map(of)));
        }
        for (at, piece) in self.pieces(&self.behaviour.refusal).into_iter().enumerate() {
            let delta = Delta {
                refusal: Some(Some(piece)),
                ..Delta::default()
            };
            let of = |count| Logprobs::of_refusal(vec![piece], at, count);
            parts.push((delta, self.alternatives.map(of)));
        }
        let calls = self.calls().into_iter().map(|call| Delta {
            tool_calls: Some(vec![call]),
            ..Delta::default()
        });
        let audio = self.audio().into_iter().map(|audio| Delta {
            audio: Some(audio),
            ..Delta::default()
        });
        let annotations = (!self.behaviour.annotations.is_empty()).then(|| Delta {
            annotations: &self.behaviour.annotations,
            ..Delta::default()
        });
        parts.extend(
            calls
                .chain(audio)
                .chain(annotations)
                .map(|delta| (delta, None)),
        );
        parts
    }

    /// In a delta with thoughts DeepSeek's content is `null`.
    fn thoughts(&self) -> Vec<Part<'_>> {
        let deepseeks = self.pieces(&self.behaviour.reasoning_content);
        let deepseeks = deepseeks.into_iter().map(|piece| Delta {
            content: Some(None),
            reasoning_content: Some(piece),
            ..Delta::default()
        });
        let others = self.pieces(&self.behaviour.reasoning);
        let others = others.into_iter().map(|piece| Delta {
            reasoning: Some(piece),
            ..Delta::default()
        });
        deepseeks.chain(others).map(|delta| (delta, None)).collect()
    }

    fn pieces<'t>(&self, text: &'t Option<String>) -> Vec<&'t str> {
        let text = text.as_deref().unwrap_or_default();
        text::pieces(text, self.behaviour)
    }

    /// Each call's name, then its arguments; interleaved if that is asked for.
    fn calls(&self) -> Vec<Call<'_>> {
        let calls = self.behaviour.tool_calls.iter().enumerate();
        let mut of_each: Vec<Vec<Call<'_>>> = calls
            .map(|(index, call)| {
                if self.behaviour.whole_arguments {
                    let mut whole = Call::whole(call);
                    whole.index = Some(index);
                    return vec![whole];
                }
                let arguments = text::pieces(&call.arguments, self.behaviour);
                let more = arguments.into_iter().map(|piece| Call::more(index, piece));
                std::iter::once(Call::opening(index, call))
                    .chain(more)
                    .collect()
            })
            .collect();
        if !self.behaviour.interleave_tool_calls {
            return of_each.into_iter().flatten().collect();
        }
        let mut calls = Vec::new();
        while of_each.iter().any(|pieces| !pieces.is_empty()) {
            for pieces in of_each.iter_mut().filter(|pieces| !pieces.is_empty()) {
                calls.push(pieces.remove(0));
            }
        }
        calls
    }

    /// The id, the words, the sound, when it is forgotten.
    fn audio(&self) -> Vec<Audio<'_>> {
        let Some(audio) = &self.behaviour.audio else {
            return Vec::new();
        };
        let mut parts = vec![Audio {
            id: Some(AUDIO),
            ..Audio::default()
        }];
        parts.extend(
            text::pieces(&audio.transcript, self.behaviour)
                .into_iter()
                .map(|piece| Audio {
                    transcript: Some(piece),
                    ..Audio::default()
                }),
        );
        parts.push(Audio {
            data: Some(&audio.data),
            ..Audio::default()
        });
        parts.push(Audio {
            expires_at: Some(AUDIO_EXPIRES_AT),
            ..Audio::default()
        });
        parts
    }

    /// Bytes of all that is said, and of those the bytes of thinking.
    pub fn bytes(&self) -> (usize, usize) {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let thought = length(&self.behaviour.reasoning_content) + length(&self.behaviour.reasoning);
        let calls = self.behaviour.tool_calls.iter();
        let called: usize = calls
            .map(|call| call.name.len() + call.arguments.len())
            .sum();
        let spoken = self
            .behaviour
            .audio
            .as_ref()
            .map_or(0, |audio| audio.transcript.len());
        let said = length(&self.text) + length(&self.behaviour.refusal) + called + spoken;
        (thought + said, thought)
    }
}

// === impl Call ===

impl<'a> Call<'a> {
    fn whole(call: &'a ToolCall) -> Self {
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
    fn opening(index: usize, call: &'a ToolCall) -> Self {
        let mut opening = Self::whole(call);
        opening.index = Some(index);
        opening.function.arguments = "";
        opening
    }

    fn more(index: usize, arguments: &'a str) -> Self {
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
