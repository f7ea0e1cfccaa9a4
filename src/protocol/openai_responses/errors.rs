//! Errors of the Responses API in the middle of an answer. Those with a status of their own are as Chat Completions'.

use crate::protocol::json_fields::{Fields, Path};
use crate::protocol::json_write::Object;
use crate::protocol::neutral::{Failure, FailureKind};
use crate::protocol::openai_chat;

/// Reads an error's body, an `error` event, or the `error` of a response that failed; `None` for what is none.
pub fn decode_error(body: &[u8], status: Option<u16>) -> Option<Failure> {
    let at = Path::Body;
    let mut fields = Fields::read(body, &at).ok()?;
    if let Some(mut response) = fields.object("response", &at).ok().flatten() {
        return said(response.take("error")?, status);
    }
    if fields.has("error") {
        return openai_chat::decode_error(body, status);
    }
    said(body, status)
}

/// An error without the object around it: `code` and `message`.
fn said(error: &[u8], status: Option<u16>) -> Option<Failure> {
    if !Fields::read(error, &Path::Body).ok()?.has("message") {
        return None;
    }
    let wrapped = [br#"{"error":"#, error, b"}"].concat();
    openai_chat::decode_error(&wrapped, status)
}

/// What stands in `code`: the provider's own symbol, or OpenAI's for this kind of error. Codex tells by it what to do next.
pub fn code(failure: &Failure) -> &str {
    let is_symbol = |code: &&str| code.parse::<u16>().is_err() && !code.is_empty();
    let said = failure.code.as_deref().filter(is_symbol);
    said.unwrap_or(match failure.kind {
        FailureKind::RateLimit => "rate_limit_exceeded",
        FailureKind::Billing => "insufficient_quota",
        FailureKind::Overloaded => "server_is_overloaded",
        FailureKind::InvalidRequest | FailureKind::TooLarge => "invalid_prompt",
        FailureKind::NotFound => "model_not_found",
        FailureKind::Authentication => "invalid_api_key",
        FailureKind::Permission => "permission_denied",
        FailureKind::Timeout | FailureKind::Api => "server_error",
    })
}

/// The fields of an `error` event: flat as OpenAI documents them, and within `error` as it sends them, where its SDKs look.
pub fn write_event(out: &mut Object<'_>, failure: &Failure) {
    let param = |out: &mut Object<'_>| match &failure.param {
        Some(param) => out.text("param", param),
        None => out.null("param"),
    };
    let code = code(failure);
    out.text("code", code);
    out.text("message", &failure.message);
    param(out);
    out.object("error", |out| {
        out.text("type", openai_chat::error_type(failure.kind));
        out.text("code", code);
        out.text("message", &failure.message);
        param(out);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_read_wherever_they_stand() {
        for (body, kind) in [
            (
                r#"{"error":{"message":"m","code":"rate_limit_exceeded"}}"#,
                FailureKind::RateLimit,
            ),
            (
                r#"{"type":"error","code":"insufficient_quota","message":"m","param":null}"#,
                FailureKind::Billing,
            ),
            (
                r#"{"type":"error","sequence_number":2,"error":{"type":"server_error","code":"x","message":"m"}}"#,
                FailureKind::Api,
            ),
            (
                r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"m"}}}"#,
                FailureKind::Api,
            ),
        ] {
            let failure = decode_error(body.as_bytes(), None).unwrap();
            assert_eq!(
                (failure.kind, failure.message.as_str()),
                (kind, "m"),
                "{body}"
            );
        }
        for body in [
            "",
            "{}",
            r#"{"response":{"error":null}}"#,
            r#"{"type":"error"}"#,
        ] {
            assert_eq!(decode_error(body.as_bytes(), None), None, "{body}");
        }
    }

    #[test]
    fn codes_tell_what_to_do() {
        let mut failure = Failure::new(FailureKind::RateLimit, "m");
        assert_eq!(code(&failure), "rate_limit_exceeded");
        failure.code = Some("429".to_owned());
        assert_eq!(code(&failure), "rate_limit_exceeded");
        failure.code = Some("context_length_exceeded".to_owned());
        assert_eq!(code(&failure), "context_length_exceeded");
    }
}
