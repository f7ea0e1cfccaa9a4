//! What a client asks on a connection, and what the connection remembers of it.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::http::error::ApiError;
use crate::protocol::continuity::{field, joined, output_of, own_items};
use crate::protocol::json::{plain_str, scan_object};
use crate::types::LedgerId;

/// A request for a response.
pub struct Create {
    /// As it would be posted.
    pub body: Bytes,
    /// All that it goes on from and brings, a JSON array; `None`: the response is kept elsewhere.
    items: Option<Vec<u8>>,
    model: String,
}

/// What a message asks.
pub enum Asked {
    Create(Create),
    /// Only to be remembered: no model is asked.
    WarmUp(Create),
    /// It tells something that nobody waits for.
    Nothing,
}

/// The last conversation of a connection.
pub struct Memory {
    /// The id of its last response, and all its items, a JSON array.
    last: Option<(String, Vec<u8>)>,
    /// Bytes of it at most.
    most: usize,
}

/// Fields of a message that are none of a request.
const OF_THE_SOCKET: [&str; 6] = [
    "type",
    "generate",
    "stream",
    "background",
    "event_id",
    "stream_id",
];

impl Asked {
    pub fn read(message: &Bytes, memory: &Memory) -> Result<Self, ApiError> {
        let wrong = |text: &str, param| Err(ApiError::bad_request(text, Some(param)));
        if serde_json::from_slice::<serde::de::IgnoredAny>(message).is_err() {
            return wrong("a message must be a JSON object", "type");
        }
        let text =
            |name| field(message, name).and_then(|value| plain_str(value, &(0..value.len())));
        match text("type") {
            Some("response.create") => {}
            Some("response.processed") => return Ok(Self::Nothing),
            _ => {
                return wrong("the type of a message must be 'response.create'", "type");
            }
        }
        if field(message, "stream_id").is_some_and(|id| id != b"null") {
            return wrong(
                "a connection has one conversation at a time here: leave 'stream_id' out, and open another connection",
                "stream_id",
            );
        }
        let is_warm_up = field(message, "generate") == Some(b"false");
        let previous = text("previous_response_id");
        let remembered = previous.and_then(|id| memory.items(id));
        let keeps = is_warm_up || remembered.is_some() || field(message, "store") == Some(b"false");
        let own = field(message, "input").unwrap_or(b"[]");
        let Some(own) = own_items(own) else {
            return wrong("'input' must be a text or a list of items", "input");
        };
        let items = keeps.then(|| joined(remembered.into_iter().chain([own.as_slice()])));
        let mut body = br#"{"stream":true"#.to_vec();
        let mut put = |name: &[u8], value: &[u8]| {
            for part in [&b","[..], name, b":", value] {
                body.extend_from_slice(part);
            }
        };
        // It is well-formed.
        let _ = scan_object(message, |field| {
            let key = &message[field.key.clone()];
            let is_socket = OF_THE_SOCKET.iter().any(|name| name.as_bytes() == key);
            let is_other =
                remembered.is_some() && [&b"input"[..], b"previous_response_id"].contains(&key);
            if !is_socket && !is_other {
                put(
                    &message[field.start()..=field.key.end],
                    &message[field.value],
                );
            }
        });
        if let (Some(items), true) = (&items, remembered.is_some()) {
            put(b"\"input\"", items);
        }
        body.push(b'}');
        let create = Create {
            body: body.into(),
            items,
            model: text("model").unwrap_or_default().to_owned(),
        };
        Ok(match is_warm_up {
            true => Self::WarmUp(create),
            false => Self::Create(create),
        })
    }
}

impl Memory {
    pub fn new(most: usize) -> Self {
        Self { last: None, most }
    }

    fn items(&self, id: &str) -> Option<&[u8]> {
        let (last, items) = self.last.as_ref()?;
        (last == id).then_some(items)
    }

    /// What failed is not gone on from.
    pub fn forget(&mut self) {
        self.last = None;
    }

    /// Remembers a turn with its answer, unless the response is kept elsewhere.
    pub fn keep(&mut self, create: &Create, response: Option<&Bytes>) {
        self.last = None;
        if let (Some(items), Some(response)) = (&create.items, response) {
            let id = field(response, "id").and_then(|id| plain_str(id, &(0..id.len())));
            let all = joined([items.as_slice(), output_of(response)]);
            self.remember(id.unwrap_or_default().to_owned(), all);
        }
    }

    fn remember(&mut self, id: String, items: Vec<u8>) {
        if items.len() <= self.most && !id.is_empty() {
            self.last = Some((id, items));
        }
    }

    /// Remembers a request that nobody answers yet; the events that say so.
    pub fn warm_up(&mut self, create: &Create, created_at: i64) -> [String; 2] {
        let id = format!("resp_{}", LedgerId::now().to_string().replace('-', ""));
        let usage = json!({
            "input_tokens": 0, "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 0, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 0,
        });
        let event = |number: u8, kind: &str, status: &str, usage: &Value| {
            let response = json!({
                "id": id, "object": "response", "created_at": created_at, "status": status, "error": null,
                "incomplete_details": null, "model": create.model, "output": [], "usage": usage,
            });
            json!({"type": kind, "sequence_number": number, "response": response}).to_string()
        };
        let events = [
            event(0, "response.created", "in_progress", &Value::Null),
            event(1, "response.completed", "completed", &usage),
        ];
        self.remember(id, create.items.clone().unwrap_or_else(|| b"[]".to_vec()));
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(message: Value, memory: &Memory) -> Asked {
        Asked::read(&message.to_string().into(), memory).unwrap_or_else(|error| panic!("{error:?}"))
    }

    fn create(message: Value, memory: &Memory) -> Create {
        match asked(message, memory) {
            Asked::Create(create) | Asked::WarmUp(create) => create,
            Asked::Nothing => panic!("nothing"),
        }
    }

    fn body(create: &Create) -> Value {
        serde_json::from_slice(&create.body).unwrap()
    }

    #[test]
    fn a_conversation_goes_on() {
        let mut memory = Memory::new(10_000);
        let first = json!({"type": "response.create", "model": "m", "store": false, "input": "hi", "background": true});
        let first = create(first, &memory);
        assert_eq!(
            body(&first),
            json!({"stream": true, "model": "m", "store": false, "input": "hi"})
        );
        let answer = json!({"id": "r1", "output": [{"type": "message", "id": "m1"}]});
        memory.keep(&first, Some(&answer.to_string().into()));
        let output = json!({"type": "function_call_output", "call_id": "c", "output": "4"});
        let next = json!({"type": "response.create", "model": "m", "store": false, "previous_response_id": "r1", "input": [output]});
        let second = body(&create(next.clone(), &memory));
        let hi = json!({"type": "message", "role": "user", "content": "hi"});
        assert_eq!(second["input"], json!([hi, answer["output"][0], output]));
        assert_eq!(second.get("previous_response_id"), None);
        // Another one's is for others to find.
        let mut other = next;
        other["previous_response_id"] = "r2".into();
        let other = body(&create(other, &memory));
        assert_eq!(other["previous_response_id"], "r2");
        assert_eq!(other["input"], json!([output]));
        memory.forget();
        assert!(memory.items("r1").is_none());
    }

    #[test]
    fn what_is_stored_is_not_remembered() {
        let mut memory = Memory::new(10_000);
        let stored = json!({"type": "response.create", "model": "m", "input": "hi"});
        let stored = create(stored, &memory);
        memory.keep(&stored, Some(&r#"{"id":"r1","output":[]}"#.into()));
        assert!(memory.items("r1").is_none());
        let mut little = Memory::new(10);
        let first = json!({"type": "response.create", "store": false, "input": "more than that"});
        let first = create(first, &little);
        little.keep(&first, Some(&r#"{"id":"r1","output":[]}"#.into()));
        assert!(little.items("r1").is_none());
    }

    #[test]
    fn a_warm_up_is_gone_on_from() {
        let mut memory = Memory::new(10_000);
        let warm =
            json!({"type": "response.create", "generate": false, "model": "m", "input": "rules"});
        let Asked::WarmUp(warm) = asked(warm, &memory) else {
            panic!("a warm-up");
        };
        let events = memory.warm_up(&warm, 7);
        let done: Value = serde_json::from_str(&events[1]).unwrap();
        let id = done["response"]["id"].as_str().unwrap();
        assert_eq!(done["response"]["status"], "completed");
        let next = json!({"type": "response.create", "previous_response_id": id, "input": "go"});
        let next = body(&create(next, &memory));
        assert_eq!(next["input"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let memory = Memory::new(1000);
        for message in [
            "",
            "[]",
            "{",
            "{}",
            r#"{"type":"response.cancel"}"#,
            r#"{"type":"response.create","input":7}"#,
            r#"{"type":"response.create","input":"a","stream_id":"b"}"#,
        ] {
            assert!(Asked::read(&message.into(), &memory).is_err(), "{message}");
        }
        let processed = json!({"type": "response.processed", "response_id": "r"});
        assert!(matches!(asked(processed, &memory), Asked::Nothing));
    }
}
