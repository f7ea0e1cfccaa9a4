//! Thoughts that other providers' models have had in a conversation which now goes on at Anthropic's.
//!
//! A client of Messages may have been answered by a model of OpenAI's before, as when a fallback stood in: those thoughts bear
//! OpenAI's proof in the place of a signature. Anthropic refuses a signature that is not its own, so they are left out.

use memchr::memmem;

use crate::protocol::json::{plain_str, scan_object};
use crate::protocol::json_edit::{self, Part};
use crate::protocol::neutral::proof;

/// Whether a look at the messages of this body is worth its time: few are.
pub fn may_hold_others_thoughts(body: &[u8]) -> bool {
    memmem::find(body, proof::RESPONSES.as_bytes()).is_some()
}

/// The `messages` of a request without thoughts that Anthropic cannot check. `None`: as they are.
pub fn without_others_thoughts(messages: &[u8]) -> Option<Vec<u8>> {
    json_edit::array(messages, |_, message| {
        let edited = json_edit::object(message, |name, content| match name {
            "content" => without(content).map_or(Part::Keep, Part::Replace),
            _ => Part::Keep,
        });
        match edited {
            // Anthropic takes no message that says nothing.
            Some(edited) if says_nothing(&edited) => Part::Drop,
            Some(edited) => Part::Replace(edited),
            None => Part::Keep,
        }
    })
}

fn without(content: &[u8]) -> Option<Vec<u8>> {
    // A text is no array, and is kept.
    json_edit::array(content, |_, block| match is_others(block) {
        true => Part::Drop,
        false => Part::Keep,
    })
}

fn is_others(block: &[u8]) -> bool {
    let (mut is_thought, mut is_foreign) = (false, false);
    // What is no object is no block.
    let _ = scan_object(block, |field| {
        let text = plain_str(block, &field.value);
        match (&block[field.key], text) {
            (b"type", text) => is_thought = text == Some("thinking"),
            (b"signature", Some(text)) => is_foreign = !proof::is_anthropic(text),
            _ => {}
        }
    });
    is_thought && is_foreign
}

fn says_nothing(message: &[u8]) -> bool {
    let mut nothing = false;
    let _ = scan_object(message, |field| {
        nothing |= &message[field.key] == b"content" && message[field.value] == *b"[]";
    });
    nothing
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_openai_thought_is_left_out() {
        let own = json!({"type": "thinking", "thinking": "a", "signature": "EqQB+/=="});
        let other = json!({"type": "thinking", "thinking": "b", "signature": proof::of_reasoning_item("rs_1", "gAAA")});
        let text = json!({"type": "text", "text": "openai-responses:rs_1:x"});
        let messages = json!([
            {"role": "user", "content": "openai-responses: what is it?"},
            {"role": "assistant", "content": [own, other, text]},
            {"role": "user", "content": "go on"},
            {"role": "assistant", "content": [other]},
            {"role": "user", "content": [text]},
        ]);
        let edited = without_others_thoughts(messages.to_string().as_bytes()).unwrap();
        let edited: Value = serde_json::from_slice(&edited).unwrap();
        assert_eq!(
            edited,
            json!([
                messages[0],
                {"role": "assistant", "content": [own, text]},
                messages[2],
                messages[4],
            ])
        );
        for kept in [
            json!([messages[0], messages[4]]),
            json!([{"role": "assistant", "content": [own]}]),
            json!("x"),
        ] {
            assert_eq!(
                without_others_thoughts(kept.to_string().as_bytes()),
                None,
                "{kept}"
            );
        }
    }
}
