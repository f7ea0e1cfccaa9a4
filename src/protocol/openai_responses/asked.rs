//! What of a request its answer needs again: the fields that a response repeats, and what the client calls its tools.

use super::names::CallNames;
use super::path;
use crate::protocol::json_fields::Fields;
use crate::protocol::json_write::Object;
use crate::protocol::neutral::Request;

/// The fields of a request that its response repeats, with what OpenAI says for those that were not sent.
const REPEATED: [(&str, &[u8]); 20] = [
    ("background", b"false"),
    ("instructions", b"null"),
    ("max_output_tokens", b"null"),
    ("max_tool_calls", b"null"),
    ("metadata", b"{}"),
    ("parallel_tool_calls", b"true"),
    ("previous_response_id", b"null"),
    ("prompt_cache_key", b"null"),
    ("prompt_cache_retention", b"null"),
    ("reasoning", br#"{"effort":null,"summary":null}"#),
    ("safety_identifier", b"null"),
    ("store", b"true"),
    ("temperature", b"1.0"),
    ("text", br#"{"format":{"type":"text"}}"#),
    ("tool_choice", br#""auto""#),
    ("tools", b"[]"),
    ("top_logprobs", b"0"),
    ("top_p", b"1.0"),
    ("truncation", br#""disabled""#),
    ("user", b"null"),
];

/// A response has this field of its request.
pub(super) fn is_repeated(name: &str) -> bool {
    REPEATED.iter().any(|(repeated, _)| *repeated == name)
}

/// Where what was read stands in the request, as its client spells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Of the blocks of the system prompt.
    pub system: Vec<String>,
    /// Of the blocks of each message: the index of the item.
    pub messages: Vec<Vec<usize>>,
    pub tools: Vec<String>,
}

/// What was asked, for the one who writes the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The values that were sent, as JSON; the places are those of [`REPEATED`].
    repeated: [Option<Box<[u8]>>; REPEATED.len()],
    service_tier: Option<String>,
    pub(super) names: CallNames,
    pub(super) places: Places,
}

impl Asked {
    /// Keeps what a response repeats of a request.
    pub(super) fn of(fields: &Fields<'_>) -> Self {
        let mut asked = Self::default();
        for (name, value) in fields.untaken() {
            let place = REPEATED.iter().position(|(repeated, _)| *repeated == name);
            if let Some(slot) = place.and_then(|place| asked.repeated.get_mut(place)) {
                *slot = Some(value.into());
            }
        }
        asked
    }

    pub(super) fn with_tier(mut self, tier: Option<&str>) -> Self {
        self.service_tier = tier.filter(|tier| *tier != "auto").map(str::to_owned);
        self
    }

    /// The tier that an answer is said to have if its upstream says none.
    pub(super) fn service_tier(&self) -> &str {
        self.service_tier.as_deref().unwrap_or("default")
    }

    pub(super) fn write(&self, out: &mut Object<'_>) {
        for ((name, default), sent) in REPEATED.iter().zip(&self.repeated) {
            out.raw(name, sent.as_deref().unwrap_or(default));
        }
    }

    /// The client's spelling of a place in `request`, such as that of a refusal: `messages.2.content.1` → `input[4]`.
    pub fn path(&self, request: &Request, field: &str) -> String {
        path::of_client(field, request.leading_messages, &self.places)
    }
}
