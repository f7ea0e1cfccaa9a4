//! What all mocked answers have in common: usage, events, and how a text is cut into chunks.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Asked, Said};

/// Characters of one chunk, as LiteLLM cuts its mocks.
const PIECE: usize = 3;
/// Longer texts are cut into no more chunks than this.
const MOST_PIECES: usize = 2_000;

/// OpenAI's usage of an answer whose text comes `times` over.
pub fn usage(asked: &Asked<'_>, times: u64) -> Value {
    let completion = asked.text_tokens.saturating_mul(times);
    json!({
        "prompt_tokens": asked.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": asked.prompt_tokens.saturating_add(completion),
    })
}

/// One server-sent event.
pub fn event(data: &Value) -> Bytes {
    Bytes::from(format!("data: {data}\n\n"))
}

/// A stream's events with the end that OpenAI gives one.
pub fn stream(mut pieces: Vec<Bytes>) -> Said {
    pieces.push(Bytes::from_static(b"data: [DONE]\n\n"));
    Said {
        status: 200,
        is_event_stream: true,
        pieces,
    }
}

/// A whole answer as somebody wrote it, with the fields that it leaves out.
pub fn filled<const N: usize>(answer: &Map<String, Value>, fields: [(&str, Value); N]) -> Said {
    let mut answer = answer.clone();
    for (field, value) in fields {
        answer.entry(field).or_insert(value);
    }
    Said::whole(200, &answer.into())
}

/// The text in pieces of a few characters, fewer and longer ones where all choices together would have too many.
pub fn cut(text: &str, choices: u64) -> impl Iterator<Item = &str> {
    let choices = usize::try_from(choices).unwrap_or(usize::MAX).max(1);
    let most = (MOST_PIECES / choices).max(1);
    let size = text.chars().count().div_ceil(most).max(PIECE);
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest
            .char_indices()
            .nth(size)
            .map_or(rest.len(), |(at, _)| at);
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}
