//! Why a request cannot go on from a response.

/// What is wrong with what a request refers to. Texts name the id as the client wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Not an id of ours, somebody else's, deleted or too old: nobody is told which.
    #[error("Previous response with id '{0}' not found.")]
    Unknown(String),
    #[error(
        "Previous response with id '{0}' not found: the beginning of its conversation was deleted, or is too long ago."
    )]
    Incomplete(String),
    #[error(
        "Previous response with id '{id}' not found: it is kept by the deployment '{deployment}', which is not configured any more."
    )]
    DeploymentGone { id: String, deployment: String },
    #[error(
        "Previous response with id '{id}' cannot be gone on from with this model: it is kept at the provider of '{made_by}', \
         whose account no deployment of the model calls. Ask '{made_by}', or send the whole conversation as `input`."
    )]
    KeptElsewhere { id: String, made_by: String },
    #[error(
        "the conversation that ends with the response '{id}' has more than {most} bytes: begin a new one"
    )]
    TooLong { id: String, most: usize },
    #[error("conversations cannot be read at the moment; try again")]
    Unavailable,
}

impl ReferenceError {
    pub fn status(&self) -> u16 {
        match self {
            Self::Unavailable => 503,
            Self::TooLong { .. } => 413,
            _ => 400,
        }
    }

    /// OpenAI's code, which clients look for to send the whole conversation instead.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Unknown(_)
            | Self::Incomplete(_)
            | Self::DeploymentGone { .. }
            | Self::KeptElsewhere { .. } => Some("previous_response_not_found"),
            Self::TooLong { .. } | Self::Unavailable => None,
        }
    }
}
