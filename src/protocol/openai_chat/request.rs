//! A chat request as bytes: what the gateway must know of it, and the body that goes upstream.
//!
//! [`ChatRequest::read`] scans once. Bodies that cannot be edited by span (a doubled key, an escaped key, an escaped model
//! name) are first written anew in normal form, each key once and plain, so that there is one way to edit, not two: were
//! the first of two `model` fields authorised here and the last one obeyed upstream, a key could reach any model.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::protocol::json::{self, Field, ScanError, scan_object};

/// Below this size a body is checked by serde_json in full before anything is forwarded; above, its structure only.
const FULL_CHECK_BYTES: usize = 16 * 1024;

/// Most answers to one request.
const MOST_CHOICES: u64 = 1024;

/// Most top-level fields accepted.
const MAX_FIELDS: usize = 512;

/// Fields that address the gateway and never go upstream (LiteLLM's list).
const GATEWAY_ONLY: &[&str] = &[
    "additional_drop_params",
    "allowed_openai_params",
    "api_key",
    "api_version",
    "cache",
    "caching",
    "content_policy_fallbacks",
    "context_window_fallbacks",
    "custom_llm_provider",
    "disable_fallbacks",
    "drop_params",
    "fallbacks",
    "guardrails",
    "litellm_metadata",
    "litellm_params",
    "litellm_session_id",
    "litellm_trace_id",
    "max_retries",
    "mock_response",
    "mock_timeout",
    "no-log",
    "num_retries",
    "priority",
    "proxy_server_request",
    "request_timeout",
    "stream_timeout",
    "tags",
    "timeout",
];

/// Fields that would send a call elsewhere, with other credentials or at another price: refused from callers.
const REFUSED: &[&str] = &[
    "api_base",
    "aws_bedrock_project_id",
    "aws_bedrock_runtime_endpoint",
    "aws_external_id",
    "aws_profile_name",
    "aws_role_name",
    "aws_session_name",
    "aws_session_tags",
    "aws_sts_endpoint",
    "aws_web_identity_token",
    "azure_ad_token",
    "base_url",
    "bedrock_tags",
    "deployment_url",
    "model_list",
    "nvcf_function_id",
    "s3_endpoint_url",
    "sagemaker_base_url",
    "use_ssl",
    "user_config",
    "vertex_ai_credentials",
    "vertex_credentials",
];

/// Starts of the names of callback destinations, projects and credentials: refused as well.
const CALLBACKS: &[&str] = &[
    "arize_",
    "braintrust_",
    "datadog_",
    "galileo_",
    "gcs_",
    "helicone_",
    "humanloop_",
    "langfuse_",
    "langsmith_",
    "lunary_",
    "opik_",
    "phoenix_",
    "posthog_",
    "wandb_",
    "weave_",
];

/// Fields that decide something here.
const READ: &[&str] = &[
    "functions",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "model",
    "n",
    "service_tier",
    "stream",
    "stream_options",
    "tools",
    "user",
];

/// Why a body is not a chat request. Each names the field and what would be right.
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
    #[error("Missing required parameter: 'messages'.")]
    MessagesMissing,
    #[error("Invalid request format: 'messages' must be an array of message objects")]
    MessagesNotAList,
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
            Self::MessagesMissing | Self::MessagesNotAList => Some("messages"),
            Self::WrongType { field, .. } => Some(field),
            Self::Refused(_) | Self::WrongCase(_) => None,
        }
    }
}

/// A chat request, read but not copied.
pub struct ChatRequest<'a> {
    body: Cow<'a, [u8]>,
    /// The offset of the closing brace, and whether any field stands before it.
    end: usize,
    is_empty: bool,
    model: Option<Range<usize>>,
    stream_options: Option<Range<usize>>,
    user: Option<Range<usize>>,
    /// Whole fields to leave out, in order.
    removed: Vec<Range<usize>>,
    /// Where each removed field's successor begins; `None` for the last field of the object.
    removed_until: Vec<Option<usize>>,
    /// The client asked for a stream.
    pub stream: bool,
    /// The client asked for usage in its stream.
    pub include_usage: bool,
    /// `max_completion_tokens`, else `max_tokens`.
    pub max_tokens: Option<u64>,
    /// `n`, at least 1.
    pub choices: u64,
    /// Bytes of `messages` and `tools`: what the prompt's tokens are estimated from.
    pub prompt_bytes: u64,
    /// `service_tier`, which some prices depend on.
    service_tier: Option<Range<usize>>,
}

impl<'a> ChatRequest<'a> {
    /// Reads `body`.
    pub fn read(body: &'a [u8]) -> Result<Self, RequestError> {
        if std::str::from_utf8(body).is_err() {
            return Err(RequestError::Json("the body is not UTF-8 text".to_owned()));
        }
        match Self::scan(Cow::Borrowed(body)) {
            Err(Odd::NeedsNormalForm) => {
                let normal = normal_form(body)?;
                Self::scan(Cow::Owned(normal)).map_err(|odd| match odd {
                    Odd::Wrong(error) => error,
                    // The normal form has every key once, none escaped.
                    Odd::NeedsNormalForm => RequestError::NotAnObject,
                })
            }
            Err(Odd::Wrong(error)) => Err(error),
            Ok(request) => {
                if body.len() <= FULL_CHECK_BYTES {
                    syntax(body)?;
                }
                Ok(request)
            }
        }
    }

    fn scan(body: Cow<'a, [u8]>) -> Result<Self, Odd> {
        let mut reader = Reader::default();
        let bytes: &[u8] = &body;
        let end =
            scan_object(bytes, |field| reader.field(bytes, &field)).map_err(
                |error| match error {
                    ScanError::NotAnObject => match syntax(bytes) {
                        Ok(()) => RequestError::NotAnObject,
                        Err(error) => error,
                    },
                    ScanError::TooDeep => RequestError::TooDeep,
                    ScanError::Malformed { at } => match syntax(bytes) {
                        Ok(()) => RequestError::Json(format!("unexpected data at byte {at}")),
                        Err(error) => error,
                    },
                },
            )?;
        if let Some(problem) = reader.problem {
            return Err(problem);
        }
        if reader.messages.is_none() {
            return Err(RequestError::MessagesMissing.into());
        }
        Ok(Self {
            end,
            is_empty: reader.seen == 0,
            model: reader.model,
            stream_options: reader.stream_options,
            user: reader.user,
            removed: reader.removed,
            removed_until: reader.removed_until,
            stream: reader.stream,
            include_usage: reader.include_usage,
            max_tokens: reader.max_completion_tokens.or(reader.max_tokens),
            choices: reader.choices.max(1),
            prompt_bytes: reader.prompt_bytes as u64,
            service_tier: reader.service_tier,
            body,
        })
    }

    /// The model's name as the client wrote it; `None` when the field is absent or null.
    pub fn model(&self) -> Option<&str> {
        json::plain_str(&self.body, self.model.as_ref()?)
    }

    /// The end user named by `user`.
    pub fn user(&self) -> Option<&str> {
        json::plain_str(&self.body, self.user.as_ref()?)
    }

    pub fn service_tier(&self) -> Option<&str> {
        json::plain_str(&self.body, self.service_tier.as_ref()?)
    }

    /// The body as read: the client's bytes, or their normal form.
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The body for an upstream that calls the model `model_json` (a JSON string, quotes included).
    ///
    /// A stream always asks for usage, because spend depends on it; the stream editor takes it out again.
    pub fn upstream_body(&self, model_json: &[u8]) -> Vec<u8> {
        const ASK: &[u8] = br#""stream_options":{"include_usage":true}"#;
        let mut out = Vec::with_capacity(self.body.len() + model_json.len() + ASK.len() + 16);
        let mut cursor = 0;
        let mut trailing_comma = false;
        let mut edits = self.edits(model_json);
        edits.sort_by_key(|edit| edit.at.start);
        for edit in &edits {
            out.extend_from_slice(&self.body[cursor..edit.at.start]);
            out.extend_from_slice(&edit.with);
            cursor = edit.at.end;
            trailing_comma = edit.drops_last_field;
        }
        if trailing_comma {
            while out.last().is_some_and(|byte| byte.is_ascii_whitespace()) {
                out.pop();
            }
            if out.last() == Some(&b',') {
                out.pop();
            }
        }
        out.extend_from_slice(&self.body[cursor..self.end]);
        if self.stream && self.stream_options.is_none() {
            let object_is_empty =
                self.is_empty || out.iter().rev().find(|b| !b.is_ascii_whitespace()) == Some(&b'{');
            if !object_is_empty {
                out.push(b',');
            }
            out.extend_from_slice(ASK);
        }
        out.push(b'}');
        out
    }

    fn edits<'b>(&self, model_json: &'b [u8]) -> Vec<Edit<'b>> {
        let mut edits = Vec::with_capacity(2 + self.removed.len());
        if let Some(model) = &self.model {
            edits.push(Edit {
                at: model.clone(),
                with: Cow::Borrowed(model_json),
                drops_last_field: false,
            });
        }
        if let Some(options) = &self.stream_options
            && self.stream
            && !self.include_usage
        {
            let with = Cow::Owned(asking_for_usage(&self.body[options.clone()]));
            edits.push(Edit {
                at: options.clone(),
                with,
                drops_last_field: false,
            });
        }
        for (field, until) in self.removed.iter().zip(&self.removed_until) {
            let at = field.start..until.unwrap_or(field.end);
            edits.push(Edit {
                at,
                with: Cow::Borrowed(b""),
                drops_last_field: until.is_none(),
            });
        }
        edits
    }
}

impl fmt::Debug for ChatRequest<'_> {
    /// Never the content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatRequest")
            .field("model", &self.model())
            .field("stream", &self.stream)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

struct Edit<'b> {
    at: Range<usize>,
    with: Cow<'b, [u8]>,
    drops_last_field: bool,
}

enum Odd {
    NeedsNormalForm,
    Wrong(RequestError),
}

impl From<RequestError> for Odd {
    fn from(error: RequestError) -> Self {
        Self::Wrong(error)
    }
}

/// Collects the known fields of one scan.
#[derive(Default)]
struct Reader {
    seen: usize,
    model: Option<Range<usize>>,
    messages: Option<Range<usize>>,
    stream_options: Option<Range<usize>>,
    user: Option<Range<usize>>,
    service_tier: Option<Range<usize>>,
    stream: bool,
    include_usage: bool,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    choices: u64,
    prompt_bytes: usize,
    removed: Vec<Range<usize>>,
    removed_until: Vec<Option<usize>>,
    keys: Keys,
    problem: Option<Odd>,
}

impl Reader {
    fn field(&mut self, bytes: &[u8], field: &Field) {
        self.seen += 1;
        if let Some(until @ None) = self.removed_until.last_mut() {
            *until = Some(field.start());
        }
        if self.seen > MAX_FIELDS {
            // Beats everything: the normal form compares each field with each.
            self.problem = Some(RequestError::TooManyFields.into());
            return;
        }
        if self.problem.is_some() {
            return;
        }
        let key = &bytes[field.key.clone()];
        if field.key_is_escaped || self.keys.repeats(key) {
            self.problem = Some(Odd::NeedsNormalForm);
            return;
        }
        if let Err(problem) = self.known(bytes, key, field) {
            self.problem = Some(problem);
        }
    }

    fn known(&mut self, bytes: &[u8], key: &[u8], field: &Field) -> Result<(), Odd> {
        let span = &field.value;
        let value = &bytes[span.clone()];
        let is_null = value == b"null";
        match key {
            b"model" if is_null => {}
            b"model" => {
                if value.first() != Some(&b'"') {
                    return Err(RequestError::ModelNotText.into());
                }
                if json::plain_str(bytes, span).is_none() {
                    return Err(Odd::NeedsNormalForm);
                }
                self.model = Some(span.clone());
            }
            b"messages" if is_null => {}
            b"messages" => {
                if value.first() != Some(&b'[') {
                    return Err(RequestError::MessagesNotAList.into());
                }
                self.prompt_bytes += value.len();
                self.messages = Some(span.clone());
            }
            b"tools" | b"functions" => self.prompt_bytes += if is_null { 0 } else { value.len() },
            b"stream" => {
                self.stream = match value {
                    b"true" => true,
                    b"false" | b"null" => false,
                    _ => return Err(wrong("stream", "true or false")),
                };
            }
            b"stream_options" => {
                self.include_usage =
                    asks_for_usage(value).ok_or_else(|| wrong("stream_options", "an object"))?;
                self.stream_options = Some(span.clone());
            }
            b"max_tokens" => self.max_tokens = whole(value, "max_tokens")?,
            b"max_completion_tokens" => {
                self.max_completion_tokens = whole(value, "max_completion_tokens")?
            }
            b"n" => {
                self.choices = whole(value, "n")?.unwrap_or(1);
                if self.choices > MOST_CHOICES {
                    return Err(wrong("n", "a whole number from 1 to 1024"));
                }
            }
            b"user" => self.user = Some(span.clone()),
            b"service_tier" => self.service_tier = Some(span.clone()),
            _ => {
                let name = std::str::from_utf8(key).unwrap_or_default();
                if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
                    let lower = name.to_ascii_lowercase();
                    let means_one_of_ours = READ.contains(&lower.as_str())
                        || GATEWAY_ONLY.binary_search(&lower.as_str()).is_ok();
                    // Some servers read field names in any case: what is checked here must be what they obey.
                    if means_one_of_ours {
                        return Err(RequestError::WrongCase(lower).into());
                    }
                    if is_refused(&lower) {
                        return Err(RequestError::Refused(name.to_owned()).into());
                    }
                }
                if is_refused(name) {
                    return Err(RequestError::Refused(name.to_owned()).into());
                }
                if GATEWAY_ONLY.binary_search(&name).is_ok() {
                    self.removed.push(field.start()..field.value.end);
                    self.removed_until.push(None);
                }
            }
        }
        Ok(())
    }
}

fn is_refused(name: &str) -> bool {
    let free = ["langfuse_prompt_version", "langsmith_sampling_rate"];
    let callback = CALLBACKS.iter().any(|prefix| name.starts_with(prefix));
    REFUSED.binary_search(&name).is_ok()
        || (callback && !free.contains(&name))
        || name.ends_with("workspace_id")
        || (name.contains("cost_per_") || name.contains("_token_cost"))
}

fn wrong(field: &'static str, expected: &'static str) -> Odd {
    RequestError::WrongType { field, expected }.into()
}

/// A whole number ≥ 0; floats without a fraction count, as LiteLLM takes them.
fn whole(value: &[u8], field: &'static str) -> Result<Option<u64>, Odd> {
    if value == b"null" {
        return Ok(None);
    }
    let expected = || wrong(field, "a whole number that is not negative");
    let text = std::str::from_utf8(value).map_err(|_| expected())?;
    if let Ok(number) = text.parse::<u64>() {
        return Ok(Some(number));
    }
    match text.parse::<f64>() {
        Ok(number)
            if number >= 0.0
                && number.fract() == 0.0
                && number <= 9e15
                && !value.starts_with(b"\"") =>
        {
            Ok(Some(number as u64))
        }
        _ => Err(expected()),
    }
}

/// Which keys were seen: a small set of hashes, since most bodies have few fields.
#[derive(Default)]
struct Keys {
    seen: Vec<(usize, u64)>,
}

impl Keys {
    /// True when a key of equal bytes (or, rarely, of equal hash) came before.
    fn repeats(&mut self, key: &[u8]) -> bool {
        // FNV-1a: a false alarm only costs the normal form.
        let hash = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let entry = (key.len(), hash);
        if self.seen.contains(&entry) {
            return true;
        }
        if self.seen.is_empty() {
            self.seen.reserve(16);
        }
        self.seen.push(entry);
        false
    }
}

/// Whether a `stream_options` value asks for usage; `None` when it is neither null nor an object with plain keys, each once:
/// a second, escaped `include_usage` would tell the upstream something else.
fn asks_for_usage(value: &[u8]) -> Option<bool> {
    if value == b"null" {
        return Some(false);
    }
    let mut asked = false;
    let mut keys = Keys::default();
    let mut plain = true;
    scan_object(value, |field| {
        let key = &value[field.key.clone()];
        plain &= !field.key_is_escaped && !keys.repeats(key);
        if key == b"include_usage" {
            asked = &value[field.value] == b"true";
        }
    })
    .ok()?;
    plain.then_some(asked)
}

/// `value` with `include_usage` true and everything else as it was.
fn asking_for_usage(value: &[u8]) -> Vec<u8> {
    let mut out = br#"{"include_usage":true"#.to_vec();
    let _ = scan_object(value, |field| {
        if &value[field.key.clone()] != b"include_usage" {
            out.push(b',');
            out.extend_from_slice(&value[field.start()..field.value.end]);
        }
    });
    out.push(b'}');
    out
}

/// The whole syntax, checked by serde_json; its message names line and column.
fn syntax(body: &[u8]) -> Result<(), RequestError> {
    serde_json::from_slice::<serde::de::IgnoredAny>(body)
        .map(|_| ())
        .map_err(|error| RequestError::Json(error.to_string()))
}

/// The same object with each key once (the last one wins, as in every JSON library the providers use), no key escaped, and
/// the values of `model` and `user` free of escapes where their text allows it.
fn normal_form(body: &[u8]) -> Result<Vec<u8>, RequestError> {
    let fields = raw_fields(body).map_err(|error| RequestError::Json(error.to_string()))?;
    let mut out = vec![b'{'];
    for (position, (key, value)) in fields.iter().enumerate() {
        if fields[position + 1..].iter().any(|(later, _)| later == key) {
            continue;
        }
        if out.len() > 1 {
            out.push(b',');
        }
        let quoted_key = json::quoted(key);
        if quoted_key.contains(&b'\\') {
            // A key that must stay escaped (a quote, a control character) is none that the gateway knows.
            return Err(RequestError::Json(
                "a field name holds a control character, a quote or a backslash".to_owned(),
            ));
        }
        out.extend_from_slice(&quoted_key);
        out.push(b':');
        match key.as_str() {
            "model" | "user" | "service_tier" => {
                match serde_json::from_str::<String>(value.get()) {
                    Ok(text) => {
                        let plain = json::quoted(&text);
                        if key == "model" && plain.contains(&b'\\') {
                            return Err(RequestError::ModelUnspeakable);
                        }
                        out.extend_from_slice(&plain);
                    }
                    Err(_) => out.extend_from_slice(value.get().as_bytes()),
                }
            }
            _ => out.extend_from_slice(value.get().as_bytes()),
        }
    }
    out.push(b'}');
    Ok(out)
}

fn raw_fields(body: &[u8]) -> Result<Vec<(String, &RawValue)>, serde_json::Error> {
    struct Fields;
    impl<'de> Visitor<'de> for Fields {
        type Value = Vec<(String, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut fields = Vec::new();
            while let Some(field) = map.next_entry()? {
                fields.push(field);
            }
            Ok(fields)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    deserializer.deserialize_map(Fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn upstream(body: &str) -> Value {
        let request = ChatRequest::read(body.as_bytes()).unwrap();
        serde_json::from_slice(&request.upstream_body(b"\"up\"")).unwrap()
    }

    #[test]
    fn lists_are_sorted_for_the_search() {
        assert!(GATEWAY_ONLY.is_sorted());
        assert!(REFUSED.is_sorted());
    }

    #[test]
    fn what_is_read() {
        let body = r#"{"model":"m","stream":true,"n":2,"max_tokens":5,"max_completion_tokens":7.0,"user":"u","messages":[1]}"#;
        let request = ChatRequest::read(body.as_bytes()).unwrap();
        assert_eq!(request.model(), Some("m"));
        assert!(request.stream);
        assert!(!request.include_usage);
        assert_eq!((request.choices, request.max_tokens), (2, Some(7)));
        assert_eq!(request.user(), Some("u"));
        assert_eq!(request.prompt_bytes, 3);
    }

    #[test]
    fn only_the_named_bytes_change() {
        let body = "{ \"model\" : \"a\",\n \"messages\":[ {\"x\": 1.00} ], \"big\": 12345678901234567890123, \"e\":\"\\u00e9\" }";
        let request = ChatRequest::read(body.as_bytes()).unwrap();
        let sent = String::from_utf8(request.upstream_body(b"\"bb\"")).unwrap();
        assert_eq!(sent, body.replace("\"a\"", "\"bb\"").trim_end());
    }

    #[test]
    fn a_stream_asks_for_usage() {
        let cases = [
            (
                r#"{"messages":[],"stream":true}"#,
                json!({"include_usage": true}),
            ),
            (
                r#"{"messages":[],"stream":true,"stream_options":null}"#,
                json!({"include_usage": true}),
            ),
            (
                r#"{"messages":[],"stream":true,"stream_options":{"include_usage":false,"x":1}}"#,
                json!({"include_usage": true, "x": 1}),
            ),
            (
                r#"{"messages":[],"stream":true,"stream_options":{"include_usage":true}}"#,
                json!({"include_usage": true}),
            ),
        ];
        for (body, options) in cases {
            assert_eq!(upstream(body)["stream_options"], options, "{body}");
        }
        assert_eq!(
            upstream(r#"{"messages":[],"stream":false}"#),
            json!({"messages": [], "stream": false})
        );
    }

    #[test]
    fn gateway_fields_stay_here() {
        for body in [
            r#"{"timeout":1,"model":"m","messages":[]}"#,
            r#"{"model":"m","timeout":1,"messages":[]}"#,
            r#"{"model":"m","messages":[],"timeout":1}"#,
            r#"{"model":"m","messages":[] , "timeout":1, "tags":["a"] }"#,
            r#"{"tags":["a"],"timeout":1,"model":"m","cache":{},"messages":[],"num_retries":2}"#,
        ] {
            assert_eq!(
                upstream(body),
                json!({"model": "up", "messages": []}),
                "{body}"
            );
        }
        let streamed = r#"{"model":"m","messages":[],"stream":true,"timeout":1}"#;
        assert_eq!(
            upstream(streamed),
            json!({"model": "up", "messages": [], "stream": true, "stream_options": {"include_usage": true}})
        );
    }

    #[test]
    fn doubled_and_escaped_keys_cannot_smuggle_a_model() {
        for body in [
            r#"{"model":"cheap","messages":[],"model":"dear"}"#,
            r#"{"model":"cheap","messages":[],"mod\u0065l":"dear"}"#,
            r#"{"mod\u0065l":"cheap","messages":[],"model":"d\u0065ar"}"#,
        ] {
            let request = ChatRequest::read(body.as_bytes()).unwrap();
            assert_eq!(request.model(), Some("dear"), "{body}");
            let sent: Value = serde_json::from_slice(&request.upstream_body(b"\"up\"")).unwrap();
            assert_eq!(sent, json!({"model": "up", "messages": []}), "{body}");
        }
    }

    #[test]
    fn bad_bodies_are_named() {
        let deep = format!("{{\"messages\":{}{}}}", "[".repeat(200), "]".repeat(200));
        let cases: [(&str, &str); 13] = [
            ("{", "Invalid JSON payload"),
            (r#"{"model":"a","Model":"b","messages":[]}"#, "lower case"),
            (
                r#"{"messages":[],"stream":true,"stream_options":{"include_usage":true,"include_\u0075sage":false}}"#,
                "'stream_options' must be",
            ),
            (r#"{"messages":[],"n":18446744073709551615}"#, "'n' must be"),
            (
                r#"{"messages":[],"langfuse_host":"http://x"}"#,
                "langfuse_host is not allowed",
            ),
            ("null", "must be a JSON object"),
            ("[]", "must be a JSON object"),
            (r#"{"model":5,"messages":[]}"#, "'model' must be a string."),
            (r#"{"model":"m"}"#, "'messages'"),
            (r#"{"model":"m","messages":"hi"}"#, "must be an array"),
            (
                r#"{"model":"m","messages":[],"max_tokens":-1}"#,
                "'max_tokens' must be a whole number",
            ),
            (
                r#"{"model":"m","messages":[],"api_base":"http://x"}"#,
                "api_base is not allowed",
            ),
            (&deep, "nested deeper"),
        ];
        for (body, text) in cases {
            let message = ChatRequest::read(body.as_bytes()).unwrap_err().to_string();
            assert!(message.contains(text), "{body}: {message}");
        }
        assert!(ChatRequest::read(b"{\"model\":\"\xff\",\"messages\":[]}").is_err());
    }

    #[test]
    fn a_flood_of_fields_is_refused_before_it_costs() {
        let many: String = (0..100_000).map(|n| format!(",\"k{n}\":0")).collect();
        let body = format!("{{\"a\":0,\"a\":0{many},\"messages\":[]}}");
        assert_eq!(
            ChatRequest::read(body.as_bytes()).unwrap_err(),
            RequestError::TooManyFields
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(request) = ChatRequest::read(&bytes) {
                request.upstream_body(b"\"m\"");
            }
        }

        /// The span edits and the normal form (the slow way) give the same object.
        #[test]
        fn fast_is_slow(
            unknown in prop::collection::vec(("[a-z\u{e9}\"]{1,6}", any::<String>()), 0..5),
            gateway in prop::sample::subsequence(GATEWAY_ONLY.to_vec(), 0..4),
            stream in any::<bool>(),
            place in 0usize..8,
        ) {
            let mut fields: Vec<(String, Value)> = unknown
                .into_iter()
                .map(|(key, value)| (format!("x{key}").replace('"', ""), value.into()))
                .collect();
            fields.extend(gateway.iter().map(|key| ((*key).to_owned(), json!({"a": [1]}))));
            for (key, value) in [("model", json!("m")), ("messages", json!([{"role": "user"}])), ("stream", json!(stream))] {
                let at = place.min(fields.len());
                fields.insert(at, (key.to_owned(), value));
            }
            fields.dedup_by(|a, b| a.0 == b.0);
            let text = |doubled: bool| {
                let mut parts: Vec<String> = fields.iter().map(|(k, v)| format!("{}: {v}", json!(k))).collect();
                if doubled {
                    parts.push("\"mod\\u0065l\":\"m\"".to_owned());
                }
                format!("{{{}}}", parts.join(" , "))
            };
            let read = |text: &str| -> Value {
                serde_json::from_slice(&ChatRequest::read(text.as_bytes()).unwrap().upstream_body(b"\"up\"")).unwrap()
            };
            prop_assert_eq!(read(&text(false)), read(&text(true)));
        }
    }
}
