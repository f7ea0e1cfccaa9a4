//! A request for an answer.

use super::{Block, CacheControl, Content, Dialect, Extensions, Raw};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    pub model: String,
    /// Instructions before the conversation.
    pub system: Vec<Block>,
    /// How many of the client's messages became `system`: what places of messages are counted from when they are named.
    pub leading_messages: usize,
    pub messages: Vec<Message>,
    pub tools: Vec<Tool>,
    pub tool_choice: Option<ToolChoice>,
    /// Whether the model may call several tools at once.
    pub parallel_tool_calls: Option<bool>,
    /// Most tokens of output, reasoning included.
    pub max_output_tokens: Option<u64>,
    /// How many answers.
    pub n: Option<u64>,
    /// Texts at which the answer ends.
    pub stop: Vec<String>,
    pub sampling: Sampling,
    pub reasoning: Option<Reasoning>,
    pub format: Option<OutputFormat>,
    /// OpenAI's `low`, `medium` or `high`.
    pub verbosity: Option<String>,
    /// Kinds of output: `text`, `audio`, `image`.
    pub modalities: Vec<String>,
    /// Voice and format of spoken output, in OpenAI's shape.
    pub audio: Option<Raw>,
    /// Search the web, with OpenAI's `web_search_options`.
    pub web_search: Option<Raw>,
    /// An id of the one for whom the answer is.
    pub user: Option<String>,
    /// What the provider keeps beside the call, in the client's shape without what `user` says.
    pub metadata: Extensions,
    pub service_tier: Option<String>,
    pub stream: bool,
    /// A stream's client wants to see its usage.
    pub wants_stream_usage: bool,
    pub extensions: Extensions,
}

impl Request {
    /// Names of tools wherever they stand.
    pub fn tool_names(&self) -> impl Iterator<Item = &str> + Clone {
        let tools = self.tools.iter().filter_map(|tool| tool.kind.name());
        let choice = match &self.tool_choice {
            Some(ToolChoice::Named(name)) => Some(name.as_str()),
            _ => None,
        };
        let blocks = self.messages.iter().flat_map(|message| &message.content);
        let calls = blocks.filter_map(|block| match &block.content {
            Content::ToolCall(call) => Some(call.name.as_str()),
            _ => None,
        });
        tools.chain(choice).chain(calls)
    }

    /// Room for a body that says all this, in bytes: enough for a conversation of texts.
    pub fn room(&self) -> usize {
        let said = self.messages.iter().map(|message| &message.content);
        let blocks = said.chain([&self.system]).flatten();
        let texts: usize = blocks.map(|block| block.content.room()).sum();
        1024 + texts
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub role: Role,
    pub content: Vec<Block>,
    /// Which of several participants speaks.
    pub name: Option<String>,
    pub extensions: Extensions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions in the middle of the conversation.
    System,
    /// The user; tool results are told in the user's turn.
    User,
    Assistant,
}

/// Numbers as they were written: `1` is not `1.0`, and no digit gets lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sampling {
    pub temperature: Option<Raw>,
    pub top_p: Option<Raw>,
    pub top_k: Option<Raw>,
    pub presence_penalty: Option<Raw>,
    pub frequency_penalty: Option<Raw>,
    pub seed: Option<Raw>,
    /// Token ids with their bias, in OpenAI's shape.
    pub logit_bias: Option<Raw>,
    pub logprobs: Option<bool>,
    pub top_logprobs: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    pub kind: ToolKind,
    pub cache: Option<CacheControl>,
    pub extensions: Extensions,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolKind {
    /// Called by the model, run by the client.
    Function {
        name: String,
        description: Option<String>,
        /// JSON schema of the arguments.
        parameters: Option<Raw>,
        strict: Option<bool>,
    },
    /// Takes free text.
    Custom {
        name: String,
        description: Option<String>,
        /// The grammar of the text, in OpenAI's shape.
        format: Option<Raw>,
    },
    /// A tool with a type of its own, which the provider defines or runs: kept whole.
    Provided {
        dialect: Dialect,
        kind: String,
        raw: Raw,
    },
}

impl ToolKind {
    /// The name of a tool that the client defines.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Function { name, .. } | Self::Custom { name, .. } => Some(name),
            Self::Provided { .. } => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    Auto,
    None,
    /// Some tool must be called.
    Required,
    /// This one must be.
    Named(String),
    /// A choice that only its own protocol knows.
    Other {
        dialect: Dialect,
        raw: Raw,
    },
}

/// How much the model shall think. Both may be said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    pub mode: Option<ReasoningMode>,
    pub effort: Option<Effort>,
    /// How thoughts are shown, such as Anthropic's `summarized` and `omitted`.
    pub display: Option<String>,
}

impl Reasoning {
    /// The model shall think.
    pub fn is_wanted(&self) -> bool {
        match self.mode {
            Some(mode) => mode != ReasoningMode::Off,
            None => !matches!(self.effort, None | Some(Effort::None)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasoningMode {
    Off,
    /// At most so many tokens.
    Budget(u64),
    /// As the model sees fit.
    Adaptive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
    Max,
}

impl Effort {
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Minimal,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::XHigh,
        Self::Max,
    ];

    /// As OpenAI and Anthropic both spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effort| effort.name() == name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    Text,
    /// Any JSON object.
    Json,
    Schema {
        /// OpenAI requires one.
        name: Option<String>,
        description: Option<String>,
        schema: Raw,
        strict: Option<bool>,
    },
}
