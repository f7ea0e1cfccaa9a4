//! Counting a prompt in whichever of the three shapes clients write it: text, OpenAI's and Anthropic's messages, Gemini's
//! contents. The others are written as OpenAI messages first, so that there is one arithmetic.

use serde_json::{Map, Value, json};

use super::vocabulary::Counter;
use super::{CountError, count_body};

/// What is to be counted.
#[derive(Clone, Debug, PartialEq)]
pub enum Prompt {
    Text(String),
    /// Messages with the tools beside them and Anthropic's separate system prompt (text or blocks).
    Messages {
        messages: Vec<Value>,
        tools: Vec<Value>,
        system: Option<Value>,
    },
    /// Gemini's `contents`, with the same beside them.
    Contents {
        contents: Vec<Value>,
        tools: Vec<Value>,
        system: Option<Value>,
    },
}

impl Prompt {
    /// The prompt of a request to Anthropic's Messages.
    pub fn of_messages(body: &[u8]) -> Result<Self, CountError> {
        #[derive(serde::Deserialize)]
        struct Body {
            messages: Vec<Value>,
            #[serde(default)]
            tools: Option<Vec<Value>>,
            #[serde(default)]
            system: Option<Value>,
        }
        let body: Body = serde_json::from_slice(body)?;
        Ok(Self::Messages {
            messages: body.messages,
            tools: body.tools.unwrap_or_default(),
            system: body.system,
        })
    }
}

/// Counts a prompt as LiteLLM 1.106.2 does; takes as long as [`super::count_chat_request`] and belongs off the worker threads
/// like it.
pub fn count_prompt(model: &str, prompt: Prompt) -> Result<u64, CountError> {
    let (mut messages, tools, system) = match prompt {
        Prompt::Text(text) => return Ok(Counter::for_model(model)?.count(&text)),
        Prompt::Messages {
            messages,
            tools,
            system,
        } => (messages, tools, system),
        Prompt::Contents {
            contents,
            tools,
            system,
        } => (contents.iter().map(message).collect(), tools, system),
    };
    if let Some(system) = system {
        let content = system.get("parts").map_or(system.clone(), parts);
        messages.insert(0, json!({"role": "system", "content": content}));
    }
    let mut body = json!({"messages": messages});
    if !tools.is_empty() {
        body["tools"] = tools.iter().flat_map(functions).collect();
    }
    count_body(model, &body)
}

/// A Gemini turn as an OpenAI message.
fn message(content: &Value) -> Value {
    let role = match content.get("role").and_then(Value::as_str) {
        Some("model") => "assistant",
        Some(role) => role,
        None => "user",
    };
    json!({"role": role, "content": content.get("parts").map(parts)})
}

fn parts(parts: &Value) -> Value {
    match parts {
        Value::Array(items) => items.iter().map(part).collect(),
        one => json!([part(one)]),
    }
}

/// A Gemini part as one of the kinds that are counted; either spelling of its fields.
fn part(part: &Value) -> Value {
    let get = |camel: &str, snake: &str| part.get(camel).or_else(|| part.get(snake));
    if let Some(call) = get("functionCall", "function_call") {
        return json!({"type": "tool_use", "name": call.get("name"), "input": call.get("args")});
    }
    if let Some(response) = get("functionResponse", "function_response") {
        let content = response.get("response").map(Value::to_string);
        return json!({"type": "tool_result", "content": content});
    }
    if get("inlineData", "inline_data").is_some() || get("fileData", "file_data").is_some() {
        return json!({"type": "file"});
    }
    match part.get("text") {
        Some(text) => json!({"type": "text", "text": text}),
        // A bare text, or a part whose kind is told to be unknown.
        None => part.clone(),
    }
}

/// The functions of a tool in OpenAI's, Anthropic's or Gemini's form, in OpenAI's.
fn functions(tool: &Value) -> Vec<Value> {
    let function = |name: &Map<String, Value>, parameters: &str| {
        json!({"type": "function", "function": {
            "name": name.get("name"),
            "description": name.get("description"),
            "parameters": name.get(parameters),
        }})
    };
    let declared = tool
        .get("functionDeclarations")
        .or_else(|| tool.get("function_declarations"))
        .and_then(Value::as_array);
    if let Some(declared) = declared {
        let objects = declared.iter().filter_map(Value::as_object);
        return objects.map(|one| function(one, "parameters")).collect();
    }
    match tool.as_object() {
        Some(one) if one.contains_key("input_schema") => vec![function(one, "input_schema")],
        _ => vec![tool.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(prompt: Prompt) -> u64 {
        count_prompt("gpt-4o", prompt).expect("countable")
    }

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "City"},
                "unit": {"type": "string", "enum": ["c", "f"]},
            },
            "required": ["city"],
        })
    }

    /// The same prompt counts the same in every shape: the figures are those of the OpenAI one.
    #[test]
    fn one_arithmetic_for_all_shapes() {
        assert_eq!(count(Prompt::Text("Hello world".into())), 2);
        let function =
            json!({"name": "get_weather", "description": "Weather", "parameters": schema()});
        let anthropic =
            json!({"name": "get_weather", "description": "Weather", "input_schema": schema()});
        let system = json!("You are helpful.");
        let hello = vec![json!({"role": "user", "content": "Hello world"})];
        for tool in [json!({"type": "function", "function": function}), anthropic] {
            let tools = vec![tool];
            assert_eq!(
                count(Prompt::Messages {
                    messages: hello.clone(),
                    tools: tools.clone(),
                    system: Some(system.clone()),
                }),
                57
            );
            assert_eq!(
                count(Prompt::Messages {
                    messages: hello.clone(),
                    tools,
                    system: None,
                }),
                53
            );
        }
        let contents = vec![json!({"role": "user", "parts": [{"text": "Hello world"}]})];
        for (tools, system, tokens) in [
            (vec![], None, 9),
            (
                vec![],
                Some(json!({"parts": [{"text": "You are helpful."}]})),
                17,
            ),
            (
                vec![json!({"functionDeclarations": [function]})],
                Some(system),
                57,
            ),
        ] {
            let prompt = Prompt::Contents {
                contents: contents.clone(),
                tools,
                system,
            };
            assert_eq!(count(prompt), tokens);
        }
    }

    #[test]
    fn odd_shapes_are_counted_or_refused() {
        let odd = |contents: Value| {
            count_prompt(
                "gpt-4o",
                Prompt::Contents {
                    contents: vec![contents],
                    tools: vec![json!(7)],
                    system: Some(json!(null)),
                },
            )
        };
        assert!(odd(json!({"parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}]})).is_ok());
        assert!(odd(json!({"parts": [{"function_response": {"response": {"a": 1}}}]})).is_ok());
        assert!(odd(json!({"parts": {"inlineData": {}}})).is_ok());
        assert!(odd(json!(null)).is_ok());
        assert!(odd(json!({"parts": [{"hologram": 1}]})).is_err());
    }
}
