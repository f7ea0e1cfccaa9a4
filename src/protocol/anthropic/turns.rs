//! A conversation as Anthropic wants it: user and assistant in turns, results of tools before anything else, no empty texts.

use std::borrow::Cow;
use std::collections::HashSet;

use super::repairs;
use super::target::Target;
use super::write_blocks::{self, Ink, Unwritable, check};
use crate::protocol::json_write::Object;
use crate::protocol::neutral::{
    Block, Content, Dialect, Message, Notes, Refused, Request, Role, Text, ToolNames, Why,
};

/// Claude Code marks its own accounting in the system prompt; nobody but Anthropic needs it.
const BILLING: &str = "x-anthropic-billing-header:";

/// Messages of one role, one after another.
pub struct Turn<'a> {
    pub role: Role,
    pub blocks: Vec<Cow<'a, Block>>,
}

/// The `messages` array as JSON.
///
/// Consecutive messages of a role become one turn. In a user's turn tool results come first, because they must follow their
/// calls. What cannot be said is noted, and refused where leaving it out would change what is asked.
pub fn write(
    request: &Request,
    names: &ToolNames,
    target: &Target<'_>,
    notes: &mut Notes,
    out: &mut Object<'_>,
) -> Result<(), Refused> {
    let mut turns = turns(request, target.takes_mid_system, notes)?;
    if target.mends {
        repairs::mend(&mut turns, notes);
    }
    trim_prefill(&mut turns);
    if turns.is_empty() {
        return Err(Refused {
            field: "messages".to_owned(),
            why: "at least one message beside the system prompt is required",
        });
    }
    out.array("messages", |out| {
        for turn in &turns {
            out.object(|out| {
                out.text("role", role_name(turn.role));
                out.array("content", |out| {
                    let mut ink = Ink { names, notes };
                    for block in &turn.blocks {
                        write_blocks::block(out, block, &mut ink);
                    }
                });
            });
        }
    });
    Ok(())
}

/// The blocks of the system prompt that other providers are told: texts, without Claude Code's marks for its own accounting.
pub fn system_for_others<'a>(request: &'a Request, notes: &mut Notes) -> Vec<&'a Block> {
    let mut kept = Vec::with_capacity(request.system.len());
    for (index, block) in request.system.iter().enumerate() {
        match block.said() {
            Some(text) if text.starts_with(BILLING) => {
                notes.add(format!("system.{index}"), Why::Hint);
            }
            Some(_) => kept.push(block),
            None => notes.add(format!("system.{index}"), Why::Unsupported),
        }
    }
    kept
}

/// The blocks of the system prompt that Anthropic takes: texts.
pub fn system<'a>(request: &'a Request, notes: &mut Notes) -> Vec<&'a Block> {
    let mut kept = Vec::new();
    for (index, block) in request.system.iter().enumerate() {
        match &block.content {
            Content::Text { text, .. } if text.is_empty() => {}
            Content::Text { .. } => kept.push(block),
            Content::Unknown {
                dialect: Dialect::Anthropic,
                ..
            } => kept.push(block),
            _ => notes.add(format!("system.{index}"), Why::Unsupported),
        }
    }
    kept
}

fn turns<'a>(
    request: &'a Request,
    keeps_system: bool,
    notes: &mut Notes,
) -> Result<Vec<Turn<'a>>, Refused> {
    let mut turns: Vec<Turn<'a>> = Vec::new();
    let mut called = HashSet::new();
    for (index, message) in request.messages.iter().enumerate() {
        let place = request.leading_messages + index;
        let role = match message.role {
            Role::System if !keeps_system => Role::User,
            role => role,
        };
        let mut blocks = Vec::with_capacity(message.content.len());
        for (inner, block) in message.content.iter().enumerate() {
            let field = || format!("messages.{place}.content.{inner}");
            if is_blank(&block.content) {
                continue;
            }
            if let Content::ToolCall(call) = &block.content
                && !called.insert(write_blocks::tool_id(&call.id))
            {
                notes.add(field(), Why::Unsupported);
                continue;
            }
            match check(&block.content, false) {
                Ok(()) => blocks.push(Cow::Borrowed(block)),
                Err(Unwritable::Left(why)) => notes.add(field(), why),
                Err(Unwritable::Refused(why)) => {
                    let field = field();
                    return Err(Refused { field, why });
                }
            }
        }
        if role != message.role {
            said_by_the_system(&mut blocks);
            notes.add(format!("messages.{place}"), Why::Approximated);
        }
        note_extras(message, place, notes);
        if blocks.is_empty() {
            continue;
        }
        match turns.last_mut() {
            Some(turn) if turn.role == role => turn.blocks.extend(blocks),
            _ => turns.push(Turn { role, blocks }),
        }
    }
    for turn in &mut turns {
        if turn.role == Role::User {
            let is_result =
                |block: &Cow<'_, Block>| matches!(block.content, Content::ToolResult(_));
            turn.blocks.sort_by_key(|block| !is_result(block));
        }
    }
    Ok(turns)
}

/// Whitespace alone is refused by Anthropic, as is an empty text.
fn is_blank(content: &Content) -> bool {
    match content {
        Content::Text { text, .. } => text.is_blank(),
        Content::Refusal(text) => text.trim().is_empty(),
        _ => false,
    }
}

fn said_by_the_system(blocks: &mut [Cow<'_, Block>]) {
    for block in blocks {
        if let Content::Text { text, .. } = &mut block.to_mut().content {
            *text = format!("[System message] {}", text.said()).into();
        }
    }
}

fn note_extras(message: &Message, place: usize, notes: &mut Notes) {
    let field = |name: &str| format!("messages.{place}.{name}");
    if message.name.is_some() {
        notes.add(field("name"), Why::Unsupported);
    }
    for extension in &message.extensions.0 {
        notes.add(field(&extension.name), Why::Unsupported);
    }
}

/// An assistant's last words that the model shall go on from must not end in white space.
fn trim_prefill(turns: &mut [Turn<'_>]) {
    let Some(turn) = turns.last_mut().filter(|turn| turn.role == Role::Assistant) else {
        return;
    };
    let Some(block) = turn.blocks.last_mut() else {
        return;
    };
    let Content::Text { text, .. } = &block.content else {
        return;
    };
    let said = text.said();
    let trimmed = said.trim_end();
    if trimmed.len() == said.len() {
        return;
    }
    let trimmed = Text::from(trimmed);
    if let Content::Text { text, .. } = &mut block.to_mut().content {
        *text = trimmed;
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}
