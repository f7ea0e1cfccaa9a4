//! What a failed call tells about a deployment.

use std::time::Duration;

use crate::policy::upstream_error::{ErrorClass, Failure};

/// See the module.
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

impl Fault {
    /// What a failure tells that no caller hurried, of a request that has not failed there before.
    pub fn of(failure: &Failure) -> Self {
        let wait = |wait: Duration| u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
        Self {
            class: failure.class,
            status: failure.status,
            retry_after_ms: failure.retry_after.map(wait),
            is_callers_limit: false,
            is_repeat: false,
        }
    }

    /// Whether failures like this one may cool a deployment down. What the request itself is at fault for may not: 4xx but for
    /// key, balance, model, time and rate. Nor may a connection that did not come about, as in LiteLLM: another deployment is
    /// tried at once, and the next call finds out whether the network is back.
    pub(super) fn is_of_the_deployment(&self) -> bool {
        match (self.class, self.status) {
            (ErrorClass::APIConnectionError, _) => false,
            (_, 401 | 402 | 404 | 408 | 429) => true,
            (_, 400..=499) => false,
            _ => true,
        }
    }

    /// Another call of the same deployment cannot do better.
    pub(super) fn is_lasting(&self) -> bool {
        !matches!(self.status, 408 | 409 | 429 | 500..)
    }
}

#[cfg(test)]
impl Fault {
    /// An answer of this status that says nothing else.
    pub fn of_status(status: u16) -> Self {
        Self {
            class: match status {
                400 => ErrorClass::BadRequestError,
                401 => ErrorClass::AuthenticationError,
                404 => ErrorClass::NotFoundError,
                408 | 504 => ErrorClass::Timeout,
                429 => ErrorClass::RateLimitError,
                500 => ErrorClass::InternalServerError,
                502 => ErrorClass::BadGatewayError,
                503 => ErrorClass::ServiceUnavailableError,
                _ => ErrorClass::APIError,
            },
            status,
            retry_after_ms: None,
            is_callers_limit: false,
            is_repeat: false,
        }
    }
}
