//! A request as bytes: what the gateway must know of it, and the body that goes upstream.
//!
//! [`Request::read`] scans once. Bodies that cannot be edited by span (a doubled key, an escaped key, an escaped model
//! name) are first written anew in normal form, each key once and plain, so that there is one way to edit, not two: were
//! the first of two `model` fields authorised here and the last one obeyed upstream, a key could reach any model.

mod error;
mod fields;
mod normal_form;
mod reader;
mod tailor;
#[cfg(test)]
mod tests;
mod upstream_body;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;

pub use self::error::RequestError;
pub use self::fields::{may_be_replaced, refused_within};
use self::normal_form::normal_form;
use self::reader::{Odd, Reader};
use super::shape::Shape;
use crate::protocol::json::{self, ScanError, scan_object};
use crate::providers::parameters::{ParameterSet, Plan, Wishes};
use crate::types::Operation;

/// Below this size a body is checked by serde_json in full before anything is forwarded; above, its structure only.
const FULL_CHECK_BYTES: usize = 16 * 1024;

/// Most top-level fields accepted.
const MAX_FIELDS: usize = 512;

/// A request, read but not copied.
pub struct Request<'a> {
    shape: &'static Shape,
    body: Cow<'a, Bytes>,
    /// The model that the request's path names; it wins over the body's.
    model_in_path: Option<Cow<'a, str>>,
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
    /// See [`Facts::betas`](super::shape::Facts::betas).
    betas: u32,
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
        request.model_in_path = model_in_path.map(Cow::Borrowed);
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
        if shape.needs_max_tokens && facts.max_tokens.is_none() {
            return Err(RequestError::Missing("max_tokens").into());
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
            betas: facts.betas,
            service_tier: reader.service_tier,
            body,
        })
    }

    pub fn operation(&self) -> Operation {
        self.shape.operation
    }

    /// Betas of Anthropic's that it needs.
    pub fn betas(&self) -> impl Iterator<Item = &'static str> + use<> {
        let bits = self.betas;
        let names = self.shape.betas.iter().enumerate();
        names
            .filter(move |(place, _)| bits & (1 << place) != 0)
            .map(|(_, name)| *name)
    }

    /// Whether the stream of a provider with this `plan` is to be asked for its usage.
    fn asks_usage(&self, plan: &Plan) -> bool {
        self.stream && self.shape.asks_usage && plan.asks_usage
    }

    /// The model's name as the client wrote it; `None` when neither path nor body has one.
    pub fn model(&self) -> Option<&str> {
        self.model_in_path
            .as_deref()
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

    /// It wants parameters left out that a provider does not serve.
    pub fn drops_parameters(&self) -> bool {
        self.wishes.drop_params == Some(true)
    }

    pub fn service_tier(&self) -> Option<&str> {
        json::plain_str(&self.body, self.service_tier.as_ref()?)
    }

    /// The same request with other values of some fields, each a name and JSON, as a body of its own.
    pub fn with_fields(&self, fields: &[(String, Vec<u8>)]) -> Bytes {
        let mut out = Vec::with_capacity(self.body.len());
        out.push(b'{');
        let mut put = |parts: &[&[u8]]| {
            if out.len() > 1 {
                out.push(b',');
            }
            parts.iter().for_each(|part| out.extend_from_slice(part));
        };
        // It has been scanned before: no key is escaped, none comes twice.
        let _ = scan_object(&self.body, |field| {
            let key = &self.body[field.key.clone()];
            if !fields.iter().any(|(name, _)| name.as_bytes() == key) {
                put(&[&self.body[field.start()..field.value.end]]);
            }
        });
        for (name, value) in fields {
            put(&[&json::quoted(name), b":", value]);
        }
        out.push(b'}');
        out.into()
    }

    /// The same request, its body shared and nothing borrowed.
    pub fn into_owned(self) -> Request<'static> {
        Request {
            shape: self.shape,
            body: Cow::Owned(self.body.into_owned()),
            model_in_path: self
                .model_in_path
                .map(|model| Cow::Owned(model.into_owned())),
            end: self.end,
            model: self.model,
            stream_options: self.stream_options,
            messages: self.messages,
            tools: self.tools,
            parameters: self.parameters,
            wishes: self.wishes,
            addressed: self.addressed,
            removed: self.removed,
            removed_until: self.removed_until,
            stream: self.stream,
            include_usage: self.include_usage,
            max_tokens: self.max_tokens,
            choices: self.choices,
            prompts: self.prompts,
            prompt_bytes: self.prompt_bytes,
            token_ids: self.token_ids,
            betas: self.betas,
            service_tier: self.service_tier,
        }
    }

    /// The same request, parameters that a provider does not take being left out instead of refused.
    pub fn dropping_parameters(mut self) -> Self {
        self.wishes.drop_params = Some(true);
        self
    }

    /// A part of [`Self::bytes`], kept without a copy.
    pub fn share(&self, part: &[u8]) -> Bytes {
        if part.is_empty() {
            return Bytes::new();
        }
        self.body.slice_ref(part)
    }

    /// The body as read: the client's bytes, or their normal form.
    pub fn bytes(&self) -> &[u8] {
        &self.body
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

/// The whole syntax, checked by serde_json; its message names line and column.
fn syntax(body: &[u8]) -> Result<(), RequestError> {
    serde_json::from_slice::<serde::de::IgnoredAny>(body)
        .map(|_| ())
        .map_err(|error| RequestError::Json(error.to_string()))
}
