//! Turning an answer back into what the client asked for.

use std::collections::{HashMap, HashSet};

use super::free_text::{self, Unwrapping};
use super::{
    Answer, Block, Content, Delta, Event, Opening, StopReason, ToolCallKind, ToolNames, proof,
};

/// What was renamed or disguised when a request was encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reversal {
    pub names: ToolNames,
    /// The answer's format was asked for as the arguments of a tool of this name.
    pub format_tool: Option<&'static str>,
    /// Tools of free text that were told as functions, by the names that were sent.
    pub free_text: HashSet<String>,
    /// The deployment that was asked: thoughts that it alone can read are marked as its own.
    pub maker: Option<String>,
}

impl Reversal {
    /// A whole answer: names are the client's again, and the format tool's arguments are the answer's text.
    pub fn undo(&self, answer: &mut Answer) {
        for choice in &mut answer.choices {
            let mut unmasked = false;
            let mut calls = false;
            for block in &mut choice.content {
                if let Content::Thinking {
                    signature: Some(signature),
                    ..
                } = &mut block.content
                {
                    self.mark(signature);
                }
                let Content::ToolCall(call) = &mut block.content else {
                    continue;
                };
                if self.format_tool == Some(call.name.as_str()) {
                    unmasked = true;
                    *block = Block::text(std::mem::take(&mut call.arguments));
                } else {
                    calls = true;
                    if self.free_text.contains(&call.name) {
                        call.kind = ToolCallKind::Custom;
                        call.arguments = free_text::unwrap(&call.arguments);
                    }
                    call.name = self.names.original(&call.name).to_owned();
                }
            }
            if let Some(stop) = &mut choice.stop
                && unmasked
                && !calls
                && stop.reason == StopReason::ToolUse
            {
                stop.reason = StopReason::EndTurn;
            }
        }
    }
}

impl Reversal {
    fn mark(&self, signature: &mut String) {
        let maker = self.maker.as_deref();
        if let Some(marked) = maker.and_then(|maker| proof::made_by(signature, maker)) {
            *signature = marked;
        }
    }
}

/// The same for a stream.
#[derive(Debug, Default)]
pub struct StreamReversal {
    reversal: Reversal,
    /// Blocks that are the format tool's.
    masked: HashSet<(u32, u32)>,
    /// Blocks that are calls of tools of free text.
    wrapped: HashMap<(u32, u32), Unwrapping>,
    /// Choices in which the client's tools are called.
    calling: HashSet<u32>,
}

/// Most blocks and choices that are remembered.
const MOST: usize = 1024;

impl StreamReversal {
    pub fn new(reversal: Reversal) -> Self {
        Self {
            reversal,
            ..Self::default()
        }
    }

    pub fn undo(&mut self, event: Event) -> Event {
        match event {
            Event::BlockStart {
                choice,
                block,
                opening: Opening::ToolCall { id, name, mut kind },
            } => {
                let is_format = self.reversal.format_tool == Some(name.as_str());
                let opening = if is_format && self.masked.len() < MOST {
                    self.masked.insert((choice, block));
                    Opening::Text
                } else {
                    if self.calling.len() < MOST {
                        self.calling.insert(choice);
                    }
                    if self.reversal.free_text.contains(&name) && self.wrapped.len() < MOST {
                        kind = ToolCallKind::Custom;
                        let unwrapping = Unwrapping::default();
                        self.wrapped.insert((choice, block), unwrapping);
                    }
                    let name = self.reversal.names.original(&name).to_owned();
                    Opening::ToolCall { id, name, kind }
                };
                Event::BlockStart {
                    choice,
                    block,
                    opening,
                }
            }
            Event::BlockDelta {
                choice,
                block,
                delta: Delta::Arguments(text),
            } if self.masked.contains(&(choice, block)) => Event::BlockDelta {
                choice,
                block,
                delta: Delta::Text(text),
            },
            Event::BlockDelta {
                choice,
                block,
                delta: Delta::Signature(mut signature),
            } => {
                self.reversal.mark(&mut signature);
                Event::BlockDelta {
                    choice,
                    block,
                    delta: Delta::Signature(signature),
                }
            }
            Event::BlockDelta {
                choice,
                block,
                delta: Delta::Arguments(text),
            } => {
                let wrapped = self.wrapped.get_mut(&(choice, block));
                let text = match wrapped {
                    Some(unwrapping) => unwrapping.add(&text),
                    None => text,
                };
                Event::BlockDelta {
                    choice,
                    block,
                    delta: Delta::Arguments(text),
                }
            }
            Event::BlockStop { choice, block } => {
                self.wrapped.remove(&(choice, block));
                Event::BlockStop { choice, block }
            }
            Event::Finish { choice, mut stop } => {
                let masks = self.masked.iter().any(|(of, _)| *of == choice);
                let is_call = stop.reason == StopReason::ToolUse;
                if masks && is_call && !self.calling.contains(&choice) {
                    stop.reason = StopReason::EndTurn;
                }
                Event::Finish { choice, stop }
            }
            other => other,
        }
    }
}
