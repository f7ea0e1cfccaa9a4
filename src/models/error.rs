//! Why a change is not made. Nothing has changed then.

use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// LiteLLM's text, for clients that look for it.
    #[error(
        "Set `'STORE_MODEL_IN_DB='True'` in your env to enable this feature. (Or `store_model_in_db: true` in general_settings; \
         `supported_db_objects`, when it is set, must name `models`.)"
    )]
    Off,
    #[error("Model with id={0} not found in db")]
    Unknown(String),
    /// LiteLLM's text.
    #[error(
        "Can't edit model. Model in config. Store model in db via `/model/new`. to edit. (id={0}: the configuration file decides \
         about its own deployments)"
    )]
    OfTheFile(String),
    #[error(
        "model_info.id: '{0}' is the id of another deployment; give this one an id of its own, or none"
    )]
    IdTaken(String),
    /// What was asked for would be a deployment that cannot be called.
    #[error("{message}")]
    Invalid {
        /// The field, where it is known.
        field: Option<String>,
        message: String,
    },
    #[error("there are {0} models in the database already, which is as many as there may be")]
    TooMany(usize),
    #[error(
        "Model with id={0} was changed by somebody else at the same time; look at it and try again"
    )]
    Overtaken(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Written, if at all, but not in force here yet.
    #[error("the change could not be put in force: {0}")]
    NotTaken(String),
}

impl ChangeError {
    /// A model that cannot be called, for the reason `problem`.
    pub fn unusable(problem: &str) -> Self {
        Self::Invalid {
            field: None,
            message: problem.to_owned(),
        }
    }

    pub(super) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        let field = field.into();
        Self::Invalid {
            message: format!("{field}: {}", message.into()),
            field: Some(field),
        }
    }
}
