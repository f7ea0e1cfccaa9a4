//! What a path leads to, in OpenAI's API and in Anthropic's.

use super::request::Kind;
use super::things::Thing;

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    Ask(Kind),
    Thing(Thing),
    Models,
    /// Anthropic's.
    CountTokens,
    /// OpenAI's.
    InputTokens,
    Compact,
    /// A response that was made before.
    Stored(&'a str, Stored),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    Itself,
    InputItems,
    Cancel,
}

impl<'a> Route<'a> {
    /// By the end of the path, which has no query.
    pub fn of(path: &'a str) -> Option<Self> {
        if let Some(kind) = Kind::of(path) {
            return Some(Self::Ask(kind));
        }
        if let Some(thing) = Thing::of(path) {
            return Some(Self::Thing(thing));
        }
        let mut segments = path.rsplit('/');
        let last = segments.next().unwrap_or_default();
        let before = segments.next().unwrap_or_default();
        let first = segments.next().unwrap_or_default();
        match (first, before, last) {
            (_, _, "models") => Some(Self::Models),
            (_, "messages", "count_tokens") => Some(Self::CountTokens),
            (_, "responses", "input_tokens") => Some(Self::InputTokens),
            (_, "responses", "compact") => Some(Self::Compact),
            ("responses", id, "input_items") => Some(Self::Stored(id, Stored::InputItems)),
            ("responses", id, "cancel") => Some(Self::Stored(id, Stored::Cancel)),
            (_, "responses", id) => Some(Self::Stored(id, Stored::Itself)),
            _ => None,
        }
    }

    pub fn allows(self, method: &str) -> bool {
        match self {
            Self::Ask(_) | Self::CountTokens | Self::InputTokens | Self::Compact => {
                method == "POST"
            }
            Self::Models => method == "GET",
            Self::Thing(thing) => thing.allows(method),
            Self::Stored(_, Stored::Itself) => ["GET", "DELETE"].contains(&method),
            Self::Stored(_, Stored::InputItems) => method == "GET",
            Self::Stored(_, Stored::Cancel) => method == "POST",
        }
    }

    /// Whether it is a route of Anthropic's, whose errors look otherwise.
    pub fn is_anthropics(self) -> bool {
        matches!(self, Self::Ask(Kind::Messages) | Self::CountTokens)
    }
}
