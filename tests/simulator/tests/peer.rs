//! A client for these tests: std's TCP and nothing between it and the bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::super::Simulator;

/// How reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Whole,
    /// The connection ended in order, before the body did.
    Fin,
    Rst,
    /// Nothing came for a while.
    Silent,
}

pub struct Answer {
    pub head: String,
    /// Transfer framing removed.
    pub body: Vec<u8>,
    /// Sizes of the transfer chunks.
    pub chunks: Vec<usize>,
    pub ended: Ended,
}

pub struct Peer(pub TcpStream);

// === impl Peer ===

impl Peer {
    pub fn new(simulator: &Simulator) -> Self {
        let stream = TcpStream::connect(simulator.address()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        Self(stream)
    }

    pub fn send(&mut self, head: &str, body: &str) {
        let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        self.0.write_all(request.as_bytes()).unwrap();
    }

    pub fn ask(&mut self, body: &Value) -> Answer {
        self.send(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: sim",
            &body.to_string(),
        );
        self.answer()
    }

    pub fn answer(&mut self) -> Answer {
        let mut bytes = Vec::new();
        let mut answer = Answer {
            head: String::new(),
            body: Vec::new(),
            chunks: Vec::new(),
            ended: Ended::Fin,
        };
        loop {
            if decode(&bytes, &mut answer) == Some(true) {
                answer.ended = Ended::Whole;
                return answer;
            }
            let mut buffer = [0; 4096];
            answer.ended = match self.0.read(&mut buffer) {
                Ok(0) => Ended::Fin,
                Ok(read) => {
                    bytes.extend_from_slice(&buffer[..read]);
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::ConnectionReset => Ended::Rst,
                Err(_) => Ended::Silent,
            };
            return answer;
        }
    }
}

/// Decodes what is here; whether the answer is whole, `None` while its head is not.
fn decode(bytes: &[u8], answer: &mut Answer) -> Option<bool> {
    let end = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    answer.head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    answer.body.clear();
    answer.chunks.clear();
    if let Some(length) = answer.header("content-length") {
        let length: usize = length.parse().unwrap();
        answer.body = bytes[end..].to_vec();
        return Some(answer.body.len() >= length);
    }
    if answer.header("transfer-encoding").is_none() {
        answer.body = bytes[end..].to_vec();
        return Some(false);
    }
    let mut rest = &bytes[end..];
    while let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(rest) {
        let here = &rest[start..];
        let size = size as usize;
        answer.body.extend_from_slice(&here[..size.min(here.len())]);
        if here.len() < size + 2 {
            break;
        }
        if size == 0 {
            return Some(true);
        }
        answer.chunks.push(size);
        rest = &here[size + 2..];
    }
    Some(false)
}

// === impl Answer ===

impl Answer {
    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The payloads of a stream that are JSON.
    pub fn events(&self) -> Vec<Value> {
        self.text()
            .lines()
            .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
            .collect()
    }

    /// The text of a stream.
    pub fn said(&self) -> String {
        let events = self.events();
        events
            .iter()
            .filter_map(|event| event["choices"][0]["delta"]["content"].as_str())
            .collect()
    }
}
