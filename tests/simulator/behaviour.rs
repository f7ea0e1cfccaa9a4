//! What an answer should be like: the vocabulary of tests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// How one request is answered. Everything is optional: the default is a short, correct answer, streamed if that was asked for.
///
/// Set it with [`Simulator::behave`](super::Simulator::behave), or send it as a top-level `simulate` object in the request body
/// (which wins). A misspelt field is refused, so that a test cannot pass by not doing what it says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// Status of the answer; from 400 on the body is an error in OpenAI's shape unless `body` is given.
    pub status: Option<u16>,
    /// The whole body: a JSON string is sent as plain text, any other JSON as it is written here.
    pub body: Option<Box<RawValue>>,
    /// Added to the response head, or put in place of a header of the same name.
    pub headers: BTreeMap<String, String>,
    /// Milliseconds of silence before the head.
    pub delay_ms: u64,
    /// Wait for [`Simulator::release`](super::Simulator::release) before anything is sent.
    pub hold: bool,

    /// The text to answer with.
    pub content: Option<String>,
    /// Answer with this many bytes of text instead.
    pub content_bytes: Option<usize>,
    /// Generated text has characters of two, three and four bytes.
    pub multibyte: bool,
    /// Number of text chunks of a stream; without it, and without `chunk_bytes`, one a word.
    pub chunks: Option<usize>,
    /// Bytes of text in a chunk; fewer where a character would be cut. With `chunks` and no `content` the text has the product.
    pub chunk_bytes: Option<usize>,
    /// Milliseconds between two text chunks, counted from the stream's start, so that the pace does not drift.
    pub chunk_delay_ms: u64,
    /// The `data:` payloads of a stream, in place of the text chunks and everything around them but `[DONE]`.
    pub frames: Option<Vec<String>>,
    /// Sent as `usage`, byte for byte. Without it input is a quarter of the messages' bytes, output a quarter of the text's.
    pub usage: Option<Box<RawValue>>,
    /// No usage anywhere.
    pub no_usage: bool,
    /// A stream ends with the usage chunk even if nobody asked for it.
    pub usage_unasked: bool,
    /// In place of `stop`, or of `tool_calls` when there are some.
    pub finish_reason: Option<String>,
    /// A stream ends without a finish reason.
    pub no_finish: bool,
    /// Answer with these calls, and with no text unless `content` gives one.
    pub tool_calls: Vec<ToolCall>,
    /// A stream gives the arguments of all calls by turns instead of one call's after the other's.
    pub interleave_tool_calls: bool,
    /// Thoughts before the answer, spelled as DeepSeek, xAI and Moonshot do.
    pub reasoning_content: Option<String>,
    /// The same as Groq, OpenRouter, Together and vLLM spell it.
    pub reasoning: Option<String>,
    /// Refuse in these words, with no text unless `content` gives one.
    pub refusal: Option<String>,
    /// Citations, as they are; a stream sends them after the text.
    pub annotations: Vec<Box<RawValue>>,
    /// Speak, with no text unless `content` gives one.
    pub audio: Option<Audio>,
    /// What is said, block by block and in every protocol alike, in place of the texts, calls and refusal above.
    pub blocks: Vec<Block>,
    /// Chat: thoughts are not told, as OpenAI's own models do not.
    pub hides_thinking: bool,
    /// Told as usage in each protocol's own words, unless `usage` is given.
    pub counts: Option<Counts>,
    /// The answers of a session, in place of everything else here: the first until results of tools come back, the second until
    /// they do so again, and so on; the last for good.
    pub turns: Vec<Behaviour>,
    /// Messages: a `ping` before each chunk. One always follows the beginning.
    pub pings: bool,
    /// Events of a type that nobody has heard of stand between the others (Messages, Responses).
    pub unknown_events: bool,
    /// A stream gives arguments whole: Responses in the `done` events alone, Messages in one delta, Chat with the call's name.
    pub whole_arguments: bool,
    /// Chat: `"tool_calls": []` where there are none.
    pub empty_tool_calls: bool,

    /// Close the socket after so many bytes.
    pub cut_after_bytes: Option<usize>,
    pub cut_with: CutWith,
    /// Which bytes `cut_after_bytes` counts.
    pub cut_counts: Level,
    /// Say nothing more until the peer leaves.
    pub hang: Option<Hang>,
    /// A stream says nothing more after so many text chunks.
    pub silent_after_chunks: Option<usize>,
    pub garbage: Option<Garbage>,
    pub error_mid_stream: Option<MidStreamError>,
    /// Where writes begin and end; each piece of the body is a TCP write, and in a chunked body a transfer chunk, of its own.
    pub split: Option<Split>,
    /// Apply `split` to the bytes on the wire, head and transfer framing included, not to the body alone.
    pub split_wire: bool,
    /// Milliseconds between two pieces, so that the peer surely reads them one by one.
    pub split_delay_ms: u64,

    /// Lines of a stream end with CR LF.
    pub crlf: bool,
    /// A comment line, `: keep-alive`, stands before each frame.
    pub comments: bool,
    /// A stream ends without `data: [DONE]`.
    pub no_done: bool,
    pub framing: Option<Framing>,
    /// The body is compressed, frame by frame in a stream, and the head says so.
    pub gzip: bool,
    /// Announced in place of the real length, which makes the framing `length`.
    pub content_length: Option<usize>,
}

/// One tool call of an answer. In a stream the arguments come in pieces.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// JSON text, which models sometimes get wrong: it is not checked.
    pub arguments: String,
}

/// A part of what is said.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Block {
    Text {
        text: String,
        /// Where it stands: a web citation of the whole text each.
        #[serde(default)]
        cites: Vec<Source>,
    },
    /// Signed in Messages, with encrypted content in Responses, nothing of the kind in a chat.
    Thinking {
        thinking: String,
    },
    /// Thoughts that nobody may read: base64. A reasoning item without summary in Responses, nothing in a chat.
    RedactedThinking {
        data: String,
    },
    ToolUse {
        id: String,
        name: String,
        /// JSON text, which models sometimes get wrong: it is not checked.
        arguments: String,
    },
    /// A call whose input is plain text (Responses and Chat; Messages has none).
    CustomTool {
        id: String,
        name: String,
        input: String,
    },
    /// A search that the provider runs itself; nothing in a chat.
    Search {
        id: String,
        query: String,
        found: Vec<Source>,
    },
    Refusal {
        text: String,
    },
}

/// A page of the web.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub url: String,
    pub title: String,
}

/// Tokens, each counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Counts {
    /// Input that no cache has to do with.
    pub input: u64,
    pub cache_read: u64,
    pub cache_write_5m: u64,
    pub cache_write_1h: u64,
    /// All output, thoughts included.
    pub output: u64,
    pub thinking: u64,
}

/// Spoken words. In a stream the transcript comes in pieces, then the sound.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audio {
    pub transcript: String,
    /// Base64.
    pub data: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutWith {
    /// An orderly end of the connection in the wrong place.
    #[default]
    Fin,
    /// A reset.
    Rst,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Bytes of the body, transfer framing not counted; 0 is right after the head.
    #[default]
    Body,
    /// All bytes; 0 is before the head.
    Wire,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hang {
    BeforeHead,
    AfterHead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Garbage {
    /// Bytes that are no HTTP answer.
    NotHttp,
    /// A body (in a stream: the first frame after the role) that is no JSON, though it says so.
    NotJson,
    /// A proxy's error page with status 200.
    Html,
}

/// A stream that breaks off with `data: {"error": …}` and no `[DONE]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MidStreamError {
    /// Text chunks before it.
    pub after_chunks: usize,
    /// The value of `error`; OpenAI's server error when absent.
    #[serde(default)]
    pub error: Option<Box<RawValue>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    EveryByte,
    /// Sizes of the first pieces; the rest is one piece.
    Sizes(Vec<usize>),
    /// Pieces of 1 to 40 bytes, the same for the same seed.
    Random(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// `Content-Length`: the default of whole answers.
    Length,
    /// `Transfer-Encoding: chunked`: the default of streams.
    Chunked,
    /// Neither; the end of the connection ends the body.
    Close,
}

impl Block {
    /// Bytes of what it says.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Text { text, .. } | Self::Refusal { text } => text.len(),
            Self::Thinking { thinking } => thinking.len(),
            Self::ToolUse {
                name, arguments, ..
            } => name.len() + arguments.len(),
            Self::CustomTool { name, input, .. } => name.len() + input.len(),
            Self::RedactedThinking { .. } | Self::Search { .. } => 0,
        }
    }
}

impl Counts {
    /// All input, as OpenAI counts it.
    pub fn all_input(&self) -> u64 {
        self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h
    }
}

impl Behaviour {
    /// The behaviour after so many returns of tools' results.
    pub fn at_turn(&self, turn: usize) -> &Self {
        self.turns.get(turn).or(self.turns.last()).unwrap_or(self)
    }

    /// A correct answer with this text.
    pub fn saying(text: impl Into<String>) -> Self {
        Self {
            content: Some(text.into()),
            ..Self::default()
        }
    }

    /// This status and OpenAI's error for it.
    pub fn failing(status: u16) -> Self {
        Self {
            status: Some(status),
            ..Self::default()
        }
    }

    /// The behaviour written as JSON, as in a request's `simulate`.
    ///
    /// # Panics
    /// When it has an unknown field or a wrong type: a mistake in the test.
    pub fn of(json: impl Serialize) -> Self {
        serde_json::from_str(raw(json).get()).expect("a behaviour of the simulator")
    }
}

/// JSON as it will be sent.
///
/// # Panics
/// When the value has no JSON form: a mistake in the test.
pub fn raw(json: impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(&json).expect("a value with a JSON form")
}
