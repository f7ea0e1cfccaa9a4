//! Blocks one after another, for clients that read them so.
//!
//! Upstreams may have several blocks open at once, as parallel tool calls. Those behind the first wait, in the order in which
//! they began, until it is closed.

use std::collections::VecDeque;

use super::{Delta, Opening};

/// Most bytes of blocks that wait for one before them.
const MAX_WAITING: usize = 16 * 1024 * 1024;
/// Most blocks that wait.
const MOST_WAITING: usize = 1024;

/// What happens next to the one block that is open. Opening and closing alternate.
#[derive(Debug)]
pub enum Step {
    Open(Opening),
    Delta(Delta),
    Close,
}

/// Why something has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// A block of this number is under way already, or not.
    Number,
    /// More waits than is kept: the stream cannot go on.
    TooMuch,
}

/// Puts the blocks of one answer in order.
#[derive(Debug, Default)]
pub struct InTurn {
    /// The number of the block that is open.
    open: Option<u32>,
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    block: u32,
    opening: Opening,
    deltas: Vec<Delta>,
    is_whole: bool,
}

impl InTurn {
    /// Where a block of this number has been opened already.
    pub fn inside(block: u32) -> Self {
        Self {
            open: Some(block),
            ..Self::default()
        }
    }

    /// A block begins.
    pub fn start(
        &mut self,
        block: u32,
        opening: Opening,
        mut tell: impl FnMut(Step),
    ) -> Result<(), Unfit> {
        if self.open == Some(block) || self.waiting.iter().any(|waits| waits.block == block) {
            return Err(Unfit::Number);
        }
        if self.open.is_none() {
            self.open = Some(block);
            tell(Step::Open(opening));
            return Ok(());
        }
        if self.waiting.len() >= MOST_WAITING {
            return Err(Unfit::TooMuch);
        }
        self.bytes = self.bytes.saturating_add(size(&opening));
        self.waiting.push_back(Waiting {
            block,
            opening,
            deltas: Vec::new(),
            is_whole: false,
        });
        self.within_bounds()
    }

    pub fn delta(
        &mut self,
        block: u32,
        delta: Delta,
        mut tell: impl FnMut(Step),
    ) -> Result<(), Unfit> {
        if self.open == Some(block) {
            tell(Step::Delta(delta));
            return Ok(());
        }
        let mut waiting = self.waiting.iter_mut();
        let waits = waiting.find(|waits| waits.block == block && !waits.is_whole);
        let waits = waits.ok_or(Unfit::Number)?;
        self.bytes = self.bytes.saturating_add(delta_size(&delta));
        waits.deltas.push(delta);
        self.within_bounds()
    }

    pub fn stop(&mut self, block: u32, mut tell: impl FnMut(Step)) {
        if self.open == Some(block) {
            self.open = None;
            tell(Step::Close);
            return self.go_on(&mut tell);
        }
        let mut waiting = self.waiting.iter_mut();
        if let Some(waits) = waiting.find(|waits| waits.block == block) {
            waits.is_whole = true;
        }
    }

    /// Ends all blocks, as before the end of the answer.
    pub fn close_all(&mut self, mut tell: impl FnMut(Step)) {
        loop {
            if self.open.take().is_some() {
                tell(Step::Close);
            }
            if self.waiting.is_empty() {
                return;
            }
            self.go_on(&mut tell);
        }
    }

    /// Forgets what waits, as when the stream fails; true if a block was open.
    pub fn abandon(&mut self) -> bool {
        self.waiting.clear();
        self.bytes = 0;
        self.open.take().is_some()
    }

    fn within_bounds(&self) -> Result<(), Unfit> {
        if self.bytes > MAX_WAITING {
            return Err(Unfit::TooMuch);
        }
        Ok(())
    }

    /// Opens the blocks whose turn it is.
    fn go_on(&mut self, tell: &mut impl FnMut(Step)) {
        while let Some(waits) = self.waiting.pop_front() {
            let deltas = waits.deltas.iter().map(delta_size).sum::<usize>();
            let freed = size(&waits.opening).saturating_add(deltas);
            self.bytes = self.bytes.saturating_sub(freed);
            tell(Step::Open(waits.opening));
            for delta in waits.deltas {
                tell(Step::Delta(delta));
            }
            if !waits.is_whole {
                self.open = Some(waits.block);
                return;
            }
            tell(Step::Close);
        }
    }
}

fn delta_size(delta: &Delta) -> usize {
    let held = match delta {
        Delta::Signature(text) => text.len(),
        Delta::Citation(citation) => citation.raw.as_bytes().len(),
        Delta::Unknown { raw, .. } => raw.as_bytes().len(),
        other => other.content_bytes(),
    };
    held + std::mem::size_of::<Delta>()
}

/// About how many bytes an opening holds.
fn size(opening: &Opening) -> usize {
    let held = match opening {
        Opening::RedactedThinking(text) | Opening::Image(text) | Opening::Audio(text) => text.len(),
        Opening::ToolCall { id, name, .. } | Opening::ServerCall { id, name } => {
            id.len() + name.len()
        }
        Opening::ServerResult(result) => result.content.as_bytes().len(),
        Opening::Unknown { raw, .. } => raw.as_bytes().len(),
        Opening::Text | Opening::Refusal | Opening::Thinking => 0,
    };
    held + std::mem::size_of::<Waiting>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Act {
        Start(u32),
        Delta(u32),
        Stop(u32),
    }

    fn act() -> impl Strategy<Value = Act> {
        (0_u32..3, 0_u32..4).prop_map(|(kind, block)| match kind {
            0 => Act::Start(block),
            1 => Act::Delta(block),
            _ => Act::Stop(block),
        })
    }

    proptest! {
        /// Whatever comes: one block at a time, each delta in its own block, all that was taken is told.
        #[test]
        fn one_block_at_a_time(acts in prop::collection::vec(act(), 0..60)) {
            let mut turns = InTurn::default();
            let mut told: Vec<String> = Vec::new();
            let mut taken = 0;
            let mut open: Option<String> = None;
            for (place, act) in acts.iter().enumerate() {
                let tell = |step: Step| match step {
                    Step::Open(Opening::Audio(name)) => {
                        assert_eq!(open.replace(name), None);
                    }
                    Step::Delta(Delta::Text(text)) => {
                        assert_eq!(open.as_ref().and_then(|name| text.strip_prefix(name.as_str())), Some("."));
                        told.push(text);
                    }
                    Step::Close => assert!(open.take().is_some()),
                    other => panic!("{other:?}"),
                };
                match act {
                    // The name is the block's: a number may come again after it was closed.
                    Act::Start(block) => {
                        let _ = turns.start(*block, Opening::Audio(block.to_string()), tell);
                    }
                    Act::Delta(block) => {
                        let delta = Delta::Text(format!("{block}."));
                        taken += usize::from(turns.delta(*block, delta, tell).is_ok());
                    }
                    Act::Stop(block) => turns.stop(*block, tell),
                }
                prop_assert!(place < acts.len());
            }
            turns.close_all(|step| {
                if let Step::Delta(Delta::Text(text)) = step {
                    told.push(text);
                }
            });
            prop_assert_eq!(told.len(), taken);
        }
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut turns = InTurn::default();
        for block in 0..2 {
            turns.start(block, Opening::Text, |_| {}).unwrap();
        }
        let text = "x".repeat(1024 * 1024);
        let full = (0..20).find_map(|_| turns.delta(1, Delta::Text(text.clone()), |_| {}).err());
        assert_eq!(full, Some(Unfit::TooMuch));
    }
}
