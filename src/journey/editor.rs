//! A stream on its way to the client: passed on with the few edits that it needs, or turned into the client's protocol.

use bytes::Bytes;

use super::question::Way;
use super::resume::Resumed;
use crate::protocol::crossing::{Back, Crossing, Form};
use crate::protocol::neutral::Dialect;
use crate::protocol::openai::stream::{StreamEditor, StreamForm};
use crate::protocol::pass::{Edited, StreamFacts};
use crate::protocol::stream_end::StreamError;
use crate::protocol::{anthropic, openai_responses};
use crate::types::Operation;

/// The state of one stream.
pub struct Editor {
    client: Operation,
    /// Seconds since the Unix epoch.
    created: u64,
    passage: Passage,
}

#[allow(clippy::large_enum_variant, reason = "one a stream, behind its box")]
enum Passage {
    /// OpenAI's chats and text completions.
    Open(StreamEditor),
    Messages(anthropic::stream::Editor),
    Responses(openai_responses::stream::Editor),
    Crossed {
        crossing: Box<Crossing>,
        /// Makes text completions of the chat that it has become.
        text: Option<Box<StreamEditor>>,
    },
}

impl Editor {
    /// `open` is how a stream of OpenAI's is to look, `form` what a translated one is to say.
    pub fn new(client: Operation, way: Way, open: StreamForm, form: impl FnOnce() -> Form) -> Self {
        let created = u64::try_from(open.created).unwrap_or_default();
        let passage = match (way.back, client) {
            (None, Operation::Messages) => {
                Passage::Messages(anthropic::stream::Editor::new(open.model_json))
            }
            (None, Operation::Responses) => {
                Passage::Responses(openai_responses::stream::Editor::new(open.model_json))
            }
            (None, _) => Passage::Open(StreamEditor::new(open)),
            (Some(back), _) => Passage::Crossed {
                crossing: Box::new(back.stream(form())),
                text: way.from_chat.then(|| Box::new(StreamEditor::new(open))),
            },
        };
        Self {
            client,
            created,
            passage,
        }
    }

    /// For the rest of a stream that broke: `back` turns round what comes.
    pub fn behind(client: Operation, back: Back, form: Form, resumed: &Resumed) -> Self {
        Self {
            client,
            created: form.created,
            passage: Passage::Crossed {
                crossing: Box::new(back.stream_behind(form, &resumed.passed, resumed.before)),
                text: None,
            },
        }
    }

    /// Whether the upstream signs its thoughts, so that nobody else can go on with them.
    pub fn has_signed_thoughts(&self) -> bool {
        match &self.passage {
            Passage::Open(_) => false,
            Passage::Messages(_) | Passage::Responses(_) => true,
            Passage::Crossed { crossing, .. } => crossing.upstream() != Dialect::Chat,
        }
    }

    /// What the stream told so far.
    pub fn facts(&self) -> &StreamFacts {
        match &self.passage {
            Passage::Open(editor) => &editor.facts,
            Passage::Messages(editor) => &editor.facts,
            Passage::Responses(editor) => &editor.facts,
            Passage::Crossed { crossing, .. } => &crossing.facts,
        }
    }

    /// Takes the next bytes of the upstream.
    pub fn feed(&mut self, read: Bytes) -> Edited {
        match &mut self.passage {
            Passage::Open(editor) => editor.feed(read),
            Passage::Messages(editor) => editor.feed(read),
            Passage::Responses(editor) => editor.feed(read),
            Passage::Crossed { crossing, text } => as_text(text, crossing.feed(&read)),
        }
    }

    /// The upstream ended.
    pub fn finish(&mut self) -> Edited {
        match &mut self.passage {
            Passage::Open(editor) => editor.finish(),
            Passage::Messages(editor) => editor.finish(),
            Passage::Responses(editor) => editor.finish(),
            Passage::Crossed { crossing, text } => as_text(text, crossing.finish()),
        }
    }

    /// Whether a stream that ends here, in good order, is a whole answer.
    pub fn may_end(&self) -> bool {
        match &self.passage {
            Passage::Open(editor) => editor.may_end(),
            Passage::Messages(editor) => editor.may_end(),
            Passage::Responses(editor) => editor.may_end(),
            Passage::Crossed { crossing, .. } => crossing.facts.done,
        }
    }

    /// What is missing at the end of a whole answer.
    pub fn closing(&mut self) -> Vec<u8> {
        match &mut self.passage {
            Passage::Open(editor) if editor.facts.done => Vec::new(),
            Passage::Open(editor) => {
                let mut closing = editor.closing();
                closing.extend_from_slice(b"data: [DONE]\n\n");
                closing
            }
            Passage::Messages(editor) => editor.closing(),
            Passage::Responses(editor) => editor.closing(),
            // Its decoder has seen to a good end.
            Passage::Crossed { .. } => Vec::new(),
        }
    }

    /// The event that ends a stream with an error.
    pub fn fail(&mut self, error: &StreamError<'_>) -> Vec<u8> {
        match &mut self.passage {
            // What is open must be closed first.
            Passage::Crossed {
                crossing,
                text: None,
            } if self.client != Operation::Chat => crossing.fail(&error.failure()),
            Passage::Responses(editor) => editor.failing(&error.failure(), self.created),
            _ => error.event(self.client, self.created),
        }
    }
}

fn as_text(text: &mut Option<Box<StreamEditor>>, edited: Edited) -> Edited {
    let Some(text) = text else {
        return edited;
    };
    let chat = text.feed(edited.out);
    Edited {
        out: chat.out,
        fault: edited.fault.or(chat.fault),
    }
}
