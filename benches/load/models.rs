//! The models of the simulated provider, one a kind of load, and requests for them.

use std::net::SocketAddr;

use crate::simulator::{Behaviour, Counts, Simulator};

/// Answers with 1 KB at once.
pub const SMALL: &str = "small";
/// The same after [`DELAY_MS`].
pub const DELAYED: &str = "delayed";
/// A stream of [`FLAT_CHUNKS`] as fast as they can be written.
pub const FLAT: &str = "flat";
/// A stream with a chunk each [`PACE_MS`].
pub const PACED: &str = "paced";
/// A stream with a chunk a second.
pub const IDLE: &str = "idle";
/// Answers 500 at once.
pub const FAILING: &str = "failing";
/// A group whose first deployment fails: another one answers as [`SMALL`].
pub const MOVED: &str = "moved";
/// A group whose first deployment refuses connections: another one answers as [`SMALL`].
pub const REFUSED: &str = "refused";
/// A group that fails: another one answers as [`SMALL`].
pub const FALLEN: &str = "fallen";
/// A group of [`FLAKY_DEPLOYMENTS`], of which [`FLAKY_FAILING`] fail: 31 of 100 upstream calls when each request is answered.
pub const FLAKY: &str = "flaky";
pub const FLAKY_DEPLOYMENTS: usize = 12;
pub const FLAKY_FAILING: usize = 4;
pub const ALL: [&str; 5] = [SMALL, DELAYED, FLAT, PACED, IDLE];

pub const DELAY_MS: u64 = 50;
pub const FLAT_CHUNKS: usize = 200;
pub const PACE_MS: u64 = 20;

/// Every answer claims this usage, so that what a number of requests costs is known.
pub const PROMPT_TOKENS: u64 = 100;
pub const COMPLETION_TOKENS: u64 = 50;

/// Sets up the simulator; a paced stream has `paced_chunks`.
pub fn teach(simulator: &Simulator, paced_chunks: usize) {
    let base = || Behaviour {
        counts: Some(Counts {
            input: PROMPT_TOKENS,
            output: COMPLETION_TOKENS,
            ..Counts::default()
        }),
        ..Behaviour::default()
    };
    let stream = |chunks, chunk_delay_ms| Behaviour {
        chunks: Some(chunks),
        chunk_bytes: Some(20),
        chunk_delay_ms,
        ..base()
    };
    let small = || Behaviour {
        content_bytes: Some(480),
        ..base()
    };
    simulator.behave(SMALL, small());
    simulator.behave(
        DELAYED,
        Behaviour {
            delay_ms: DELAY_MS,
            ..small()
        },
    );
    simulator.behave(FLAT, stream(FLAT_CHUNKS, 0));
    simulator.behave(PACED, stream(paced_chunks, PACE_MS));
    simulator.behave(IDLE, stream(300, 1000));
    simulator.behave(FAILING, Behaviour::failing(500));
    // Bodies of a load test are many and all the same.
    simulator.record(false);
}

/// What an answer to [`PACED`] begins with.
pub const FIRST_TEXT: &[u8] = b"The pointsman";

/// [`FLAT`], [`PACED`] and [`SMALL`] again, by what their provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// All of OpenAI's protocols.
    OpenAi,
    Anthropic,
    /// Chats alone.
    Chats,
}

impl Speaks {
    pub const BESIDE_OPENAI: [Self; 2] = [Self::Anthropic, Self::Chats];

    /// The group of a model at such a provider.
    pub fn group(self, model: &str) -> String {
        match self {
            Self::OpenAi => model.to_owned(),
            Self::Anthropic => format!("{model}-anthropic"),
            Self::Chats => format!("{model}-chats"),
        }
    }
}

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Chat,
    Messages,
    Responses,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Ask {
    pub protocol: Protocol,
    pub model: String,
    pub stream: bool,
    /// Bytes of text, in turns of [`TURN`] at most.
    pub text_bytes: usize,
}

/// Bytes of one turn of a long conversation.
const TURN: usize = 2_000;

impl Ask {
    /// A whole request.
    pub fn request(self, to: SocketAddr, key: &str) -> Vec<u8> {
        let Self {
            protocol,
            model,
            stream,
            text_bytes,
        } = self;
        let turns = text_bytes.div_ceil(TURN).max(1) | 1;
        let turns: Vec<_> = (0..turns)
            .map(|turn| {
                let role = if turn % 2 == 0 { "user" } else { "assistant" };
                serde_json::json!({"role": role, "content": prose(text_bytes / turns)})
            })
            .collect();
        let (path, body) = match protocol {
            Protocol::Chat => (
                "/v1/chat/completions",
                serde_json::json!({"model": model, "messages": turns, "stream": stream}),
            ),
            Protocol::Messages => (
                "/v1/messages",
                serde_json::json!({"model": model, "max_tokens": 1000, "messages": turns, "stream": stream}),
            ),
            Protocol::Responses => (
                "/v1/responses",
                serde_json::json!({"model": model, "input": turns, "stream": stream, "store": false}),
            ),
        };
        let own = match protocol {
            Protocol::Messages => format!("x-api-key: {key}\r\nanthropic-version: 2023-06-01\r\n"),
            _ => String::new(),
        };
        post_with(to, key, path, &own, &body)
    }
}

fn prose(bytes: usize) -> String {
    let line = "The pointsman sets the track for every train that comes along the line, 24 h.\n";
    line.chars().cycle().take(bytes).collect()
}

/// A whole request; its message has `text_bytes` of prose, a line end in each 80.
pub fn request(to: SocketAddr, key: &str, model: &str, stream: bool, text_bytes: usize) -> Vec<u8> {
    let body = serde_json::json!({
        "model": model,
        "messages": [{"role": "user", "content": prose(text_bytes)}],
        "stream": stream,
    });
    post(to, key, "/v1/chat/completions", &body)
}

/// A POST of JSON.
pub fn post(to: SocketAddr, key: &str, path: &str, body: &serde_json::Value) -> Vec<u8> {
    post_with(to, key, path, "", body)
}

/// The same with whole header lines of its own.
fn post_with(
    to: SocketAddr,
    key: &str,
    path: &str,
    headers: &str,
    body: &serde_json::Value,
) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {to}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         {headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub fn get(to: SocketAddr, key: &str, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {to}\r\nauthorization: Bearer {key}\r\n\r\n").into_bytes()
}
