//! Why a text cannot be read.

use super::Pos;

/// The text is not YAML, or not YAML that a configuration needs.
#[derive(Debug)]
pub struct SyntaxError {
    pub pos: Pos,
    pub message: String,
}

pub fn refuse<T>(pos: Pos, message: impl Into<String>) -> Result<T, SyntaxError> {
    Err(SyntaxError {
        pos,
        message: message.into(),
    })
}
