//! The text of answers and how a stream cuts it.

use super::Behaviour;

const DEFAULT: &str = "Hello! How can I help you today?";
const PLAIN: &str = "The pointsman sets the track for every train. ";
const MULTIBYTE: &str = "Weiche für Zug 7: Ελλάδα, 東京駅 🚂🚃 ";

/// The whole text this behaviour answers with.
pub fn whole(behaviour: &Behaviour) -> String {
    if let Some(text) = &behaviour.content {
        return text.clone();
    }
    let product = behaviour
        .chunks
        .zip(behaviour.chunk_bytes)
        .map(|(count, size)| count * size);
    match behaviour.content_bytes.or(product) {
        Some(bytes) => filled(bytes, behaviour.multibyte),
        None if behaviour.multibyte => MULTIBYTE.trim_end().to_owned(),
        None => DEFAULT.to_owned(),
    }
}

/// The text of the message, unless something else is said instead of it.
pub fn said(behaviour: &Behaviour) -> Option<String> {
    let otherwise = !behaviour.tool_calls.is_empty()
        || behaviour.refusal.is_some()
        || behaviour.audio.is_some();
    (behaviour.content.is_some() || !otherwise).then(|| whole(behaviour))
}

/// The text chunks of a stream; together they are the text, none is empty and none ends within a character.
pub fn pieces<'a>(text: &'a str, behaviour: &Behaviour) -> Vec<&'a str> {
    let size = match (behaviour.chunk_bytes, behaviour.chunks) {
        (Some(bytes), _) => bytes,
        (None, Some(count)) => text.len().div_ceil(count.max(1)),
        (None, None) => return text.split_inclusive(' ').collect(),
    };
    let mut rest = text;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let first = rest.chars().next().map_or(1, char::len_utf8);
        let end = rest.floor_char_boundary(size).max(first);
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Exactly `bytes` bytes of prose.
fn filled(bytes: usize, multibyte: bool) -> String {
    let source = if multibyte { MULTIBYTE } else { PLAIN };
    let mut text = source.repeat(bytes / source.len() + 1);
    text.truncate(text.floor_char_boundary(bytes));
    text.extend(std::iter::repeat_n('.', bytes - text.len()));
    text
}
