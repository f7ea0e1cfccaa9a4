//! Errors as Anthropic tells them: `{"type":"error","error":{"type","message"},"request_id"}`.

use crate::protocol::json_fields::{Fields, Path};
use crate::protocol::json_write;
use crate::protocol::neutral::{Failure, FailureKind};

/// Anthropic's name for a kind of error. One name may stand for several kinds.
pub fn error_type(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::InvalidRequest => "invalid_request_error",
        FailureKind::Authentication => "authentication_error",
        FailureKind::Billing => "billing_error",
        FailureKind::Permission => "permission_error",
        FailureKind::NotFound => "not_found_error",
        FailureKind::TooLarge => "request_too_large",
        FailureKind::RateLimit => "rate_limit_error",
        FailureKind::Timeout => "timeout_error",
        FailureKind::Overloaded => "overloaded_error",
        FailureKind::Api => "api_error",
    }
}

fn kind_of(name: &str) -> Option<FailureKind> {
    use FailureKind::*;
    let kinds = [
        InvalidRequest,
        Authentication,
        Billing,
        Permission,
        NotFound,
        TooLarge,
        RateLimit,
        Timeout,
        Overloaded,
        Api,
    ];
    kinds.into_iter().find(|kind| error_type(*kind) == name)
}

/// Reads an error's body or the data of an `error` event; `None` for what is none. The `type` says the kind; `status` says it
/// where the type is not known.
pub fn decode_error(body: &[u8], status: Option<u16>) -> Option<Failure> {
    let at = Path::Body;
    let mut fields = Fields::read(body, &at).ok()?;
    let mut error = fields.object("error", &at).ok()??;
    let name = error.text("type", &at).ok()?;
    let message = error.text("message", &at).ok()?.unwrap_or_default();
    let kind = name.as_deref().and_then(kind_of);
    let by_status = || status.map_or(FailureKind::Api, FailureKind::of_status);
    Some(Failure {
        kind: kind.unwrap_or_else(by_status),
        message,
        code: name,
        param: None,
    })
}

/// The body for a client; also the data of an `error` event.
///
/// A request that does not fit the context window says so in the words that Claude Code looks for, where the upstream's own
/// words tell the two numbers.
pub fn encode_error(failure: &Failure, request_id: Option<&str>) -> Vec<u8> {
    let overflow = overflow(failure);
    let mut body = Vec::with_capacity(failure.message.len() + 96);
    json_write::object(&mut body, |out| {
        out.text("type", "error");
        out.object("error", |out| {
            out.text("type", error_type(failure.kind));
            out.text("message", overflow.as_deref().unwrap_or(&failure.message));
        });
        out.maybe_text("request_id", request_id);
    });
    body
}

/// Anthropic's words for OpenAI's "This model's maximum context length is M tokens. However, your messages resulted in N
/// tokens" and its relatives.
fn overflow(failure: &Failure) -> Option<String> {
    let text = failure.message.as_str();
    if text.contains("prompt is too long") {
        return None;
    }
    let is_named = failure.code.as_deref() == Some("context_length_exceeded");
    let phrases = [
        "maximum context length",
        "context window",
        "maximum prompt length",
    ];
    let start = phrases.iter().find_map(|phrase| text.find(phrase));
    let Some(start) = start else {
        return is_named.then(|| format!("prompt is too long: {text}"));
    };
    let mut numbers = text
        .get(start..)?
        .split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|digits| digits.parse::<u64>().ok())
        .filter(|number| *number >= 100);
    match (numbers.next(), numbers.next()) {
        (Some(most), Some(asked)) if asked > most => Some(format!(
            "prompt is too long: {asked} tokens > {most} maximum"
        )),
        _ => Some(format!("prompt is too long: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_read_and_written() {
        let body = br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}"#;
        let failure = decode_error(body, Some(529)).unwrap();
        assert_eq!(failure.kind, FailureKind::Overloaded);
        assert_eq!(encode_error(&failure, Some("req_1")), body);
        let odd = decode_error(br#"{"error":{"message":"x"}}"#, Some(403)).unwrap();
        assert_eq!(odd.kind, FailureKind::Permission);
        for body in [&b"<html>"[..], b"{}", br#"{"error":"x"}"#, b"null"] {
            assert_eq!(decode_error(body, None), None);
        }
    }

    #[test]
    fn a_full_context_is_said_in_words_claude_code_knows() {
        for (message, code, expected) in [
            (
                "This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens.",
                None,
                "prompt is too long: 130001 tokens > 128000 maximum",
            ),
            (
                "Your input exceeds the context window of this model.",
                Some("context_length_exceeded"),
                "prompt is too long: Your input exceeds the context window of this model.",
            ),
            (
                "prompt is too long: 2 tokens > 1 maximum",
                None,
                "prompt is too long: 2 tokens > 1 maximum",
            ),
            ("No such model", None, "No such model"),
        ] {
            let failure = Failure {
                code: code.map(str::to_owned),
                ..Failure::new(FailureKind::InvalidRequest, message)
            };
            let body = String::from_utf8(encode_error(&failure, None)).unwrap();
            assert!(
                body.contains(&format!("\"message\":\"{expected}\"")),
                "{body}"
            );
        }
    }

    #[test]
    fn statuses_and_kinds() {
        for (status, name) in [
            (400, "invalid_request_error"),
            (401, "authentication_error"),
            (403, "permission_error"),
            (404, "not_found_error"),
            (413, "request_too_large"),
            (422, "invalid_request_error"),
            (429, "rate_limit_error"),
            (500, "api_error"),
            (502, "api_error"),
            (529, "overloaded_error"),
        ] {
            assert_eq!(error_type(FailureKind::of_status(status)), name);
        }
    }
}
