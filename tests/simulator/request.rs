//! Reading requests: head, body, and the few fields that decide the answer.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::errors::{self, Refusal};
use super::responses::Caller;
use super::{anthropic, responses};

const MAX_HEADERS: usize = 100;

/// A request's head, read from a buffer.
pub struct RequestHead {
    pub method: String,
    /// With the query.
    pub path: String,
    /// Lower-case names, in order; kept only when asked for.
    pub headers: Vec<(String, String)>,
    pub authorization: Option<String>,
    /// `x-api-key` or `api-key`.
    pub api_key: Option<String>,
    pub anthropic_version: Option<String>,
    /// All of them, with commas.
    pub anthropic_beta: Option<String>,
    /// `sec-websocket-key`.
    pub socket_key: Option<String>,
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
        api_key: None,
        anthropic_version: None,
        anthropic_beta: None,
        socket_key: None,
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
            name if name.eq_ignore_ascii_case("sec-websocket-key") => {
                head.socket_key = Some(value.clone().into_owned());
            }
            name if name.eq_ignore_ascii_case("expect") => head.expects = true,
            name if name.eq_ignore_ascii_case("authorization") => {
                head.authorization = Some(value.clone().into_owned())
            }
            name if ["x-api-key", "api-key"]
                .iter()
                .any(|own| name.eq_ignore_ascii_case(own)) =>
            {
                head.api_key = Some(value.clone().into_owned());
            }
            name if name.eq_ignore_ascii_case("anthropic-version") => {
                head.anthropic_version = Some(value.clone().into_owned());
            }
            name if name.eq_ignore_ascii_case("anthropic-beta") => {
                let betas = head.anthropic_beta.get_or_insert_default();
                if !betas.is_empty() {
                    betas.push(',');
                }
                betas.push_str(&value);
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

impl RequestHead {
    /// The key that came, in whatever header.
    pub fn key(&self) -> Option<&str> {
        let bearer = self
            .authorization
            .as_deref()
            .and_then(|value| value.strip_prefix("Bearer "));
        bearer.or(self.api_key.as_deref())
    }
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

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    Chat,
    Completion,
    Embedding,
    /// Anthropic's.
    Messages,
    Responses,
}

impl Kind {
    /// By the end of the path; `None` for other routes.
    pub fn of(path: &str) -> Option<Self> {
        match path {
            _ if path.ends_with("/chat/completions") => Some(Self::Chat),
            _ if path.ends_with("/completions") => Some(Self::Completion),
            _ if path.ends_with("/embeddings") => Some(Self::Embedding),
            _ if path.ends_with("/messages") => Some(Self::Messages),
            _ if path.ends_with("/responses") => Some(Self::Responses),
            _ => None,
        }
    }
}

/// What the answer depends on.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    pub kind: Kind,
    pub model: String,
    pub stream: bool,
    pub include_usage: bool,
    /// `n`; for text completions `n` for each prompt, for embeddings the number of inputs.
    pub choices: u32,
    /// A quarter of the messages' or prompts' bytes, at least one; token ids count as they are.
    pub prompt_tokens: usize,
    /// `top_logprobs`, if `logprobs` is set; a text completion's `logprobs`.
    pub logprobs: Option<usize>,
    /// The prompts to be repeated before a text completion, because of `echo`; token ids are shown as such.
    pub echo: Vec<String>,
    /// Of a vector.
    pub dimensions: usize,
    /// `encoding_format` is `base64`.
    pub base64: bool,
    /// Messages, Responses: the whole body, some of which the answer repeats.
    pub body: Value,
    /// Responses: encrypted content was asked for, which this account alone can read.
    pub encrypts: bool,
    pub account: String,
    /// Responses: all that came before the answer.
    pub history: Vec<Value>,
}

// === impl Ask ===

impl Ask {
    /// Whether the response is to be made in the background.
    pub fn is_in_background(&self) -> bool {
        self.body["background"] == true
    }
}

/// Dimensions of a vector when the request does not say.
const DIMENSIONS: usize = 8;

#[derive(Deserialize)]
struct Fields<'a> {
    model: Option<String>,
    stream: Option<bool>,
    n: Option<u32>,
    /// A flag in a chat, a number in a text completion.
    logprobs: Option<Value>,
    top_logprobs: Option<usize>,
    stream_options: Option<StreamOptions>,
    echo: Option<bool>,
    dimensions: Option<usize>,
    encoding_format: Option<String>,
    prompt: Option<Texts>,
    input: Option<Texts>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    simulate: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// A text, token ids, or a list of either.
#[derive(Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
    Ids(Vec<u32>),
    Lists(Vec<Vec<u32>>),
}

impl Texts {
    fn tokens(&self) -> usize {
        match self {
            Self::One(text) => text.len().div_ceil(4).max(1),
            Self::Many(texts) => texts.iter().map(|text| text.len().div_ceil(4).max(1)).sum(),
            Self::Ids(ids) => ids.len(),
            Self::Lists(lists) => lists.iter().map(Vec::len).sum(),
        }
    }

    /// One a prompt.
    fn shown(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
            Self::Ids(ids) => vec![format!("{ids:?}")],
            Self::Lists(lists) => lists.iter().map(|ids| format!("{ids:?}")).collect(),
        }
    }
}

#[derive(Deserialize)]
struct Simulate<'a> {
    #[serde(borrow)]
    simulate: Option<&'a RawValue>,
}

/// Reads a body: what is asked, and the text of `simulate`.
pub fn ask<'b>(
    kind: Kind,
    body: &'b [u8],
    caller: &Caller<'_>,
) -> Result<(Ask, Option<&'b str>), Refusal> {
    match kind {
        Kind::Messages | Kind::Responses => of_blocks(kind, body, caller),
        _ => of_texts(kind, body),
    }
}

/// A request whose body is checked as a whole.
fn of_blocks<'b>(
    kind: Kind,
    text: &'b [u8],
    caller: &Caller<'_>,
) -> Result<(Ask, Option<&'b str>), Refusal> {
    let unreadable = || match kind {
        Kind::Messages => anthropic::invalid("The request body is not valid JSON."),
        _ => errors::not_json(),
    };
    let body: Value = serde_json::from_slice(text).map_err(|_| unreadable())?;
    let simulate: Simulate<'_> = serde_json::from_slice(text).map_err(|_| unreadable())?;
    let history = match kind {
        Kind::Messages => anthropic::check(&body, false).map(|()| Vec::new())?,
        _ => responses::check(&body, caller)?,
    };
    let include = body["include"].as_array();
    let ask = Ask {
        kind,
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        stream: body["stream"] == true,
        include_usage: true,
        choices: 1,
        prompt_tokens: prompt_tokens(&body),
        encrypts: include
            .is_some_and(|list| list.iter().any(|one| one == "reasoning.encrypted_content")),
        account: caller.account.to_owned(),
        history,
        body,
        ..Ask::default()
    };
    Ok((ask, simulate.simulate.map(RawValue::get)))
}

/// A quarter of the bytes of what a model reads.
pub fn prompt_tokens(body: &Value) -> usize {
    let read = ["system", "instructions", "tools", "messages", "input"];
    let texts = read.iter().filter(|name| !body[**name].is_null());
    texts
        .map(|name| body[*name].to_string().len())
        .sum::<usize>()
        .div_ceil(4)
}

/// How often results of tools have come back: runs of them.
pub fn turn(ask: &Ask, body: &[u8]) -> usize {
    let parsed: Value = match ask.kind {
        Kind::Chat => serde_json::from_slice(body).unwrap_or_default(),
        _ => Value::Null,
    };
    let (turns, gives): (&[Value], fn(&Value) -> bool) = match ask.kind {
        Kind::Messages => (list(&ask.body["messages"]), |turn| {
            list(&turn["content"])
                .iter()
                .any(|block| block["type"] == "tool_result")
        }),
        Kind::Responses => (&ask.history, |item| {
            item["type"]
                .as_str()
                .is_some_and(|kind| kind.ends_with("_call_output"))
        }),
        _ => (list(&parsed["messages"]), |turn| turn["role"] == "tool"),
    };
    let gives: Vec<bool> = turns.iter().map(gives).collect();
    let begins = |at: usize| gives[at] && (at == 0 || !gives[at - 1]);
    (0..gives.len()).filter(|at| begins(*at)).count()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn of_texts(kind: Kind, body: &[u8]) -> Result<(Ask, Option<&str>), Refusal> {
    let fields: Fields<'_> = serde_json::from_slice(body).map_err(|error| {
        if error.is_data() {
            errors::wrong_type(&error.to_string())
        } else {
            errors::not_json()
        }
    })?;
    let model = fields.model.ok_or_else(errors::no_model)?;
    let n = fields.n.unwrap_or(1).clamp(1, 128);
    let (texts, prompt_tokens) = match kind {
        Kind::Chat => {
            let messages = fields.messages.ok_or_else(|| errors::missing("messages"))?;
            (vec![String::new()], messages.get().len().div_ceil(4))
        }
        Kind::Completion => {
            let prompt = fields.prompt.ok_or_else(|| errors::missing("prompt"))?;
            let tokens = prompt.tokens();
            (prompt.shown(), tokens)
        }
        _ => {
            let input = fields.input.ok_or_else(|| errors::missing("input"))?;
            let tokens = input.tokens();
            (input.shown(), tokens)
        }
    };
    let logprobs = match fields.logprobs.unwrap_or_default() {
        Value::Bool(true) => Some(fields.top_logprobs.unwrap_or_default().min(20)),
        Value::Number(count) => count.as_u64().map(|count| count.min(5) as usize),
        _ => None,
    };
    let ask = Ask {
        kind,
        model,
        stream: fields.stream.unwrap_or_default() && kind != Kind::Embedding,
        include_usage: fields
            .stream_options
            .and_then(|options| options.include_usage)
            .unwrap_or_default(),
        choices: n * texts.len() as u32,
        prompt_tokens,
        logprobs,
        echo: if fields.echo.unwrap_or_default() {
            texts
        } else {
            Vec::new()
        },
        dimensions: fields.dimensions.unwrap_or(DIMENSIONS).min(4096),
        base64: fields.encoding_format.as_deref() == Some("base64"),
        ..Ask::default()
    };
    Ok((ask, fields.simulate.map(RawValue::get)))
}
