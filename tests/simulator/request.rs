//! Reading requests: head, body, and the few fields of a chat completion that decide the answer.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::errors::{self, Refusal};

const MAX_HEADERS: usize = 100;

/// A request's head, read from a buffer.
pub struct RequestHead {
    pub method: String,
    /// With the query.
    pub path: String,
    /// Lower-case names, in order; kept only when asked for.
    pub headers: Vec<(String, String)>,
    pub authorization: Option<String>,
    pub body: BodyLength,
    pub keep_alive: bool,
    /// The peer waits for `100 Continue`.
    pub expects: bool,
    /// Bytes of the head.
    pub length: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    Known(usize),
    Chunked,
}

/// The bytes are no HTTP request.
#[derive(Debug, PartialEq, Eq)]
pub struct NotHttp;

/// Reads the head at the start of `bytes`; `None` until it is whole. With `keep` all headers are listed.
pub fn head(bytes: &[u8], keep: bool) -> Result<Option<RequestHead>, NotHttp> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut fields);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(NotHttp),
    };
    let mut head = RequestHead {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: parsed.path.unwrap_or_default().to_owned(),
        headers: Vec::new(),
        authorization: None,
        body: BodyLength::Known(0),
        keep_alive: parsed.version == Some(1),
        expects: false,
        length,
    };
    for field in parsed.headers.iter() {
        let value = String::from_utf8_lossy(field.value);
        match field.name {
            name if name.eq_ignore_ascii_case("content-length") => {
                head.body = BodyLength::Known(value.parse().map_err(|_| NotHttp)?);
            }
            name if name.eq_ignore_ascii_case("transfer-encoding") => {
                head.body = BodyLength::Chunked
            }
            name if name.eq_ignore_ascii_case("connection") => {
                head.keep_alive = !value.eq_ignore_ascii_case("close") && head.keep_alive;
            }
            name if name.eq_ignore_ascii_case("expect") => head.expects = true,
            name if name.eq_ignore_ascii_case("authorization") => {
                head.authorization = Some(value.clone().into_owned())
            }
            _ => {}
        }
        if keep {
            head.headers
                .push((field.name.to_ascii_lowercase(), value.into_owned()));
        }
    }
    Ok(Some(head))
}

/// A chunked body while it arrives.
#[derive(Default)]
pub struct Chunked {
    pub body: Vec<u8>,
    /// Bytes of framing and data decoded so far.
    pub taken: usize,
}

// === impl Chunked ===

impl Chunked {
    /// Decodes further; `bytes` starts where the body starts. Whether the body is whole.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<bool, NotHttp> {
        loop {
            let Some(rest) = bytes.get(self.taken..) else {
                return Ok(false);
            };
            let (start, size) = match httparse::parse_chunk_size(rest) {
                Ok(httparse::Status::Complete((start, size))) => {
                    (start, usize::try_from(size).map_err(|_| NotHttp)?)
                }
                Ok(httparse::Status::Partial) => return Ok(false),
                Err(_) => return Err(NotHttp),
            };
            let end = start.saturating_add(size).saturating_add(2);
            let Some(chunk) = rest.get(start..end) else {
                return Ok(false);
            };
            let Some(data) = chunk.strip_suffix(b"\r\n") else {
                return Err(NotHttp);
            };
            self.body.extend_from_slice(data);
            self.taken += end;
            if size == 0 {
                return Ok(true);
            }
        }
    }
}

/// What the answer depends on.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    pub model: String,
    pub stream: bool,
    pub include_usage: bool,
    /// `n`.
    pub choices: u32,
    /// A quarter of the messages' bytes, at least one.
    pub prompt_tokens: usize,
    /// `top_logprobs`, if `logprobs` is set.
    pub logprobs: Option<usize>,
}

#[derive(Deserialize)]
struct Fields<'a> {
    model: Option<String>,
    stream: Option<bool>,
    n: Option<u32>,
    logprobs: Option<bool>,
    top_logprobs: Option<usize>,
    stream_options: Option<StreamOptions>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    simulate: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// Reads a chat completion's body: what is asked, and the text of `simulate`.
pub fn ask(body: &[u8]) -> Result<(Ask, Option<&str>), Refusal> {
    let fields: Fields<'_> = serde_json::from_slice(body).map_err(|error| {
        if error.is_data() {
            errors::wrong_type(&error.to_string())
        } else {
            errors::not_json()
        }
    })?;
    let model = fields.model.ok_or_else(errors::no_model)?;
    let messages = fields.messages.ok_or_else(errors::no_messages)?;
    let ask = Ask {
        model,
        stream: fields.stream.unwrap_or_default(),
        include_usage: fields
            .stream_options
            .and_then(|options| options.include_usage)
            .unwrap_or_default(),
        choices: fields.n.unwrap_or(1).clamp(1, 128),
        prompt_tokens: messages.get().len().div_ceil(4),
        logprobs: fields
            .logprobs
            .unwrap_or_default()
            .then(|| fields.top_logprobs.unwrap_or_default().min(20)),
    };
    Ok((ask, fields.simulate.map(RawValue::get)))
}
