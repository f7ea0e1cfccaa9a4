//! One event of a stream: where its few fields lie, and what its choices tell.

use std::ops::Range;

use serde::Deserialize;

use crate::protocol::json::scan_object;

/// Where the fields of interest lie in one chunk.
#[derive(Default)]
pub struct ChunkSpans {
    pub id: Option<Range<usize>>,
    pub object: Option<Range<usize>>,
    pub created: Option<Range<usize>>,
    pub model: Option<Range<usize>>,
    pub choices: Option<Range<usize>>,
    pub choices_empty: bool,
    pub usage_field: Option<UsageField>,
    /// The usage is not null.
    pub has_usage: bool,
    pub service_tier: Option<Range<usize>>,
    pub error: Option<Range<usize>>,
}

impl ChunkSpans {
    /// Reads a chunk; `None` when it is no JSON object.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let mut spans = Self {
            choices_empty: true,
            ..Self::default()
        };
        scan_object(payload, |field| {
            if let Some(UsageField {
                next: next @ None, ..
            }) = &mut spans.usage_field
            {
                *next = Some(field.start());
            }
            if field.key_is_escaped {
                return;
            }
            let start = field.start();
            let value = &payload[field.value.clone()];
            match &payload[field.key] {
                b"id" => spans.id = Some(field.value),
                b"object" => spans.object = Some(field.value),
                b"created" => spans.created = Some(field.value),
                b"model" => spans.model = Some(field.value),
                b"choices" => {
                    spans.choices_empty = value.len() <= 2 || value == b"null";
                    spans.choices = Some(field.value);
                }
                b"usage" => {
                    spans.has_usage = value.first() == Some(&b'{');
                    spans.usage_field = Some(UsageField {
                        start,
                        value: field.value,
                        next: None,
                    });
                }
                b"service_tier" => spans.service_tier = Some(field.value),
                b"error" if value != b"null" => spans.error = Some(field.value),
                _ => {}
            }
        })
        .ok()?;
        Some(spans)
    }
}

/// What the strings in `choices` tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Bytes of text, reasoning, refusals and arguments.
    pub content: u64,
    /// A choice has ended with a reason,
    pub finished: bool,
    /// and that was `stop`.
    pub stopped: bool,
    /// A reason is there and empty.
    pub blank_reason: bool,
    pub role: bool,
    pub tool_calls: bool,
}

impl Said {
    /// One pass from string to string; a quote inside model text is escaped, so keys are never mistaken.
    pub fn read(choices: &[u8]) -> Self {
        let mut said = Self::default();
        let mut at = 0;
        while let Some((key, after_key)) = next_string(choices, at) {
            at = after_key;
            let Some(value_at) = after_colon(choices, after_key) else {
                continue;
            };
            if choices.get(value_at) != Some(&b'"') {
                said.tool_calls |= &choices[key] == b"tool_calls" && has_items(choices, value_at);
                continue;
            }
            let Some((value, after_value)) = next_string(choices, value_at) else {
                break;
            };
            at = after_value;
            match &choices[key] {
                b"content" | b"text" | b"reasoning_content" | b"reasoning" | b"arguments"
                | b"refusal" => said.content += value.len() as u64,
                b"finish_reason" => {
                    said.finished |= !value.is_empty();
                    said.blank_reason |= value.is_empty();
                    said.stopped |= &choices[value] == b"stop";
                }
                b"role" => said.role = true,
                _ => {}
            }
        }
        said
    }
}

/// Whether a list begins here that is not empty: some hosts say `"tool_calls": []` where there are none.
fn has_items(bytes: &[u8], at: usize) -> bool {
    let inside = bytes.get(at..).and_then(|rest| rest.strip_prefix(b"["));
    inside.is_some_and(|inside| !inside.trim_ascii_start().starts_with(b"]"))
}

/// The inside of the first string at or after `from`, and the offset behind its closing quote.
fn next_string(bytes: &[u8], from: usize) -> Option<(Range<usize>, usize)> {
    let start = from + memchr::memchr(b'"', bytes.get(from..)?)? + 1;
    let mut at = start;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some((start..at, at + 1));
        }
        at += 2;
    }
}

/// Where a value begins, if a colon follows at `at`.
fn after_colon(bytes: &[u8], at: usize) -> Option<usize> {
    let space = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        from + rest
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count()
    };
    let colon = space(at);
    (bytes.get(colon) == Some(&b':')).then(|| space(colon + 1))
}

/// Whether any delta holds more than a role, or any choice a text. A full parse: it runs for the first events of a stream only.
pub fn has_content(choices: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Choice {
        #[serde(default)]
        delta: Option<serde_json::Map<String, serde_json::Value>>,
        /// Of a text completion.
        #[serde(default)]
        text: Option<String>,
    }
    let Ok(choices) = serde_json::from_slice::<Vec<Choice>>(choices) else {
        return false;
    };
    let texts = |choice: &Choice| choice.text.as_ref().is_some_and(|text| !text.is_empty());
    choices.iter().any(texts)
        || choices
            .iter()
            .filter_map(|choice| choice.delta.as_ref())
            .flatten()
            .any(|(key, value)| {
                key != "role"
                    && match value {
                        serde_json::Value::Null => false,
                        serde_json::Value::String(text) => !text.is_empty(),
                        serde_json::Value::Array(items) => !items.is_empty(),
                        serde_json::Value::Object(fields) => !fields.is_empty(),
                        _ => true,
                    }
            })
}

/// The `usage` of a chunk, and how to leave it out.
pub struct UsageField {
    start: usize,
    pub value: Range<usize>,
    /// Where the next field begins; none for the last one.
    next: Option<usize>,
}

impl UsageField {
    /// The bytes to leave out so that the object stays well-formed.
    pub fn removal(&self, payload: &[u8]) -> Range<usize> {
        if let Some(next) = self.next {
            return self.start..next;
        }
        let before = &payload[..self.start];
        let kept = before
            .iter()
            .rposition(|byte| !byte.is_ascii_whitespace() && *byte != b',');
        kept.map_or(self.start, |kept| kept + 1)..self.value.end
    }
}
