//! Response heads and transfer framing.

use std::collections::BTreeMap;

use super::Framing;
use super::ids::Stamp;
use super::script::Cue;

/// The head of an answer. Headers are those OpenAI sends, or Anthropic.
pub struct Head<'a> {
    pub is_anthropics: bool,
    pub status: u16,
    pub content_type: &'a str,
    pub framing: Framing,
    /// Announced with framing `Length`.
    pub length: usize,
    pub headers: &'a BTreeMap<String, String>,
}

impl Head<'_> {
    fn write(&self, stamp: &Stamp) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        let length = self.length.to_string();
        let framing = match self.framing {
            Framing::Length => ("content-length", length.as_str()),
            Framing::Chunked => ("transfer-encoding", "chunked"),
            Framing::Close => ("connection", "close"),
        };
        let openais = [
            ("access-control-expose-headers", "X-Request-ID"),
            ("openai-organization", "pointsman-tests"),
            ("openai-processing-ms", "7"),
            ("openai-version", "2020-10-01"),
            ("x-ratelimit-limit-requests", "10000"),
            ("x-ratelimit-limit-tokens", "2000000"),
            ("x-ratelimit-remaining-requests", "9999"),
            ("x-ratelimit-remaining-tokens", "1999983"),
            ("x-ratelimit-reset-requests", "6ms"),
            ("x-ratelimit-reset-tokens", "0s"),
            ("x-request-id", stamp.request.as_str()),
        ];
        let anthropics = [
            (
                "anthropic-organization-id",
                "00000000-0000-4000-8000-000000000000",
            ),
            ("anthropic-ratelimit-requests-limit", "10000"),
            ("anthropic-ratelimit-requests-remaining", "9999"),
            ("anthropic-ratelimit-requests-reset", "2030-01-01T00:00:00Z"),
            ("anthropic-ratelimit-tokens-limit", "2000000"),
            ("anthropic-ratelimit-tokens-remaining", "1999000"),
            ("anthropic-ratelimit-tokens-reset", "2030-01-01T00:00:00Z"),
            ("request-id", stamp.request.as_str()),
        ];
        let own_to_provider = if self.is_anthropics {
            &anthropics[..]
        } else {
            &openais
        };
        let always = [("content-type", self.content_type), framing];
        let usual = always.iter().chain(own_to_provider).copied();
        let replaced = |name: &str| {
            self.headers
                .keys()
                .any(|own| own.eq_ignore_ascii_case(name))
        };
        let own = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in usual.filter(|(name, _)| !replaced(name)).chain(own) {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// The bytes on the wire: the head shares the first write with what follows at once, the end of the body its last.
    pub fn frame(&self, stamp: &Stamp, body: Vec<Cue>) -> Vec<Cue> {
        let mut head = self.write(stamp);
        let complete = !body
            .iter()
            .any(|cue| matches!(cue, Cue::Silence | Cue::Close(_)));
        let mut cues = Vec::with_capacity(body.len() + 1);
        for cue in body {
            match cue {
                Cue::Send(bytes) if bytes.is_empty() => {}
                Cue::Send(bytes) => {
                    let mut wire = std::mem::take(&mut head);
                    self.encode(&bytes, &mut wire);
                    cues.push(Cue::Send(wire));
                }
                other => {
                    cues.push(Cue::Send(std::mem::take(&mut head)));
                    cues.push(other);
                }
            }
        }
        if complete && self.framing == Framing::Chunked {
            match cues.last_mut() {
                Some(Cue::Send(last)) if head.is_empty() => last.extend_from_slice(b"0\r\n\r\n"),
                _ => {
                    head.extend_from_slice(b"0\r\n\r\n");
                    cues.push(Cue::Send(head));
                    return cues;
                }
            }
        }
        cues.push(Cue::Send(head));
        cues
    }

    fn encode(&self, bytes: &[u8], wire: &mut Vec<u8>) {
        if self.framing == Framing::Chunked {
            wire.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
            wire.extend_from_slice(bytes);
            wire.extend_from_slice(b"\r\n");
        } else {
            wire.extend_from_slice(bytes);
        }
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        413 => "Request Entity Too Large",
        504 => "Gateway Timeout",
        529 => "Site is overloaded",
        _ => "Status",
    }
}
