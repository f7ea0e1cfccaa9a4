//! A mock's answer to a chat: `chat.completion`, or a stream of `chat.completion.chunk`s.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::error::MockError;
use super::frame::{cut, event, filled, stream, usage};
use super::{Asked, Said};

/// What arrives of a stream that breaks off.
pub const BEFORE_BREAKING_OFF: &str = "This is";

/// What the assistant says.
pub struct Message<'a> {
    pub content: &'a str,
    pub tool_calls: &'a [Value],
}

/// A text, the same in every choice; tool calls in the first one.
pub fn text(message: &Message<'_>, asked: &Asked<'_>) -> Said {
    if asked.stream {
        return streamed(message, asked);
    }
    let choice = |index: u64| {
        let tools = if index == 0 { message.tool_calls } else { &[] };
        let mut said = json!({"role": "assistant", "content": message.content});
        if !tools.is_empty() {
            said["tool_calls"] = tools.into();
        }
        json!({"index": index, "message": said, "logprobs": null, "finish_reason": reason(tools)})
    };
    let answer = json!({
        "id": id(asked),
        "object": "chat.completion",
        "created": asked.created,
        "model": asked.model,
        "choices": (0..asked.choices).map(choice).collect::<Vec<_>>(),
        "usage": usage(asked, asked.choices),
    });
    Said::whole(200, &answer)
}

/// A whole answer as somebody wrote it, with what it leaves out.
pub fn object(answer: &Map<String, Value>, asked: &Asked<'_>) -> Said {
    if asked.stream {
        let calls = message(answer)
            .and_then(|message| message.get("tool_calls"))
            .and_then(Value::as_array);
        let message = Message {
            content: content(answer),
            tool_calls: calls.map(Vec::as_slice).unwrap_or_default(),
        };
        return streamed(&message, asked);
    }
    let fields = [
        ("id", id(asked).into()),
        ("object", "chat.completion".into()),
        ("created", asked.created.into()),
        ("model", asked.model.into()),
        ("usage", usage(asked, 1)),
    ];
    filled(answer, fields)
}

/// The text of the first choice of a whole answer.
pub fn content(answer: &Map<String, Value>) -> &str {
    message(answer)
        .and_then(|message| message.get("content"))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn message(answer: &Map<String, Value>) -> Option<&Value> {
    answer.get("choices")?.get(0)?.get("message")
}

/// A stream that begins well and ends with an error.
pub fn broken(asked: &Asked<'_>) -> Said {
    let stream = Stream::new(asked);
    let begun = stream.chunk(
        0,
        &json!({"role": "assistant", "content": BEFORE_BREAKING_OFF}),
        None,
    );
    let error = event(&MockError::MidStream.body());
    Said {
        status: 200,
        is_event_stream: true,
        pieces: vec![begun, error],
    }
}

fn streamed(message: &Message<'_>, asked: &Asked<'_>) -> Said {
    let chunks = Stream::new(asked);
    let mut pieces = Vec::new();
    for choice in 0..asked.choices {
        pieces.push(chunks.chunk(choice, &json!({"role": "assistant", "content": ""}), None));
    }
    for text in cut(message.content, asked.choices) {
        let delta = json!({"content": text});
        for choice in 0..asked.choices {
            pieces.push(chunks.chunk(choice, &delta, None));
        }
    }
    for (index, call) in message.tool_calls.iter().enumerate() {
        let mut call = call.clone();
        call["index"] = index.into();
        pieces.push(chunks.chunk(0, &json!({"tool_calls": [call]}), None));
    }
    for choice in 0..asked.choices {
        let tools = if choice == 0 { message.tool_calls } else { &[] };
        pieces.push(chunks.chunk(choice, &json!({}), Some(reason(tools))));
    }
    pieces.push(chunks.event(json!([]), Some(usage(asked, asked.choices))));
    stream(pieces)
}

struct Stream<'a> {
    asked: &'a Asked<'a>,
    id: String,
}

impl<'a> Stream<'a> {
    fn new(asked: &'a Asked<'a>) -> Self {
        Self {
            asked,
            id: id(asked),
        }
    }

    fn chunk(&self, choice: u64, delta: &Value, reason: Option<&str>) -> Bytes {
        let choice =
            json!({"index": choice, "delta": delta, "logprobs": null, "finish_reason": reason});
        self.event(json!([choice]), None)
    }

    fn event(&self, choices: Value, usage: Option<Value>) -> Bytes {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.asked.created,
            "model": self.asked.model,
            "choices": choices,
        });
        if let Some(usage) = usage {
            chunk["usage"] = usage;
        }
        event(&chunk)
    }
}

fn id(asked: &Asked<'_>) -> String {
    format!("chatcmpl-{}", asked.id)
}

const fn reason(tool_calls: &[Value]) -> &'static str {
    if tool_calls.is_empty() {
        "stop"
    } else {
        "tool_calls"
    }
}
