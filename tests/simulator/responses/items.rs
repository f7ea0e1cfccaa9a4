//! Items of the output, with OpenAI's keys in its order.

use crate::simulator::blocks::{self, quoted};
use crate::simulator::ids::Stamp;
use crate::simulator::proof;
use crate::simulator::request::Ask;
use crate::simulator::{Behaviour, Block, Source};

/// An item while it is being made: the texts of a message stand together.
pub enum Item<'a> {
    Reasoning {
        summary: Option<&'a str>,
    },
    Message {
        parts: Vec<&'a Block>,
    },
    Call {
        id: &'a str,
        name: &'a str,
        input: &'a str,
        custom: bool,
    },
    Search {
        query: &'a str,
    },
}

/// The items that these blocks make, in order.
pub fn of(said: &[Block]) -> Vec<Item<'_>> {
    let mut items: Vec<Item<'_>> = Vec::new();
    for block in said {
        match block {
            Block::Text { .. } | Block::Refusal { .. } => match items.last_mut() {
                Some(Item::Message { parts }) => parts.push(block),
                _ => items.push(Item::Message { parts: vec![block] }),
            },
            Block::Thinking { thinking } => items.push(Item::Reasoning {
                summary: Some(thinking),
            }),
            Block::RedactedThinking { .. } => items.push(Item::Reasoning { summary: None }),
            Block::ToolUse {
                id,
                name,
                arguments,
            } => items.push(Item::Call {
                id,
                name,
                input: arguments,
                custom: false,
            }),
            Block::CustomTool { id, name, input } => items.push(Item::Call {
                id,
                name,
                input,
                custom: true,
            }),
            Block::Search { query, .. } => items.push(Item::Search { query }),
        }
    }
    items
}

/// The blocks of a behaviour.
pub fn said(behaviour: &Behaviour) -> Vec<Block> {
    blocks::of(behaviour)
}

// === impl Item ===

impl Item<'_> {
    /// Its id: the `at`-th item of the answer.
    pub fn id(&self, stamp: &Stamp, at: usize) -> String {
        let prefix = match self {
            Self::Reasoning { .. } => "rs",
            Self::Message { .. } => "msg",
            Self::Call { custom: false, .. } => "fc",
            Self::Call { custom: true, .. } => "ctc",
            Self::Search { .. } => "ws",
        };
        format!("{prefix}_{}{at:02}", stamp.serial)
    }

    /// As it begins in a stream: without what its deltas bring.
    pub fn begun(&self, ask: &Ask, stamp: &Stamp, at: usize) -> String {
        self.written(ask, &self.id(stamp, at), false)
    }

    /// As it is in the end.
    pub fn done(&self, ask: &Ask, stamp: &Stamp, at: usize) -> String {
        self.written(ask, &self.id(stamp, at), true)
    }

    fn written(&self, ask: &Ask, id: &str, done: bool) -> String {
        let status = if done { "completed" } else { "in_progress" };
        match self {
            Self::Reasoning { summary } => {
                let encrypted = if ask.encrypts {
                    let text = summary.unwrap_or(id);
                    format!(
                        r#","encrypted_content":"{}""#,
                        proof::encrypted(&ask.account, text)
                    )
                } else {
                    String::new()
                };
                let summary = summary.filter(|_| done).map_or(String::new(), summary_part);
                format!(r#"{{"id":"{id}","type":"reasoning"{encrypted},"summary":[{summary}]}}"#)
            }
            Self::Message { parts } => {
                let parts: Vec<String> = parts.iter().map(|block| part(block)).collect();
                let content = if done { parts.join(",") } else { String::new() };
                format!(
                    r#"{{"id":"{id}","type":"message","status":"{status}","content":[{content}],"role":"assistant"}}"#
                )
            }
            Self::Call {
                id: call,
                name,
                input,
                custom,
            } => {
                let (call, name) = (quoted(call), quoted(name));
                let input = quoted(if done { input } else { "" });
                let (kind, field) = if *custom {
                    ("custom_tool_call", "input")
                } else {
                    ("function_call", "arguments")
                };
                format!(
                    r#"{{"id":"{id}","type":"{kind}","status":"{status}","{field}":{input},"call_id":{call},"name":{name}}}"#
                )
            }
            Self::Search { query } => {
                let action = format!(r#","action":{{"type":"search","query":{}}}"#, quoted(query));
                let action = if done { action } else { String::new() };
                format!(r#"{{"id":"{id}","type":"web_search_call","status":"{status}"{action}}}"#)
            }
        }
    }
}

/// A part of a reasoning item's summary.
pub fn summary_part(text: &str) -> String {
    format!(r#"{{"type":"summary_text","text":{}}}"#, quoted(text))
}

/// A part of a message.
pub fn part(block: &Block) -> String {
    match block {
        Block::Text { text, cites } => {
            let all: Vec<String> = cites
                .iter()
                .map(|source| annotation(source, text))
                .collect();
            text_part(text, &all.join(","))
        }
        Block::Refusal { text } => format!(r#"{{"type":"refusal","refusal":{}}}"#, quoted(text)),
        _ => String::new(),
    }
}

pub fn text_part(text: &str, annotations: &str) -> String {
    let text = quoted(text);
    format!(r#"{{"type":"output_text","annotations":[{annotations}],"logprobs":[],"text":{text}}}"#)
}

/// A citation of the whole text.
pub fn annotation(source: &Source, text: &str) -> String {
    let (title, url) = (quoted(&source.title), quoted(&source.url));
    let end = text.chars().count();
    format!(
        r#"{{"type":"url_citation","end_index":{end},"start_index":0,"title":{title},"url":{url}}}"#
    )
}
