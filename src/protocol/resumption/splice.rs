//! The events of an answer as the rest of what was delivered before it.

use std::collections::HashSet;

use super::delivered::{Open, Passed};
use crate::protocol::neutral::{Event, Opening};
use crate::types::Usage;

/// The number that encoders know the block by which was open when the stream broke.
pub const REOPENED: u32 = 0;
/// Most blocks whose events are kept back.
const MOST_DROPPED: usize = 1024;

/// See the module. The stream goes on in the block that was open if the answer begins with one of its kind; thoughts behind
/// text that a client has read are left out.
#[derive(Debug)]
pub struct Splice {
    /// The block that was open and has not been gone on with.
    open: Option<Open>,
    /// The answer's block that goes on with it.
    same: Option<u32>,
    has_text: bool,
    dropped: HashSet<u32>,
    /// What the calls before this one used.
    before: Usage,
}

impl Splice {
    pub fn new(passed: &Passed, before: Usage) -> Self {
        Self {
            open: passed.open,
            same: None,
            has_text: passed.length > 0,
            dropped: HashSet::new(),
            before,
        }
    }

    /// What an event of the answer says to the client.
    pub fn edit(&mut self, event: Event, mut tell: impl FnMut(Event)) {
        match event {
            Event::Start { .. } | Event::Unknown { .. } => {}
            Event::BlockStart {
                choice: 0,
                block,
                opening,
            } => self.start(block, opening, &mut tell),
            Event::BlockDelta {
                choice: 0,
                block,
                delta,
            } => {
                if let Some(block) = self.number(block) {
                    tell(Event::BlockDelta {
                        choice: 0,
                        block,
                        delta,
                    });
                }
            }
            Event::BlockStop { choice: 0, block } => {
                if let Some(number) = self.number(block) {
                    if self.same == Some(block) {
                        self.same = None;
                    }
                    tell(Event::BlockStop {
                        choice: 0,
                        block: number,
                    });
                }
            }
            Event::BlockStart { .. } | Event::BlockDelta { .. } | Event::BlockStop { .. } => {}
            Event::Usage(mut report) => {
                report.counts.usage = report.counts.usage.plus(&self.before);
                tell(Event::Usage(report));
            }
            Event::Finish { choice, .. } if choice > 0 => {}
            other => tell(other),
        }
    }

    fn start(&mut self, block: u32, opening: Opening, tell: &mut impl FnMut(Event)) {
        let same = match (&opening, self.open) {
            (Opening::Text, Some(Open::Text)) | (Opening::Thinking, Some(Open::Thinking)) => true,
            (Opening::Thinking | Opening::RedactedThinking(_), _) if self.has_text => {
                if self.dropped.len() < MOST_DROPPED {
                    self.dropped.insert(block);
                }
                return;
            }
            _ => false,
        };
        if same {
            self.open = None;
            self.same = Some(block);
            return;
        }
        if self.open.take().is_some() {
            tell(Event::BlockStop {
                choice: 0,
                block: REOPENED,
            });
        }
        tell(Event::BlockStart {
            choice: 0,
            block: later(block),
            opening,
        });
    }

    /// The number that the client's stream has for a block of the answer; `None`: the client is not told of it.
    fn number(&self, block: u32) -> Option<u32> {
        if self.same == Some(block) {
            return Some(REOPENED);
        }
        (!self.dropped.contains(&block)).then(|| later(block))
    }
}

fn later(block: u32) -> u32 {
    block.saturating_add(REOPENED + 1)
}
