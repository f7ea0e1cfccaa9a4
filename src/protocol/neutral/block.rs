//! A piece of a message.

use super::{Dialect, Extensions, Raw, Text};

/// A piece of a message's content, in order with its neighbours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub content: Content,
    /// The prompt up to here may be cached by the provider.
    pub cache: Option<CacheControl>,
    pub extensions: Extensions,
}

impl Block {
    /// A block without mark and extensions.
    pub fn plain(content: Content) -> Self {
        Self {
            content,
            cache: None,
            extensions: Extensions::default(),
        }
    }

    pub fn text(text: impl Into<Text>) -> Self {
        Self::plain(Content::Text {
            text: text.into(),
            citations: Vec::new(),
        })
    }

    /// The text of a text block.
    pub fn said(&self) -> Option<&Text> {
        match &self.content {
            Content::Text { text, .. } => Some(text),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    Text {
        text: Text,
        citations: Vec<Citation>,
    },
    /// Why the model would not answer, in its own words.
    Refusal(String),
    Image {
        source: Source,
        /// OpenAI's `low`, `high` or `auto`.
        detail: Option<String>,
    },
    Document {
        source: Source,
        /// A title or file name.
        title: Option<String>,
        /// What the model is told about the document beside its content.
        context: Option<String>,
        /// The model shall cite from it.
        cited: bool,
    },
    /// Sound. An answer's has an id by which later requests name it.
    Audio {
        id: Option<String>,
        /// Base64; empty where only the id is said.
        data: String,
        /// Such as `wav`; none in answers.
        format: Option<String>,
        transcript: Option<String>,
    },
    ToolCall(ToolCall),
    ToolResult(ToolResult),
    Thinking {
        text: String,
        /// The provider's proof that the text is its own, byte for byte. Never made up.
        signature: Option<String>,
    },
    /// Thinking that only the provider can read.
    RedactedThinking(String),
    /// A call of a tool that the provider runs itself.
    ServerCall(ServerCall),
    ServerResult(ServerResult),
    /// A block that only its own protocol knows.
    Unknown {
        dialect: Dialect,
        kind: String,
        raw: Raw,
    },
}

impl Content {
    /// About the bytes that it takes in a body.
    pub fn room(&self) -> usize {
        /// What stands around a text.
        const AROUND: usize = 64;
        AROUND
            + match self {
                Self::Text { text, .. } => text.size(),
                Self::ToolCall(call) => 2 * AROUND + call.arguments.len() * 9 / 8,
                Self::ToolResult(result) => {
                    let inner = result.content.iter();
                    inner.map(|block| block.content.room()).sum()
                }
                _ => 0,
            }
    }

    /// Bytes of what an answer says: what the client reads or hears, or its tools are given.
    pub fn content_bytes(&self) -> usize {
        match self {
            Self::Text { text, .. } => text.said().len(),
            Self::Refusal(text) | Self::Thinking { text, .. } => text.len(),
            Self::ToolCall(call) => call.arguments.len(),
            Self::ServerCall(call) => call.input.len(),
            Self::Audio {
                data, transcript, ..
            } => data.len() + transcript.as_ref().map_or(0, String::len),
            _ => 0,
        }
    }
}

/// Where the bytes of an image or a document are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Base64 {
        media_type: String,
        data: String,
    },
    Url(String),
    /// The id of a file that the provider stores.
    File(String),
    /// A document's text itself.
    Text(String),
    /// A document made of blocks.
    Blocks(Vec<Block>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// As the model wrote them: JSON text for a function, free text for a custom tool.
    pub arguments: String,
    pub kind: ToolCallKind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ToolCallKind {
    #[default]
    Function,
    Custom,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolResult {
    /// The id of the call it answers.
    pub call: String,
    pub content: Vec<Block>,
    pub is_error: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerCall {
    pub id: String,
    pub name: String,
    /// JSON text, as the model wrote it.
    pub input: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerResult {
    /// The block's type, such as `web_search_tool_result`.
    pub kind: String,
    /// The id of the call it answers.
    pub call: String,
    pub content: Raw,
}

/// What a text is founded on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Citation {
    /// Who wrote `raw`.
    pub dialect: Dialect,
    pub raw: Raw,
    /// The page it names, if it names one.
    pub url: Option<String>,
    pub title: Option<String>,
}

/// A mark for the provider's prompt cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    pub lifetime: Option<Lifetime>,
    /// Fields beside `type` and `ttl`, such as `scope`.
    pub extensions: Extensions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    FiveMinutes,
    OneHour,
}
