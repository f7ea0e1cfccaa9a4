//! What conversations have in common: hashes of how they begin, so that calls that a provider's cache may know can be told.
//!
//! Hashes of bytes as they were sent, equal in every process: a client that writes the same history in another way starts
//! anew.

use std::hash::{BuildHasher as _, Hasher as _};

use foldhash::quality::FixedState;

use super::continuity::field;
use super::json::{plain_str, scan_array};
use crate::types::Operation;

/// Beginnings of one conversation that are compared: LiteLLM looks back as far.
const LOOK_BACK: usize = 20;
/// Shorter beginnings no provider keeps: some 1,024 tokens.
const SHORTEST_BYTES: usize = 4_096;
const SEED: u64 = 0x706f_696e_7473_6d61;

/// How a conversation begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginnings {
    /// What comes before the first turn, and that turn: the same for as long as the conversation goes on.
    pub opening: u64,
    /// All of it, then without its last message, and so on; none that is too short to be kept.
    pub longest_first: Box<[u64]>,
}

/// A hash of what calls share.
pub fn of(text: &[u8]) -> u64 {
    let mut hasher = FixedState::with_seed(SEED).build_hasher();
    hasher.write(text);
    hasher.finish()
}

/// How the conversation of a request begins; `None` where it has none.
pub fn beginnings(operation: Operation, body: &[u8]) -> Option<Beginnings> {
    let (before, turns): (&[&str], _) = match operation {
        Operation::Chat => (&["tools"], "messages"),
        Operation::Messages => (&["tools", "system"], "messages"),
        Operation::Responses => (&["tools", "instructions"], "input"),
        _ => return None,
    };
    let turns = field(body, turns)?;
    let mut hasher = FixedState::with_seed(SEED).build_hasher();
    let mut bytes = 0;
    for name in before {
        let value = field(body, name).unwrap_or_default();
        hasher.write(value);
        bytes += value.len();
    }
    let (mut opening, mut newest_last) = (None, Vec::new());
    let mut turn = |turn: &[u8]| {
        hasher.write(turn);
        bytes += turn.len();
        let hash = hasher.clone().finish();
        if opening.is_none() && !is_before_the_first_turn(turn) {
            opening = Some(hash);
        }
        if bytes >= SHORTEST_BYTES {
            newest_last.push(hash);
        }
    };
    match turns.first()? {
        b'[' => scan_array(turns, |range| {
            if let Some(item) = turns.get(range) {
                turn(item);
            }
        })
        .ok()?,
        // Responses take a text alone.
        _ => turn(turns),
    }
    let longest_first = newest_last.into_iter().rev().take(LOOK_BACK);
    Some(Beginnings {
        opening: opening.unwrap_or_else(|| hasher.finish()),
        longest_first: longest_first.collect(),
    })
}

/// Instructions that stand among the turns.
fn is_before_the_first_turn(turn: &[u8]) -> bool {
    let role = field(turn, "role");
    let role = role.and_then(|role| plain_str(role, &(0..role.len())));
    role.is_some_and(|role| ["system", "developer"].contains(&role))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of_body(operation: Operation, body: Value) -> Beginnings {
        beginnings(operation, body.to_string().as_bytes()).unwrap()
    }

    fn message(role: &str, text: &str) -> Value {
        json!({"role": role, "content": text})
    }

    #[test]
    fn a_conversation_that_goes_on_knows_its_beginning() {
        let long = "x".repeat(SHORTEST_BYTES);
        for (operation, turns) in [
            (Operation::Chat, "messages"),
            (Operation::Messages, "messages"),
            (Operation::Responses, "input"),
        ] {
            let mut messages = vec![message("system", "Be brief."), message("user", &long)];
            let ask =
                |messages: &[Value]| of_body(operation, json!({"tools": [], turns: messages}));
            let first = ask(&messages);
            assert_eq!(first.longest_first.len(), 1);
            messages.push(message("assistant", "Yes."));
            messages.push(message("user", "And?"));
            let second = ask(&messages);
            assert_eq!(second.opening, first.opening);
            assert_eq!(second.longest_first[2], first.longest_first[0]);
            messages[1] = message("user", "Something else");
            assert_ne!(ask(&messages).opening, first.opening);
            for _ in 0..100 {
                messages.push(message("user", &long));
            }
            assert_eq!(ask(&messages).longest_first.len(), LOOK_BACK);
        }
    }

    #[test]
    fn what_comes_before_the_turns_counts() {
        let body = |system: &str| json!({"system": system, "messages": [message("user", "Hi")]});
        let one = of_body(Operation::Messages, body("a"));
        assert_ne!(one.opening, of_body(Operation::Messages, body("b")).opening);
        assert!(one.longest_first.is_empty(), "too short to be kept");
        let text = of_body(Operation::Responses, json!({"input": "Hi"}));
        assert!(text.longest_first.is_empty());
        assert_eq!(beginnings(Operation::Chat, b"{}"), None);
        assert_eq!(beginnings(Operation::Embedding, b"{\"input\": []}"), None);
    }
}
