//! What an upstream said in an error body, whatever shape it has.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

use super::inner_error::inner_error;
use super::retry_after::protobuf_duration;

/// Longer bodies are not parsed, only searched.
const LONGEST_JSON: usize = 1 << 20;
/// Phrases are searched for in this much of a body.
const SEARCHED: usize = 64 << 10;

/// An error answer, taken apart. Values are as the upstream sent them: neither bounded nor masked.
pub(super) struct Said<'a> {
    /// HTTP status, or for an error inside a stream the status its `code` or its `type` names.
    pub status: Option<u16>,
    /// `error.type`.
    pub error_type: Option<String>,
    pub param: Option<String>,
    /// `error.code` (MiniMax: `status_code`) as text, be it a word or a number.
    pub code: Option<String>,
    /// Google's `RetryInfo`.
    pub retry_delay: Option<Duration>,
    inner_error: Option<Value>,
    message: Option<String>,
    body: Cow<'a, str>,
    /// Status, body and decoded message, for the rules.
    text: String,
    lower: String,
}

impl<'a> Said<'a> {
    pub fn new(status: Option<u16>, body: &'a [u8]) -> Self {
        let json: Option<Value> = (body.len() <= LONGEST_JSON)
            .then(|| serde_json::from_slice(body).ok())
            .flatten();
        // Gemini wraps the object in an array when the call was to be streamed.
        let root = json.as_ref().map(|json| json.get(0).unwrap_or(json));
        let error = root.map(|root| {
            root.get("error")
                .filter(|error| !error.is_null())
                .unwrap_or(root)
        });
        let text_of = |key: &str| error.and_then(|error| scalar(error.get(key)?));
        let message = error
            .and_then(message_in)
            .or_else(|| root.and_then(message_in));
        let code = text_of("code").or_else(|| text_of("status_code"));
        let status = status.or_else(|| {
            code.as_deref()?
                .parse()
                .ok()
                .filter(|code| (400..600).contains(code))
        });
        let error_type = text_of("type");
        let status = status.or_else(|| status_of_type(error_type.as_deref()?));
        let body = String::from_utf8_lossy(body);
        let text = searched(status, &body, message.as_deref());
        Self {
            status,
            error_type,
            param: text_of("param"),
            code,
            retry_delay: error.and_then(retry_delay),
            inner_error: error.and_then(inner_error),
            message,
            lower: text.to_lowercase(),
            text,
            body,
        }
    }

    /// What Azure's content filter found.
    pub fn inner_error(&self) -> Option<Value> {
        self.inner_error.clone()
    }

    /// The answer contains `phrase`, case and all.
    pub fn has(&self, phrase: &str) -> bool {
        self.text.contains(phrase)
    }

    /// The answer contains `phrase`, which is lower case, in any case.
    pub fn says(&self, phrase: &str) -> bool {
        self.lower.contains(phrase)
    }

    /// The searched text in lower case.
    pub fn lower(&self) -> &str {
        &self.lower
    }

    /// The upstream's message, or what comes closest to one.
    pub fn message(&self) -> Cow<'_, str> {
        if let Some(message) = &self.message {
            return Cow::Borrowed(message);
        }
        let body = self.raw();
        match self.status {
            Some(status) if body.trim_start().starts_with(['{', '[']) => {
                format!("Error code: {status} - {body}").into()
            }
            _ => body,
        }
    }

    /// The body itself; of a web page its text, of nothing the status.
    pub fn raw(&self) -> Cow<'_, str> {
        let body = self.body.trim();
        if !body.is_empty() && !body.starts_with('<') {
            return Cow::Borrowed(body);
        }
        let page = text_of_page(body);
        let code = self.status.map_or_else(
            || "The upstream gave no reason.".into(),
            |status| format!("Error code: {status}"),
        );
        match (page.as_str(), self.status.map(reason_phrase)) {
            ("", Some(reason)) if !reason.is_empty() => format!("{code} - {reason}").into(),
            ("", _) => code.into(),
            (page, _) => format!("{code} - {page}").into(),
        }
    }
}

/// The status that goes with a type of error (Anthropic's API reference).
fn status_of_type(kind: &str) -> Option<u16> {
    Some(match kind {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "api_error" => 500,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => return None,
    })
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The message of `{"message"}`, `{"detail"}`, `{"Message"}`, `{"error": "text"}` and the like, or of what is nested in them:
/// `{"fault": {"faultstring"}}` (Fireworks), `{"errors": [{"message"}]}` (Cloudflare), `{"detail": [{"loc", "msg"}]}` (Mistral).
fn message_in(error: &Value) -> Option<String> {
    const OWN: [&str; 7] = [
        "message",
        "Message",
        "detail",
        "error",
        "err_msg",
        "status_msg",
        "faultstring",
    ];
    const NESTED: [&str; 4] = ["detail", "message", "errors", "fault"];
    let text = |value: &Value| {
        value
            .as_str()
            .filter(|text| !text.trim().is_empty())
            .map(str::to_owned)
    };
    let own = |value: &Value| OWN.iter().find_map(|key| text(value.get(key)?));
    let inner = |value: &Value| {
        let first = value.get(0).unwrap_or(value);
        own(first).or_else(|| refused_field(first))
    };
    let nested = |key: &str| {
        let nested = error.get(key)?;
        inner(nested).or_else(|| inner(nested.get("detail")?))
    };
    text(error)
        .or_else(|| own(error))
        .or_else(|| NESTED.into_iter().find_map(nested))
}

/// FastAPI's `{"loc": ["body", "x"], "msg": "Field required"}`.
fn refused_field(refusal: &Value) -> Option<String> {
    let message = refusal.get("msg")?.as_str()?;
    let place: Vec<String> = refusal
        .get("loc")?
        .as_array()?
        .iter()
        .filter_map(scalar)
        .collect();
    Some(format!("{message} ({})", place.join(".")))
}

fn retry_delay(error: &Value) -> Option<Duration> {
    let details = error.get("details")?.as_array()?;
    details
        .iter()
        .find_map(|detail| protobuf_duration(detail.get("retryDelay")?.as_str()?))
}

fn searched(status: Option<u16>, body: &str, message: Option<&str>) -> String {
    let body = &body[..body.floor_char_boundary(SEARCHED)];
    let mut text = status.map_or_else(String::new, |status| format!("Error code: {status} - "));
    text.push_str(body);
    // Escapes in the JSON text could hide a phrase.
    if let Some(message) = message.filter(|_| body.contains('\\')) {
        text.push('\n');
        text.push_str(&message[..message.floor_char_boundary(SEARCHED)]);
    }
    text
}

/// The words of an HTML page, without scripts, styles and tags. A rough reading: it is shown to people, not parsed.
fn text_of_page(page: &str) -> String {
    let page = &page[..page.floor_char_boundary(SEARCHED)];
    // ASCII case folding keeps every offset.
    let lower = page.to_ascii_lowercase();
    let find = |from: usize, what: &str| lower.get(from..)?.find(what).map(|at| from + at);
    let mut words = String::new();
    let mut at = 0;
    while let Some(open) = find(at, "<") {
        push_words(&mut words, &page[at..open]);
        let tag = &lower[open + 1..];
        let end = match () {
            () if tag.starts_with("script") => find(open, "</script"),
            () if tag.starts_with("style") => find(open, "</style"),
            () => Some(open),
        };
        at = end
            .and_then(|end| find(end, ">"))
            .map_or(page.len(), |close| close + 1);
    }
    push_words(&mut words, &page[at..]);
    words
}

fn push_words(words: &mut String, text: &str) {
    for word in text.split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
}

const fn reason_phrase(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}
