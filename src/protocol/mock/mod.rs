//! Answers that the gateway makes itself: `mock_response` and its companions, as LiteLLM 1.106.2 knows them.
//!
//! [`Mock::read`] takes them from a deployment or a request; [`Mock::say`] puts an answer into the very bytes that an upstream
//! would send, whole or streamed. Everything behind that point (edits, usage, cost, errors, retries) is what it is for a real
//! upstream, and knows nothing of mocks. Nothing here waits: how long a mock takes is told, and the journey does it.

mod chat;
mod completion;
mod embedding;
mod error;
mod frame;
mod read;

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

pub use self::error::MockError;
pub use self::read::{FIELDS, Misread};
use crate::types::Operation;

/// No answer that is made here is larger, about.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// What frames a choice, its first and its last chunk, about.
const FRAME: usize = 1024;

/// What is answered instead of calling anybody.
#[derive(Clone, Debug, PartialEq)]
pub struct Mock {
    response: Response,
    /// `mock_tool_calls`: the tool calls of the first choice.
    tool_calls: Vec<Value>,
    /// `mock_delay`: time before the answer begins.
    pub delay: Duration,
    /// `mock_timeout`: never answers, so that the call's own time limit ends it.
    pub hangs: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Response {
    Text(String),
    /// `[0.1, …]`, or a list of such: embeddings.
    Vectors(Vec<Vec<f32>>),
    /// A whole answer; what it leaves out is filled in.
    Object(serde_json::Map<String, Value>),
    Error(MockError),
    /// An error after the first content of a stream; before it, an error like any other.
    BreaksOff,
}

/// What a mock must know of a call.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    pub operation: Operation,
    /// The provider-side name.
    pub model: &'a str,
    pub stream: bool,
    /// `n`.
    pub choices: u64,
    /// Prompts of a text completion, inputs of embeddings; 1 of a chat.
    pub prompts: u64,
    /// Of embeddings.
    pub dimensions: Option<usize>,
    /// Embeddings are asked for in base64.
    pub base64: bool,
    /// The id that the answer gets, without its prefix.
    pub id: &'a str,
    /// Seconds since the Unix epoch.
    pub created: i64,
    /// Counted tokens of the prompt and of the answer's text, once.
    pub prompt_tokens: u64,
    pub text_tokens: u64,
}

/// An answer, in pieces as they would arrive.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    pub status: u16,
    pub is_event_stream: bool,
    pub pieces: Vec<Bytes>,
}

impl Said {
    fn whole(status: u16, body: &Value) -> Self {
        Self {
            status,
            is_event_stream: false,
            pieces: vec![Bytes::from(body.to_string())],
        }
    }
}

impl Mock {
    /// A mock that says a text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            response: Response::Text(text.into()),
            tool_calls: Vec::new(),
            delay: Duration::ZERO,
            hangs: false,
        }
    }

    /// The text whose tokens make the answer's usage; none for errors and vectors.
    pub fn spoken(&self) -> &str {
        match &self.response {
            Response::Text(text) => text,
            Response::Object(answer) => match chat::content(answer) {
                "" => completion::content(answer),
                content => content,
            },
            Response::BreaksOff => chat::BEFORE_BREAKING_OFF,
            Response::Error(_) | Response::Vectors(_) => "",
        }
    }

    /// The answer to a request. To those of other protocols it is a chat, which the caller translates.
    pub fn say(&self, asked: &Asked<'_>) -> Said {
        let fail = |error: MockError| Said::whole(error.status(), &error.body());
        if self.size(asked) > MOST_BYTES {
            return fail(MockError::TooLarge);
        }
        match (&self.response, asked.operation) {
            (Response::Error(error), _) => fail(*error),
            (_, Operation::Compaction) => fail(MockError::NoText),
            (Response::BreaksOff, Operation::Chat | Operation::Messages | Operation::Responses)
                if asked.stream =>
            {
                chat::broken(asked)
            }
            (Response::BreaksOff, _) => fail(MockError::MidStream),
            (
                Response::Text(text),
                Operation::Chat | Operation::Messages | Operation::Responses,
            ) => {
                let message = chat::Message {
                    content: text,
                    tool_calls: &self.tool_calls,
                };
                chat::text(&message, asked)
            }
            (Response::Text(text), Operation::Completion) => completion::text(text, asked),
            (Response::Text(_), Operation::Embedding) => embedding::vectors(&[], asked),
            (Response::Vectors(vectors), Operation::Embedding) => {
                embedding::vectors(vectors, asked)
            }
            (Response::Vectors(_), _) => fail(MockError::NoText),
            (
                Response::Object(answer),
                Operation::Chat | Operation::Messages | Operation::Responses,
            ) => chat::object(answer, asked),
            (Response::Object(answer), Operation::Completion) => completion::object(answer, asked),
            (Response::Object(answer), Operation::Embedding) => embedding::object(answer, asked),
        }
    }

    /// Bytes of the answer, about.
    fn size(&self, asked: &Asked<'_>) -> usize {
        if asked.operation == Operation::Embedding {
            return match &self.response {
                Response::Vectors(vectors) => embedding::size(vectors, asked),
                Response::Text(_) => embedding::size(&[], asked),
                _ => 0,
            };
        }
        let choices = asked.choices.saturating_mul(asked.prompts);
        let choices = usize::try_from(choices).unwrap_or(usize::MAX);
        (self.spoken().len() + FRAME).saturating_mul(choices)
    }
}

#[cfg(test)]
mod tests;
