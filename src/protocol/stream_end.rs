//! What the gateway itself says in a client's stream: that it still waits, and that it cannot go on.

use bytes::Bytes;

use super::json_write;
use super::neutral::{self, FailureKind};
use super::{anthropic, crossing, openai_responses};
use crate::protocol::neutral::Dialect;
use crate::types::Operation;

/// An error as a client is told of it.
#[derive(Clone, Copy, Debug)]
pub struct StreamError<'a> {
    pub message: &'a str,
    /// OpenAI's `type`.
    pub kind: Option<&'a str>,
    pub param: Option<&'a str>,
    /// A symbol for it; else its status.
    pub code: Option<&'a str>,
    /// The HTTP status that it would have had before the stream began.
    pub status: u16,
}

impl StreamError<'_> {
    /// The same in no protocol's spelling.
    pub fn failure(&self) -> neutral::Failure {
        neutral::Failure {
            kind: FailureKind::of_status(self.status),
            message: self.message.to_owned(),
            code: Some(
                self.code
                    .map_or_else(|| self.status.to_string(), str::to_owned),
            ),
            param: self.param.map(str::to_owned),
        }
    }

    /// The event that ends the stream of such an operation, before any other or where what comes before does not matter.
    /// `created` is in seconds since the Unix epoch.
    pub fn event(&self, operation: Operation, created: u64) -> Vec<u8> {
        let (head, data): (&[u8], _) = match crossing::dialect(operation) {
            Some(Dialect::Anthropic) => (
                b"event: error\ndata: ",
                anthropic::encode_error(&self.failure(), None),
            ),
            Some(Dialect::Responses) => {
                let nothing_passed = openai_responses::stream::Editor::new(Vec::new());
                return nothing_passed.failing(&self.failure(), created);
            }
            Some(Dialect::Chat) | None => (b"data: ", self.open_body()),
        };
        [head, &data, b"\n\n"].concat()
    }

    fn open_body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.message.len() + 96);
        json_write::object(&mut body, |out| {
            out.object("error", |out| {
                out.text("message", self.message);
                for (name, value) in [("type", self.kind), ("param", self.param)] {
                    match value {
                        Some(value) => out.text(name, value),
                        None => out.null(name),
                    }
                }
                out.text("code", &self.status.to_string());
            });
        });
        body
    }
}

/// What keeps a silent stream alive: an event that clients of Anthropic know, a comment for all others.
pub fn ping(operation: Operation) -> Bytes {
    match operation {
        Operation::Messages => Bytes::from_static(b"event: ping\ndata: {\"type\": \"ping\"}\n\n"),
        _ => Bytes::from_static(b": ping\n\n"),
    }
}
