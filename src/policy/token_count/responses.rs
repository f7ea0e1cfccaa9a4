//! The input of a request to the Responses API, item by item, as the messages that are counted.

use serde_json::{Map, Value, json};

use super::{CountError, Prompt};

impl Prompt {
    /// The prompt of a request to the Responses API: `instructions`, `input` and `tools`.
    pub fn of_responses(body: &[u8]) -> Result<Self, CountError> {
        #[derive(serde::Deserialize)]
        struct Body {
            #[serde(default)]
            input: Value,
            #[serde(default)]
            instructions: Option<Value>,
            #[serde(default)]
            tools: Option<Vec<Value>>,
        }
        let body: Body = serde_json::from_slice(body)?;
        let messages = match body.input {
            Value::Array(items) => items.iter().map(message).collect(),
            Value::Null => Vec::new(),
            text => vec![json!({"role": "user", "content": text})],
        };
        Ok(Self::Messages {
            messages,
            tools: body.tools.iter().flatten().map(tool).collect(),
            system: body.instructions.filter(|text| !text.is_null()),
        })
    }
}

/// An item as a message. What is made by the provider's own tools counts as its text.
fn message(item: &Value) -> Value {
    let Some(fields) = item.as_object() else {
        return json!({"role": "user", "content": item});
    };
    let kind = fields.get("type").and_then(Value::as_str);
    match kind.unwrap_or("message") {
        "message" => json!({"role": fields.get("role"), "content": fields.get("content")}),
        "function_call" => json!({"role": "assistant", "tool_calls": [{"function": item}]}),
        "function_call_output" => {
            let content = match fields.get("output") {
                Some(parts @ (Value::Array(_) | Value::String(_))) => parts.clone(),
                other => json!(other.map(Value::to_string)),
            };
            json!({"role": "tool", "content": content})
        }
        "reasoning" => json!({"role": "assistant", "content": thoughts(fields)}),
        // Nothing of it is sent to the model as it stands here.
        "item_reference" | "compaction" => json!({"role": "assistant"}),
        _ => json!({"role": "assistant", "content": item.to_string()}),
    }
}

/// The texts of a reasoning item; what is encrypted is free, like signatures.
fn thoughts(fields: &Map<String, Value>) -> Vec<Value> {
    let parts = ["summary", "content"].into_iter();
    let parts = parts.filter_map(|field| fields.get(field)?.as_array());
    let texts = parts.flatten().filter_map(|part| part.get("text"));
    texts
        .map(|text| json!({"type": "text", "text": text}))
        .collect()
}

/// Functions of the Responses API stand flat; other tools as they are.
fn tool(tool: &Value) -> Value {
    match (
        tool.get("type").and_then(Value::as_str),
        tool.get("function"),
    ) {
        (Some("function"), None) => json!({"type": "function", "function": tool}),
        _ => tool.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::token_count::count_request;
    use crate::types::Operation;

    fn count(body: Value) -> u64 {
        count_request(Operation::Responses, "gpt-4o", body.to_string().as_bytes()).unwrap()
    }

    /// The same conversation counts the same, however it is written.
    #[test]
    fn as_chats_count() {
        let hello = "Hello world";
        let parameters = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "City"},
                "unit": {"type": "string", "enum": ["c", "f"]},
            },
            "required": ["city"],
        });
        let tool = json!({
            "type": "function", "name": "get_weather", "description": "Weather", "parameters": parameters,
        });
        for (body, tokens) in [
            (json!({"input": hello}), 9),
            (json!({"input": [{"role": "user", "content": hello}]}), 9),
            (
                json!({"input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": hello}]}]}),
                9,
            ),
            (
                json!({"input": hello, "instructions": "You are helpful."}),
                17,
            ),
            (
                json!({"input": hello, "instructions": "You are helpful.", "tools": [tool]}),
                57,
            ),
            (
                json!({"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": hello}]}),
                9,
            ),
            (
                json!({"input": [{"type": "function_call_output", "call_id": "c", "output": hello}]}),
                9,
            ),
            (
                json!({"input": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": hello}], "encrypted_content": "x"}]}),
                9,
            ),
            (json!({"input": []}), 3),
        ] {
            assert_eq!(count(body.clone()), tokens, "{body}");
        }
    }

    #[test]
    fn odd_items_are_counted_or_refused() {
        for body in [
            json!({"input": [7, null, "text", [], {"type": "web_search_call", "id": "x"}]}),
            json!({"input": [{"type": "function_call_output", "output": {"a": 1}}], "tools": [7]}),
            json!({"input": {"a": 1}}),
        ] {
            assert!(count(body.clone()) > 3, "{body}");
        }
    }
}
