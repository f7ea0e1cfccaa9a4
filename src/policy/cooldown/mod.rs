//! When a failing deployment is left out for a while.
//!
//! A [`Fault`] is all that a failed call tells about a deployment's health.

use super::upstream_error::ErrorClass;

/// What a failed call tells about the deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub class: ErrorClass,
    /// The HTTP status of our answer.
    pub status: u16,
    /// How long the upstream asks us to stay away, in milliseconds.
    pub retry_after_ms: Option<u32>,
    /// What ended the call was a time limit of the caller's, shorter than the deployment's own.
    pub is_callers_limit: bool,
    /// The same request has failed at this deployment before.
    pub is_repeat: bool,
}

#[cfg(test)]
impl Fault {
    /// An answer of this status that says nothing else.
    pub fn of_status(status: u16) -> Self {
        Self {
            class: match status {
                401 => ErrorClass::AuthenticationError,
                404 => ErrorClass::NotFoundError,
                408 | 504 => ErrorClass::Timeout,
                429 => ErrorClass::RateLimitError,
                500 => ErrorClass::InternalServerError,
                502 => ErrorClass::BadGatewayError,
                503 => ErrorClass::ServiceUnavailableError,
                400 => ErrorClass::BadRequestError,
                _ => ErrorClass::APIError,
            },
            status,
            retry_after_ms: None,
            is_callers_limit: false,
            is_repeat: false,
        }
    }
}
