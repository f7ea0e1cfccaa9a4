//! Errors as OpenAI tells them: `{"error":{"message","type","param","code"}}`.

use crate::protocol::json_fields::{Fields, Path};
use crate::protocol::json_write;
use crate::protocol::neutral::{Failure, FailureKind};

/// What stands in `type`.
pub fn error_type(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::InvalidRequest | FailureKind::NotFound | FailureKind::TooLarge => {
            "invalid_request_error"
        }
        FailureKind::Authentication => "authentication_error",
        FailureKind::Billing => "insufficient_quota",
        FailureKind::Permission => "permission_error",
        FailureKind::RateLimit => "rate_limit_error",
        FailureKind::Timeout => "timeout_error",
        FailureKind::Overloaded => "overloaded_error",
        FailureKind::Api => "server_error",
    }
}

/// What a `type` or a `code` says. Hosts spell them in many ways; those that name an HTTP status are read too.
fn kind_of(name: &str) -> Option<FailureKind> {
    Some(match name {
        "invalid_request_error" | "context_length_exceeded" | "content_policy_violation" => {
            FailureKind::InvalidRequest
        }
        "authentication_error" | "invalid_api_key" => FailureKind::Authentication,
        "insufficient_quota" | "billing_error" => FailureKind::Billing,
        "permission_error" => FailureKind::Permission,
        "not_found_error" | "model_not_found" => FailureKind::NotFound,
        "request_too_large" => FailureKind::TooLarge,
        "rate_limit_error" | "rate_limit_exceeded" | "throttling_error" | "tokens" | "requests" => {
            FailureKind::RateLimit
        }
        "timeout_error" => FailureKind::Timeout,
        "overloaded_error" | "overloaded" | "engine_overloaded_error" => FailureKind::Overloaded,
        "server_error" | "api_error" | "internal_server_error" => FailureKind::Api,
        name => FailureKind::of_status(name.parse().ok().filter(|n| (400..600).contains(n))?),
    })
}

/// Reads an error's body or the `error` frame of a stream; `None` for what is none. `error` may be a text, `code` a number.
pub fn decode_error(body: &[u8], status: Option<u16>) -> Option<Failure> {
    let at = Path::Body;
    let mut fields = Fields::read(body, &at).ok()?;
    let value = fields.take("error")?;
    let by_status = || status.map_or(FailureKind::Api, FailureKind::of_status);
    if value.first() == Some(&b'"') {
        let message = crate::protocol::json_fields::text(value, &at).ok()?;
        return Some(Failure::new(by_status(), message));
    }
    let mut error = Fields::read(value, &at).ok()?;
    let message = error.text("message", &at).ok().flatten();
    let name = error.text("type", &at).ok().flatten();
    let code = error.raw("code", &at).ok().flatten();
    let code = code.map(|code| {
        let plain = code.as_str().trim_matches('"');
        plain.to_owned()
    });
    // A code is more exact than a type: `context_length_exceeded` is an `invalid_request_error`.
    let by_name = code.as_deref().and_then(kind_of);
    let by_name = by_name.or_else(|| name.as_deref().and_then(kind_of));
    let kind = match status {
        Some(status) => FailureKind::of_status(status),
        None => by_name.unwrap_or(FailureKind::Api),
    };
    Some(Failure {
        kind,
        message: message.unwrap_or_default(),
        code,
        param: error.text("param", &at).ok().flatten(),
    })
}

/// The body for a client; also the last frame of a stream. `code` is the status as text, as LiteLLM's clients know it.
pub fn encode_error(failure: &Failure, status: Option<u16>) -> Vec<u8> {
    let status = status.unwrap_or_else(|| failure.kind.status());
    let mut body = Vec::with_capacity(failure.message.len() + 96);
    json_write::object(&mut body, |out| {
        out.object("error", |out| {
            out.text("message", &failure.message);
            out.text("type", error_type(failure.kind));
            match &failure.param {
                Some(param) => out.text("param", param),
                None => out.null("param"),
            }
            out.text("code", &status.to_string());
        });
    });
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_read_and_written() {
        for (body, status, kind) in [
            (
                r#"{"error":{"message":"m","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
                None,
                FailureKind::InvalidRequest,
            ),
            (
                r#"{"error":{"message":"m","code":429}}"#,
                None,
                FailureKind::RateLimit,
            ),
            (
                r#"{"error":{"message":"m","code":"503"}}"#,
                None,
                FailureKind::Overloaded,
            ),
            (
                r#"{"error":{"message":"m","type":"odd"}}"#,
                None,
                FailureKind::Api,
            ),
            (r#"{"error":"m"}"#, Some(401), FailureKind::Authentication),
            (
                r#"{"error":{"message":"m","type":"invalid_request_error"}}"#,
                Some(401),
                FailureKind::Authentication,
            ),
        ] {
            let failure = decode_error(body.as_bytes(), status).unwrap();
            assert_eq!(
                (failure.kind, failure.message.as_str()),
                (kind, "m"),
                "{body}"
            );
        }
        for body in ["", "{}", "<html>", r#"{"error":null}"#] {
            assert_eq!(decode_error(body.as_bytes(), Some(500)), None);
        }
        let failure = Failure {
            param: Some("n".to_owned()),
            ..Failure::new(FailureKind::InvalidRequest, "no")
        };
        assert_eq!(
            encode_error(&failure, None),
            br#"{"error":{"message":"no","type":"invalid_request_error","param":"n","code":"400"}}"#
        );
    }
}
