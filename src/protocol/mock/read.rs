//! The fields that make a mock.

use std::time::Duration;

use serde_json::Value;

use super::error::MockError;
use super::{Mock, Response};

/// Fields of a deployment's `litellm_params`, and of a request that may send them.
pub const FIELDS: [&str; 4] = [
    "mock_response",
    "mock_tool_calls",
    "mock_timeout",
    "mock_delay",
];

/// What is said when only tool calls or a delay are given; LiteLLM's text.
const DEFAULT_TEXT: &str = "This is a mock request";

/// The longest `mock_delay`, in seconds.
const MOST_SECONDS: f64 = 3600.0;

/// A field that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{field}' must be {expected}")]
pub struct Misread {
    pub field: &'static str,
    pub expected: &'static str,
}

impl Mock {
    /// Reads the [`FIELDS`] that `get` knows; null is absent. None of them, or a delay alone, makes no mock.
    pub fn read(get: impl Fn(&str) -> Option<Value>) -> Result<Option<Self>, Misread> {
        let get = |field: &str| get(field).filter(|value| !value.is_null());
        let response = get("mock_response").map(response).transpose()?;
        let tool_calls = match get("mock_tool_calls") {
            None => None,
            Some(Value::Array(calls)) if calls.iter().all(Value::is_object) => Some(calls),
            Some(_) => {
                return Err(Misread {
                    field: "mock_tool_calls",
                    expected: "a list of tool calls",
                });
            }
        };
        let hangs = match get("mock_timeout") {
            None => false,
            Some(Value::Bool(hangs)) => hangs,
            Some(_) => {
                return Err(Misread {
                    field: "mock_timeout",
                    expected: "true or false",
                });
            }
        };
        let delay = match get("mock_delay") {
            None => Duration::ZERO,
            Some(value) => value
                .as_f64()
                .filter(|seconds| (0.0..=MOST_SECONDS).contains(seconds))
                .map(Duration::from_secs_f64)
                .ok_or(Misread {
                    field: "mock_delay",
                    expected: "a number of seconds from 0 to 3600",
                })?,
        };
        if response.is_none() && tool_calls.is_none() && !hangs {
            return Ok(None);
        }
        Ok(Some(Self {
            response: response.unwrap_or_else(|| Response::Text(DEFAULT_TEXT.to_owned())),
            tool_calls: tool_calls.unwrap_or_default(),
            delay,
            hangs,
        }))
    }
}

fn response(value: Value) -> Result<Response, Misread> {
    match value {
        Value::String(text) => Ok(match MockError::named(&text) {
            Some(error) => Response::Error(error),
            None if text.starts_with("Exception: mock_streaming_error") => Response::BreaksOff,
            None => Response::Text(text),
        }),
        Value::Object(answer) => Ok(Response::Object(answer)),
        Value::Array(list) => vectors(&list).map(Response::Vectors).ok_or(NO_RESPONSE),
        _ => Err(NO_RESPONSE),
    }
}

const NO_RESPONSE: Misread = Misread {
    field: "mock_response",
    expected: "a text, a map that is a whole answer, or a list of numbers for embeddings",
};

/// One vector, or a list of them.
fn vectors(list: &[Value]) -> Option<Vec<Vec<f32>>> {
    let vector = |list: &[Value]| -> Option<Vec<f32>> {
        list.iter()
            .map(|number| number.as_f64().map(|number| number as f32))
            .collect()
    };
    match list {
        [] => None,
        [Value::Array(_), ..] => list
            .iter()
            .map(|item| item.as_array().and_then(|list| vector(list)))
            .collect(),
        numbers => Some(vec![vector(numbers)?]),
    }
}
