//! What becomes of a stream that breaks after its first content.

/// `mid_stream_failure`, of the router or of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MidStreamFailure {
    /// An error ends it.
    #[default]
    Error,
    /// Another deployment goes on from the text that was delivered, where a client could not tell that from one answer.
    Resume,
}

impl MidStreamFailure {
    /// The values, as messages name them.
    pub const VALUES: &str = "error or resume";

    pub fn named(name: &str) -> Option<Self> {
        match name {
            "error" => Some(Self::Error),
            "resume" => Some(Self::Resume),
            _ => None,
        }
    }
}
