//! Conversations that Anthropic would refuse, mended where the configuration asks for it (`modify_params`, as in LiteLLM
//! 1.106.2).
//!
//! A result is made up for a call that has none, a result of no call is left out, and a conversation that the assistant opens
//! gets a user's word before it. What is made up says so; nothing that anybody said is changed.

use std::borrow::Cow;
use std::collections::HashSet;

use super::turns::Turn;
use super::write_blocks::tool_id;
use crate::protocol::neutral::{Block, Content, Message, Notes, Role, ToolResult, Why};

/// What a user says who has said nothing.
const NOTHING_SAID: &str = "Please continue.";
/// The result of a call that has none.
const NO_RESULT: &str = "[The result of this call is missing.]";

/// Mends the turns of a conversation.
pub fn mend(turns: &mut Vec<Turn<'_>>, notes: &mut Notes) {
    leave_out_orphans(turns, notes);
    turns.retain(|turn| !turn.blocks.is_empty());
    answer_calls(turns, notes);
    if turns
        .first()
        .is_none_or(|turn| turn.role == Role::Assistant)
    {
        notes.add("messages", Why::Approximated);
        turns.insert(0, turn(Block::text(NOTHING_SAID)));
    }
}

/// An assistant that calls tools must have thought before, or Anthropic refuses to let it think on: where the last one that
/// called has not, thinking is better left out.
pub fn forbids_thinking(messages: &[Message]) -> bool {
    let holds = |message: &Message, wanted: fn(&Content) -> bool| {
        message.content.iter().any(|block| wanted(&block.content))
    };
    let called =
        |message: &&Message| holds(message, |content| matches!(content, Content::ToolCall(_)));
    let thought = |content: &Content| {
        matches!(
            content,
            Content::Thinking {
                signature: Some(_),
                ..
            } | Content::RedactedThinking(_)
        )
    };
    let last = messages.iter().rev().find(called);
    last.is_some_and(|message| !holds(message, thought))
}

fn turn<'a>(block: Block) -> Turn<'a> {
    Turn {
        role: Role::User,
        blocks: vec![Cow::Owned(block)],
    }
}

fn calls(turn: &Turn<'_>) -> Vec<String> {
    let id = |block: &Cow<'_, Block>| match &block.content {
        Content::ToolCall(call) => Some(tool_id(&call.id)),
        _ => None,
    };
    turn.blocks.iter().filter_map(id).collect()
}

fn result_of(block: &Block) -> Option<String> {
    match &block.content {
        Content::ToolResult(result) => Some(tool_id(&result.call)),
        _ => None,
    }
}

/// A result must follow its call, in the next turn.
fn leave_out_orphans(turns: &mut [Turn<'_>], notes: &mut Notes) {
    let mut open: HashSet<String> = HashSet::new();
    for turn in turns {
        if turn.role == Role::Assistant {
            open = calls(turn).into_iter().collect();
            continue;
        }
        turn.blocks.retain(|block| match result_of(block) {
            Some(call) if !open.contains(&call) => {
                notes.add("messages", Why::Unsupported);
                false
            }
            _ => true,
        });
        open.clear();
    }
}

/// Every call has its result in the turn behind it.
fn answer_calls(turns: &mut Vec<Turn<'_>>, notes: &mut Notes) {
    let mut at = 0;
    while let Some(turn_of_calls) = turns.get(at) {
        at += 1;
        let mut missing = match turn_of_calls.role {
            Role::Assistant => calls(turn_of_calls),
            _ => continue,
        };
        let is_next = turns.get(at).is_some_and(|turn| turn.role == Role::User);
        if let Some(next) = turns.get(at).filter(|_| is_next) {
            let given: HashSet<String> = next
                .blocks
                .iter()
                .filter_map(|block| result_of(block))
                .collect();
            missing.retain(|call| !given.contains(call));
        }
        if missing.is_empty() {
            continue;
        }
        notes.add("messages", Why::Approximated);
        let made_up = missing.into_iter().map(|call| {
            Cow::Owned(Block::plain(Content::ToolResult(ToolResult {
                call,
                content: vec![Block::text(NO_RESULT)],
                is_error: true,
            })))
        });
        match turns.get_mut(at).filter(|_| is_next) {
            // Results come first in their turn.
            Some(next) => {
                next.blocks.splice(0..0, made_up);
            }
            None => turns.insert(
                at,
                Turn {
                    role: Role::User,
                    blocks: made_up.collect(),
                },
            ),
        }
    }
}
