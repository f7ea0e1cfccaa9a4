//! Why an errand cannot be done.

/// Texts name the id as the client wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErrandError {
    /// Not an id of ours, somebody else's, deleted or too old: nobody is told which.
    #[error("Response with id '{0}' not found.")]
    Unknown(String),
    #[error(
        "Response with id '{id}' not found: it is kept by the deployment '{deployment}', which is not configured any more."
    )]
    DeploymentGone { id: String, deployment: String },
    #[error("Cannot cancel a synchronous response.")]
    NotInBackground,
    #[error("'after': there is no item with the id '{0}' in this list.")]
    NoSuchItem(String),
    #[error("Responses cannot be read at the moment; try again.")]
    Unavailable,
}

impl ErrandError {
    pub fn status(&self) -> u16 {
        match self {
            Self::Unknown(_) | Self::DeploymentGone { .. } => 404,
            Self::NotInBackground | Self::NoSuchItem(_) => 400,
            Self::Unavailable => 503,
        }
    }
}
