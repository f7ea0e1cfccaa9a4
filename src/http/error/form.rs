//! How an error is written in each API: its body, and the event that ends a stream with it.

use actix_web::http::header::HeaderMap;
use bytes::Bytes;
use serde_json::{Value, json};

use super::Told;
use crate::protocol::anthropic;
use crate::protocol::neutral::{Failure, FailureKind};
use crate::protocol::stream_end::StreamError;
use crate::types::Operation;

/// Anthropic's status for a provider that has too much to do.
const OVERLOADED: u16 = 529;

/// Whose API a route belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// OpenAI's, and LiteLLM's own.
    OpenAi,
    /// OpenAI's Responses: the same bodies, other streams.
    Responses,
    Anthropic,
    /// OpenAI's and Anthropic's have it alike: a request with an `anthropic-version`, which Anthropic's API demands, is meant
    /// for the latter.
    Shared,
}

impl Surface {
    /// The form in which a request with these headers is told of errors.
    pub fn form(self, headers: &HeaderMap) -> ErrorForm {
        match self {
            Self::OpenAi => ErrorForm::OpenAi,
            Self::Responses => ErrorForm::Responses,
            Self::Anthropic => ErrorForm::Anthropic,
            Self::Shared if headers.contains_key("anthropic-version") => ErrorForm::Anthropic,
            Self::Shared => ErrorForm::OpenAi,
        }
    }
}

/// How errors are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorForm {
    /// `{"error": {message, type, param, code}}`; `code` is the status as text, as LiteLLM has it. What is no error of the
    /// API is `{"detail": …}`.
    OpenAi,
    /// The same bodies; a stream ends with a `response.failed`.
    Responses,
    /// `{"type": "error", "error": {type, message}, "request_id"}`, the type by the status.
    Anthropic,
}

impl ErrorForm {
    /// The status that is answered: an overloaded provider is told to Anthropic's clients by Anthropic's own 529, which their
    /// retries know.
    pub(super) fn status(self, status: u16, told: &Told) -> u16 {
        match told {
            Told::Error {
                overloaded: true, ..
            } if self == Self::Anthropic => OVERLOADED,
            _ => status,
        }
    }

    pub(super) fn body(self, status: u16, told: &Told, call_id: Option<&str>) -> Vec<u8> {
        let status = self.status(status, told);
        match self {
            Self::OpenAi | Self::Responses => envelope(status, told).to_string().into_bytes(),
            Self::Anthropic => anthropic::encode_error(&failure(status, told), call_id),
        }
    }

    /// The last event of a stream, `created` being in seconds since the Unix epoch.
    pub(super) fn event(self, status: u16, told: &Told, created: u64) -> Bytes {
        let status = self.status(status, told);
        let failure = failure(status, told);
        let kind = match told {
            Told::Error { kind, .. } => Some(kind.as_str()),
            Told::Detail(_) => None,
        };
        let error = StreamError {
            message: &failure.message,
            kind,
            param: failure.param.as_deref(),
            code: failure.code.as_deref(),
            status,
        };
        error.event(self.operation(), created).into()
    }

    /// One whose streams end in this form.
    fn operation(self) -> Operation {
        match self {
            Self::OpenAi => Operation::Chat,
            Self::Responses => Operation::Responses,
            Self::Anthropic => Operation::Messages,
        }
    }
}

fn envelope(status: u16, told: &Told) -> Value {
    let mut body = error(status, told);
    match told {
        Told::Detail(detail) => return json!({"detail": detail}),
        Told::Error {
            provider_fields,
            call_id,
            ..
        } => {
            if let Some(fields) = provider_fields {
                body["provider_specific_fields"] = fields.clone();
            }
            if let Some(id) = call_id {
                body["litellm_call_id"] = (**id).into();
            }
        }
    }
    json!({"error": body})
}

fn error(status: u16, told: &Told) -> Value {
    let code = status.to_string();
    match told {
        Told::Error {
            message,
            kind,
            param,
            code: own,
            ..
        } => {
            let code = own.unwrap_or(&code);
            json!({"message": message, "type": kind, "param": param, "code": code})
        }
        Told::Detail(detail) => {
            json!({"message": detail, "type": null, "param": null, "code": code})
        }
    }
}

fn failure(status: u16, told: &Told) -> Failure {
    let kind = FailureKind::of_status(status);
    match told {
        Told::Error {
            message,
            param,
            overflows,
            ..
        } => Failure {
            kind,
            message: message.clone(),
            code: overflows.then(|| "context_length_exceeded".to_owned()),
            param: param.clone(),
        },
        Told::Detail(detail) => Failure::new(kind, text_of(detail)),
    }
}

/// A detail as one sentence: its text, the `error` or the first `msg` in it, or its JSON.
fn text_of(detail: &Value) -> String {
    let text = detail
        .as_str()
        .or_else(|| detail.get("error")?.as_str())
        .or_else(|| detail.get(0)?.get("msg")?.as_str());
    text.map_or_else(|| detail.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::ApiError;
    use super::*;

    async fn told(error: ApiError, form: ErrorForm) -> (u16, String) {
        let response = error.respond(form);
        let status = response.status().as_u16();
        let body = actix_web::body::to_bytes(response.into_body()).await;
        let body = String::from_utf8(body.unwrap().to_vec()).unwrap();
        (status, body)
    }

    #[actix_web::test]
    async fn one_error_in_each_form() {
        let error = || {
            ApiError::new(429, "throttling_error", "slow \"down\"", Some("x".into()))
                .header("x-litellm-call-id", "id")
        };
        let litellms = r#"{"error":{"code":"429","message":"slow \"down\"","param":"x","type":"throttling_error"}}"#;
        let anthropics = r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow \"down\""},"request_id":"id"}"#;
        for (form, body) in [
            (ErrorForm::OpenAi, litellms),
            (ErrorForm::Responses, litellms),
            (ErrorForm::Anthropic, anthropics),
        ] {
            assert_eq!(told(error(), form).await, (429, body.to_owned()));
        }
        let overloaded = || ApiError::new(500, "internal_server_error", "x", None).overloaded();
        assert_eq!(told(overloaded(), ErrorForm::OpenAi).await.0, 500);
        let (status, body) = told(overloaded(), ErrorForm::Anthropic).await;
        assert_eq!(status, 529);
        assert!(body.contains(r#""type":"overloaded_error""#), "{body}");
        let event = |form| String::from_utf8(error().event(form, 7).to_vec()).unwrap();
        let chats = r#"{"error":{"message":"slow \"down\"","type":"throttling_error","param":"x","code":"429"}}"#;
        assert_eq!(event(ErrorForm::OpenAi), format!("data: {chats}\n\n"));
        assert_eq!(
            event(ErrorForm::Anthropic),
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow \
             \\\"down\\\"\"}}\n\n"
        );
        let responses = event(ErrorForm::Responses);
        for part in [
            "event: error\n",
            "event: response.failed\n",
            r#""code":"rate_limit_exceeded","message":"slow \"down\"""#,
            r#""created_at":7"#,
        ] {
            assert!(responses.contains(part), "{part} in {responses}");
        }
    }

    #[actix_web::test]
    async fn details_have_a_message_too() {
        for (detail, message) in [
            (json!("Not Found"), "Not Found"),
            (json!({"error": "no such key"}), "no such key"),
            (json!([{"msg": "a number", "loc": ["body"]}]), "a number"),
            (json!({"x": 1}), "{\\\"x\\\":1}"),
        ] {
            let error = || ApiError::detail(404, detail.clone());
            let expected = format!(
                r#"{{"type":"error","error":{{"type":"not_found_error","message":"{message}"}}}}"#
            );
            assert_eq!(told(error(), ErrorForm::Anthropic).await, (404, expected));
            let expected = json!({"detail": detail}).to_string();
            assert_eq!(told(error(), ErrorForm::OpenAi).await, (404, expected));
        }
    }

    #[test]
    fn requests_with_a_version_are_anthropics() {
        let mut headers = HeaderMap::new();
        assert_eq!(Surface::Shared.form(&headers), ErrorForm::OpenAi);
        assert_eq!(Surface::Anthropic.form(&headers), ErrorForm::Anthropic);
        let version = actix_web::http::header::HeaderName::from_static("anthropic-version");
        headers.insert(version, "2023-06-01".parse().unwrap());
        assert_eq!(Surface::Shared.form(&headers), ErrorForm::Anthropic);
        assert_eq!(Surface::OpenAi.form(&headers), ErrorForm::OpenAi);
    }
}
