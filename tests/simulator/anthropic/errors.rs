//! Errors in Anthropic's shape and words.

use crate::simulator::blocks::quoted;
use crate::simulator::errors::{REQUEST_ID, Refusal};

fn refusal(status: u16, kind: &str, message: &str) -> Refusal {
    let message = quoted(message);
    Refusal {
        status,
        body: format!(
            r#"{{"type":"error","error":{{"type":"{kind}","message":{message}}},"request_id":"{REQUEST_ID}"}}"#
        ),
    }
}

/// A request that is wrong in itself; the message begins with the path.
pub fn invalid(message: &str) -> Refusal {
    refusal(400, "invalid_request_error", message)
}

/// `given` is the key as it came.
pub fn wrong_key(given: Option<&str>) -> Refusal {
    let message = match given {
        Some(_) => "invalid x-api-key",
        None => "x-api-key header is required",
    };
    refusal(401, "authentication_error", message)
}

/// What Anthropic says with this status when the test gave no body of its own.
pub fn for_status(status: u16) -> Refusal {
    let (kind, message) = match status {
        401 => ("authentication_error", "invalid x-api-key"),
        403 => (
            "permission_error",
            "Your API key does not have permission to use the specified resource.",
        ),
        404 => ("not_found_error", "model: claude-none"),
        413 => ("request_too_large", "Request exceeds the maximum size"),
        429 => (
            "rate_limit_error",
            "This request would exceed your organization's rate limit of 50 requests per minute.",
        ),
        500 => ("api_error", "Internal server error"),
        529 => ("overloaded_error", "Overloaded"),
        501.. => ("api_error", "Service unavailable"),
        _ => ("invalid_request_error", "The request was refused."),
    };
    refusal(status, kind, message)
}

/// The payload of an `error` event; `given` is the value of `error`.
pub fn mid_stream(given: Option<&str>) -> String {
    let error = given.unwrap_or(r#"{"type":"overloaded_error","message":"Overloaded"}"#);
    format!(r#"{{"type":"error","error":{error}}}"#)
}
