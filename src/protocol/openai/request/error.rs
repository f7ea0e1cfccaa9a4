//! Why a body is no request.

use super::MAX_FIELDS;
use crate::protocol::json;

/// Why a body is not a request. Each names the field and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error("Invalid JSON payload: {0}")]
    Json(String),
    #[error("Invalid request format: the body must be a JSON object")]
    NotAnObject,
    #[error("Invalid JSON payload: nested deeper than {} levels", json::MAX_DEPTH)]
    TooDeep,
    #[error("Invalid JSON payload: more than {MAX_FIELDS} top-level fields")]
    TooManyFields,
    #[error("'model' must be a string.")]
    ModelNotText,
    #[error("'model' must not hold quotes, backslashes or control characters")]
    ModelUnspeakable,
    #[error("Missing required parameter: '{0}'.")]
    Missing(&'static str),
    #[error("Invalid request format: '{field}' must be {expected}")]
    WrongType {
        field: &'static str,
        expected: &'static str,
    },
    #[error("Invalid request format: write the field '{0}' in lower case")]
    WrongCase(String),
    #[error("Rejected Request: {0} is not allowed in request body.")]
    Refused(String),
}

impl RequestError {
    /// The field at fault, for the error body's `param`.
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::Json(_) | Self::NotAnObject | Self::TooDeep | Self::TooManyFields => {
                Some("request_body")
            }
            Self::ModelNotText | Self::ModelUnspeakable => Some("model"),
            Self::Missing(field) | Self::WrongType { field, .. } => Some(field),
            Self::Refused(_) | Self::WrongCase(_) => None,
        }
    }
}
