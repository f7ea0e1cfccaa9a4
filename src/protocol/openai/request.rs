//! A request as bytes: what the gateway must know of it, and the body that goes upstream.
//!
//! [`Request::read`] scans once. Bodies that cannot be edited by span (a doubled key, an escaped key, an escaped model
//! name) are first written anew in normal form, each key once and plain, so that there is one way to edit, not two: were
//! the first of two `model` fields authorised here and the last one obeyed upstream, a key could reach any model.

mod fields;
mod normal_form;
mod tailor;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;

pub use self::fields::refused_within;
use self::fields::{GATEWAY_ONLY, READ, is_refused};
use self::normal_form::normal_form;
use super::shape::{Facts, Shape, wrong};
use crate::protocol::json::{self, Field, ScanError, scan_object};
use crate::providers::parameters::{Parameter, ParameterSet, Path, Plan, Unsupported, Wishes};
use crate::types::{Operation, Pieces, PiecesBuilder};

/// Below this size a body is checked by serde_json in full before anything is forwarded; above, its structure only.
const FULL_CHECK_BYTES: usize = 16 * 1024;

/// Bodies of this size are copied whole when they are edited; of larger ones only what changes.
const MOST_COPIED: usize = 8 * 1024;

/// Most entries of `additional_drop_params` and `allowed_openai_params`.
const MOST_WISHES: usize = 100;

/// Most top-level fields accepted.
const MAX_FIELDS: usize = 512;

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

/// A request, read but not copied.
pub struct Request<'a> {
    shape: &'static Shape,
    body: Cow<'a, Bytes>,
    /// The model that the request's path names; it wins over the body's.
    model_in_path: Option<&'a str>,
    /// The offset of the closing brace.
    end: usize,
    model: Option<Range<usize>>,
    stream_options: Option<Range<usize>>,
    messages: Option<Range<usize>>,
    tools: Option<Range<usize>>,
    /// The parameters that it has.
    parameters: ParameterSet,
    /// What it asks about parameters that a provider does not serve.
    wishes: Wishes,
    /// Keys and values of the fields that address the gateway.
    addressed: Vec<(Range<usize>, Range<usize>)>,
    /// Whole fields to leave out, in order.
    removed: Vec<Range<usize>>,
    /// Where each removed field's successor begins; `None` for the last field of the object.
    removed_until: Vec<Option<usize>>,
    /// The client asked for a stream.
    pub stream: bool,
    /// The client asked for usage in its stream.
    pub include_usage: bool,
    /// The most output tokens of one answer, if the request says: `max_completion_tokens`, else `max_tokens`.
    pub max_tokens: Option<u64>,
    /// Answers to be made, over all prompts; at least 1.
    pub choices: u64,
    /// Prompts of a text completion, inputs of embeddings; 1 of a chat.
    pub prompts: u64,
    /// Bytes of text that the prompt's tokens are estimated from.
    pub prompt_bytes: u64,
    /// Input that came as token ids.
    pub token_ids: u64,
    /// `service_tier`, which some prices depend on.
    service_tier: Option<Range<usize>>,
}

impl<'a> Request<'a> {
    /// Reads `body`. `model_in_path` is the model that the request's path names, if it names one.
    pub fn read(
        shape: &'static Shape,
        body: &'a Bytes,
        model_in_path: Option<&'a str>,
    ) -> Result<Self, RequestError> {
        if model_in_path.is_some_and(|model| json::quoted(model).contains(&b'\\')) {
            return Err(RequestError::ModelUnspeakable);
        }
        let mut request = Self::read_body(shape, body)?;
        request.model_in_path = model_in_path;
        Ok(request)
    }

    fn read_body(shape: &'static Shape, body: &'a Bytes) -> Result<Self, RequestError> {
        if std::str::from_utf8(body).is_err() {
            return Err(RequestError::Json("the body is not UTF-8 text".to_owned()));
        }
        match Self::scan(shape, Cow::Borrowed(body)) {
            Err(Odd::NeedsNormalForm) => {
                let normal = normal_form(body)?;
                Self::scan(shape, Cow::Owned(normal.into())).map_err(|odd| match odd {
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

    fn scan(shape: &'static Shape, body: Cow<'a, Bytes>) -> Result<Self, Odd> {
        let mut reader = Reader::new(shape);
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
        reader.keep_what_is_stored();
        let facts = &reader.facts;
        if facts.prompts == 0 {
            return Err(RequestError::Missing(shape.required).into());
        }
        Ok(Self {
            shape,
            model_in_path: None,
            end,
            model: reader.model,
            stream_options: reader.stream_options,
            messages: reader.messages,
            tools: reader.tools,
            parameters: reader.parameters,
            wishes: reader.wishes,
            addressed: reader.addressed,
            removed: reader.removed,
            removed_until: reader.removed_until,
            stream: reader.stream,
            include_usage: reader.include_usage,
            max_tokens: facts.max_completion_tokens.or(facts.max_tokens),
            choices: facts.answers(),
            prompts: facts.prompts,
            prompt_bytes: facts.prompt_bytes,
            token_ids: facts.token_ids,
            service_tier: reader.service_tier,
            body,
        })
    }

    pub fn operation(&self) -> Operation {
        self.shape.operation
    }

    /// The model's name as the client wrote it; `None` when neither path nor body has one.
    pub fn model(&self) -> Option<&str> {
        self.model_in_path
            .or_else(|| json::plain_str(&self.body, self.model.as_ref()?))
    }

    /// The JSON value of a field that addresses the gateway: one that never goes upstream, or `metadata`, `user`,
    /// `safety_identifier`.
    pub fn addressed(&self, field: &str) -> Option<&[u8]> {
        let (_, value) = self
            .addressed
            .iter()
            .find(|(key, _)| &self.body[key.clone()] == field.as_bytes())?;
        Some(&self.body[value.clone()])
    }

    /// Whether any of these fields is there.
    pub fn addresses_any(&self, fields: &[&str]) -> bool {
        !self.addressed.is_empty() && fields.iter().any(|field| self.addressed(field).is_some())
    }

    pub fn service_tier(&self) -> Option<&str> {
        json::plain_str(&self.body, self.service_tier.as_ref()?)
    }

    /// The body as read: the client's bytes, or their normal form.
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The body for an upstream that calls the model `model_json` (a JSON string, quotes included). Long stretches are shared
    /// with the client's body, not copied.
    ///
    /// A stream always asks for usage, because spend depends on it; the stream editor takes it out again. What the provider
    /// takes otherwise, or not at all, is edited by its `plan`.
    pub fn upstream_body(&self, model_json: &[u8], plan: &Plan) -> Result<Pieces, Unsupported> {
        const ASK: &[u8] = br#""stream_options":{"include_usage":true}"#;
        let copied = self.body.len().min(MOST_COPIED) + model_json.len() + ASK.len() + 16;
        let mut out = PiecesBuilder::with_capacity(copied);
        let mut cursor = 0;
        let mut trailing_comma = false;
        let tailored = tailor::tailor(self, plan)?;
        let mut edits = self.edits(model_json, plan);
        edits.extend(tailored.edits);
        edits.sort_by_key(|edit| edit.at.start);
        for edit in &edits {
            out.keep(&self.body, cursor..edit.at.start);
            out.put(&edit.with);
            cursor = edit.at.end;
            trailing_comma = edit.drops_last_field;
        }
        if trailing_comma {
            drop_space(&mut out);
            if out.last() == Some(b',') {
                out.pop();
            }
        }
        out.keep(&self.body, cursor..self.end);
        let ask: &[u8] = if self.stream && self.stream_options.is_none() && plan.asks_usage {
            ASK
        } else {
            b""
        };
        for more in [ask, &tailored.added] {
            if !more.is_empty() {
                drop_space(&mut out);
                if out.last() != Some(b'{') {
                    out.put(b",");
                }
                out.put(more);
            }
        }
        out.put(b"}");
        Ok(out.finish())
    }

    fn edits<'b>(&self, model_json: &'b [u8], plan: &Plan) -> Vec<Edit<'b>> {
        let mut edits = Vec::with_capacity(2 + self.removed.len());
        let model = match &self.model {
            Some(model) => (model.clone(), Cow::Borrowed(model_json)),
            // Named by the path alone. The object is never empty: its required field is there.
            None => {
                let first = memchr::memchr(b'{', &self.body).map_or(0, |brace| brace + 1);
                let field = [br#""model":"#, model_json, b","].concat();
                (first..first, Cow::Owned(field))
            }
        };
        edits.push(Edit {
            at: model.0,
            with: model.1,
            drops_last_field: false,
        });
        if let Some(options) = &self.stream_options
            && self.stream
            && !self.include_usage
            && plan.asks_usage
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

impl fmt::Debug for Request<'_> {
    /// Never the content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
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

/// White space at the end of an object says nothing.
fn drop_space(out: &mut PiecesBuilder) {
    while out.last().is_some_and(|byte| byte.is_ascii_whitespace()) {
        out.pop();
    }
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
struct Reader {
    shape: &'static Shape,
    facts: Facts,
    seen: usize,
    model: Option<Range<usize>>,
    stream_options: Option<Range<usize>>,
    messages: Option<Range<usize>>,
    tools: Option<Range<usize>>,
    parameters: ParameterSet,
    wishes: Wishes,
    addressed: Vec<(Range<usize>, Range<usize>)>,
    service_tier: Option<Range<usize>>,
    /// OpenAI's `store`.
    stores: bool,
    /// The place of `metadata` among the removed.
    metadata: Option<usize>,
    stream: bool,
    include_usage: bool,
    removed: Vec<Range<usize>>,
    removed_until: Vec<Option<usize>>,
    keys: Keys,
    problem: Option<Odd>,
}

impl Reader {
    fn new(shape: &'static Shape) -> Self {
        Self {
            shape,
            facts: Facts::default(),
            seen: 0,
            model: None,
            stream_options: None,
            messages: None,
            tools: None,
            parameters: ParameterSet::default(),
            wishes: Wishes::default(),
            addressed: Vec::new(),
            stores: false,
            metadata: None,
            service_tier: None,
            stream: false,
            include_usage: false,
            removed: Vec::new(),
            removed_until: Vec::new(),
            keys: Keys::default(),
            problem: None,
        }
    }

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
        if let Some(parameter) = Parameter::of_field(key) {
            self.parameters.insert(parameter);
        }
        match key {
            b"messages" => self.messages = Some(span.clone()),
            b"tools" if !is_null => self.tools = Some(span.clone()),
            _ => {}
        }
        match key {
            b"model" => {
                self.model = Some(span.clone());
                if is_null {
                    return Ok(());
                }
                if value.first() != Some(&b'"') {
                    return Err(RequestError::ModelNotText.into());
                }
                if json::plain_str(bytes, span).is_none() {
                    return Err(Odd::NeedsNormalForm);
                }
            }
            b"drop_params" => {
                self.leave_out(field);
                self.wishes.drop_params = list_or(value, "drop_params", "true or false")?;
            }
            b"additional_drop_params" => {
                self.leave_out(field);
                const EXPECTED: &str =
                    "a list of at most 100 parameters, such as `tools[*].strict`";
                let name = "additional_drop_params";
                let texts: Vec<String> = list_or(value, name, EXPECTED)?.unwrap_or_default();
                let paths = texts.iter().map(|text| Path::parse(text));
                self.wishes.additional_drop_params = paths
                    .collect::<Result<Vec<_>, _>>()
                    .ok()
                    .filter(|paths| paths.len() <= MOST_WISHES)
                    .ok_or_else(|| Odd::from(wrong(name, EXPECTED)))?;
            }
            b"allowed_openai_params" => {
                self.leave_out(field);
                const EXPECTED: &str = "a list of at most 100 names of parameters";
                let name = "allowed_openai_params";
                let names: Vec<String> = list_or(value, name, EXPECTED)?.unwrap_or_default();
                if names.len() > MOST_WISHES {
                    return Err(wrong(name, EXPECTED).into());
                }
                self.wishes.allowed_openai_params = names;
            }
            b"stream" => {
                self.stream = match value {
                    b"true" => true,
                    b"false" | b"null" => false,
                    _ => return Err(wrong("stream", "true or false").into()),
                };
                if self.stream && !self.shape.streams {
                    return Err(wrong("stream", "false: these answers are not streamed").into());
                }
            }
            b"stream_options" => {
                self.include_usage = asks_for_usage(value)
                    .ok_or_else(|| Odd::from(wrong("stream_options", "an object")))?;
                self.stream_options = Some(span.clone());
            }
            b"user" | b"safety_identifier" => self.address(field),
            b"metadata" => {
                self.address(field);
                self.metadata = Some(self.removed.len());
                self.leave_out(field);
            }
            b"store" => self.stores = value == b"true",
            b"service_tier" => self.service_tier = Some(span.clone()),
            // Null is as good as absent.
            _ if !is_null && (self.shape.field)(&mut self.facts, key, value)? => {}
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
                    self.address(field);
                    self.leave_out(field);
                }
            }
        }
        Ok(())
    }

    fn leave_out(&mut self, field: &Field) {
        self.removed.push(field.start()..field.value.end);
        self.removed_until.push(None);
    }

    fn address(&mut self, field: &Field) {
        self.addressed
            .push((field.key.clone(), field.value.clone()));
    }

    /// OpenAI takes `metadata` with what it stores and refuses it otherwise: then it was meant for the gateway alone.
    fn keep_what_is_stored(&mut self) {
        if let Some(place) = self.metadata.filter(|_| self.stores) {
            self.removed.remove(place);
            self.removed_until.remove(place);
        }
    }
}

/// A value of its type; `null` is none.
fn list_or<T: serde::de::DeserializeOwned>(
    value: &[u8],
    field: &'static str,
    expected: &'static str,
) -> Result<Option<T>, Odd> {
    serde_json::from_slice(value).map_err(|_| wrong(field, expected).into())
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
