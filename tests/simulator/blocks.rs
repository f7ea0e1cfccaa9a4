//! The same words in two forms: the blocks that Messages and Responses are made of, and the fields of a chat's one message.

use super::request::Ask;
use super::{Behaviour, Block, Counts, ToolCall, raw, text};

/// What is said as blocks, in order.
pub fn of(behaviour: &Behaviour) -> Vec<Block> {
    if !behaviour.blocks.is_empty() {
        return behaviour.blocks.clone();
    }
    let thinking = behaviour
        .reasoning_content
        .iter()
        .chain(&behaviour.reasoning);
    let mut blocks: Vec<Block> = thinking
        .map(|thinking| Block::Thinking {
            thinking: thinking.clone(),
        })
        .collect();
    blocks.extend(text::said(behaviour).map(|text| Block::Text {
        text,
        cites: Vec::new(),
    }));
    let refusal = behaviour.refusal.clone();
    blocks.extend(refusal.map(|text| Block::Refusal { text }));
    let calls = behaviour.tool_calls.iter().cloned();
    blocks.extend(calls.map(
        |ToolCall {
             id,
             name,
             arguments,
         }| Block::ToolUse {
            id,
            name,
            arguments,
        },
    ));
    blocks
}

/// The behaviour with its blocks as a chat has them: all texts joined, all thoughts joined, then the calls.
pub fn as_chat(behaviour: &Behaviour) -> Option<Behaviour> {
    if behaviour.blocks.is_empty() {
        return None;
    }
    let mut chat = Behaviour {
        blocks: Vec::new(),
        ..behaviour.clone()
    };
    for block in &behaviour.blocks {
        match block {
            Block::Text { text, cites } => {
                let said = chat.content.get_or_insert_default();
                let start = said.chars().count();
                said.push_str(text);
                let end = said.chars().count();
                chat.annotations.extend(cites.iter().map(|source| {
                    raw(serde_json::json!({
                        "type": "url_citation",
                        "url_citation": {"start_index": start, "end_index": end, "url": source.url, "title": source.title},
                    }))
                }));
            }
            Block::Thinking { .. } if behaviour.hides_thinking => {}
            Block::Thinking { thinking } => chat
                .reasoning_content
                .get_or_insert_default()
                .push_str(thinking),
            Block::ToolUse {
                id,
                name,
                arguments,
            } => chat.tool_calls.push(ToolCall {
                id: id.clone(),
                name: name.clone(),
                arguments: arguments.clone(),
            }),
            Block::Refusal { text } => chat.refusal.get_or_insert_default().push_str(text),
            Block::CustomTool { .. } | Block::RedactedThinking { .. } | Block::Search { .. } => {}
        }
    }
    Some(chat)
}

/// The counts of an answer.
pub fn counts(ask: &Ask, behaviour: &Behaviour) -> Counts {
    behaviour.counts.unwrap_or_else(|| {
        let (output, thinking) = of(behaviour).iter().fold((0, 0), |(all, thought), block| {
            let bytes = block.bytes();
            let thinks = matches!(block, Block::Thinking { .. });
            (all + bytes, thought + if thinks { bytes } else { 0 })
        });
        Counts {
            input: ask.prompt_tokens as u64,
            output: output.div_ceil(4) as u64,
            thinking: thinking as u64 / 4,
            ..Counts::default()
        }
    })
}

/// JSON's form of a text.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}
