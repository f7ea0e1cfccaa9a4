//! Tool definitions: they are written out in the form OpenAI's models read them, like TypeScript, and that text is counted.

use std::collections::HashSet;
use std::fmt::Write;

use serde_json::Value;

use super::vocabulary::Counter;

/// What frames the definitions.
const FRAME: u64 = 9;
/// A system message shares that much of the frame.
const SHARED_WITH_SYSTEM: u64 = 4;
const CHOICE_NONE: u64 = 1;
/// Beside the name of the function a choice forces.
const CHOICE_FORCED: u64 = 7;

/// Tokens of `tools` and `tool_choice` in a request body; what has not the shape of a definition is free.
pub(super) fn count(counter: &mut Counter, body: &Value, has_system: bool) -> u64 {
    let tools = body
        .get("tools")
        .and_then(Value::as_array)
        .filter(|tools| !tools.is_empty());
    let definitions = tools.map_or(0, |tools| {
        let shared = if has_system { SHARED_WITH_SYSTEM } else { 0 };
        (counter.count(&definitions(tools)) + FRAME).saturating_sub(shared)
    });
    let choice = match body.get("tool_choice") {
        Some(Value::String(choice)) if choice == "none" => CHOICE_NONE,
        Some(Value::Object(choice)) => {
            let name = choice
                .get("function")
                .and_then(|function| function.get("name"))
                .and_then(Value::as_str);
            CHOICE_FORCED + name.map_or(0, |name| counter.count(name))
        }
        _ => 0,
    };
    definitions + choice
}

fn definitions(tools: &[Value]) -> String {
    let mut text = String::from("namespace functions {\n\n");
    for tool in tools {
        // Anthropic's form is the bare function, its parameters called `input_schema`.
        let function = tool.get("function").unwrap_or(tool);
        let Some(name) = text_at(function, "name") else {
            continue;
        };
        comment(&mut text, function, 0);
        let parameters = function
            .get("parameters")
            .or_else(|| function.get("input_schema"));
        let fields = parameters
            .map(|schema| fields(schema, 0))
            .unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = if fields.is_empty() {
            writeln!(text, "type {name} = () => any;\n")
        } else {
            writeln!(text, "type {name} = (_: {{\n{fields}\n}}) => any;\n")
        };
    }
    text.push_str("} // namespace functions");
    text
}

/// One line a property, joined by line ends; empty without properties.
fn fields(schema: &Value, indent: usize) -> String {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return String::new();
    };
    let required = schema.get("required").and_then(Value::as_array);
    // A set: callers may name a million of them.
    let required: HashSet<&str> = required
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut text = String::new();
    for (key, property) in properties {
        comment(&mut text, property, indent);
        let mark = match required.contains(key.as_str()) {
            true => "",
            false => "?",
        };
        let _ = writeln!(
            text,
            "{:indent$}{key}{mark}: {},",
            "",
            type_of(property, indent)
        );
    }
    text.truncate(text.trim_end_matches('\n').len());
    text
}

fn comment(text: &mut String, described: &Value, indent: usize) {
    if let Some(description) = text_at(described, "description") {
        let _ = writeln!(text, "{:indent$}// {description}", "");
    }
}

fn type_of(schema: &Value, indent: usize) -> String {
    match text_at(schema, "type").unwrap_or_default() {
        "string" => match schema.get("enum").and_then(Value::as_array) {
            Some(values) => alternatives(values),
            None => "string".into(),
        },
        "integer" | "number" => "number".into(),
        "boolean" => "boolean".into(),
        "null" => "null".into(),
        "array" => match schema.get("items") {
            Some(items) => format!("{}[]", type_of(items, indent)),
            None => "any[]".into(),
        },
        "object" => format!("{{\n{}\n}}", fields(schema, indent + 2)),
        _ => "any".into(),
    }
}

fn alternatives(values: &[Value]) -> String {
    let quoted = values.iter().map(|value| match value {
        Value::String(text) => format!("\"{text}\""),
        other => format!("\"{other}\""),
    });
    quoted.collect::<Vec<_>>().join(" | ")
}

fn text_at<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object
        .get(key)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The time grows with the text: who sends a million properties waits for a million steps, not for their square.
    #[test]
    fn many_properties_that_are_all_required() {
        let names = (0..40_000).map(|number| format!("p{number}"));
        let names: Vec<String> = names.collect();
        let property = |name: &String| (name.clone(), json!({"type": "string"}));
        let properties: serde_json::Map<_, _> = names.iter().map(property).collect();
        let schema = json!({"properties": properties, "required": names});
        let began = std::time::Instant::now();
        let text = fields(&schema, 0);
        let took = began.elapsed();
        assert_eq!(text.lines().count(), names.len());
        assert!(!text.contains('?'));
        assert!(took < std::time::Duration::from_secs(3), "{took:?}");
    }

    #[test]
    fn the_written_form() {
        let tools = json!([
            {"type": "function", "function": {
                "name": "book",
                "description": "Books a train",
                "parameters": {
                    "type": "object",
                    "properties": {
                        "class": {"type": "integer"},
                        "from": {"type": "string", "description": "Station"},
                        "seat": {"type": "object", "properties": {"side": {"type": "string", "enum": ["window", "aisle"]}}},
                        "stops": {"type": "array", "items": {"type": "string"}},
                        "when": {"type": ["string", "null"]},
                    },
                    "required": ["from", "stops"],
                },
            }},
            {"name": "now", "input_schema": {"type": "object"}},
            {"type": "web_search"},
        ]);
        let text = "namespace functions {\n\
            \n\
            // Books a train\n\
            type book = (_: {\n\
            class?: number,\n\
            // Station\n\
            from: string,\n\
            seat?: {\n\
            \x20 side?: \"window\" | \"aisle\",\n\
            },\n\
            stops: string[],\n\
            when?: any,\n\
            }) => any;\n\
            \n\
            type now = () => any;\n\
            \n\
            } // namespace functions";
        assert_eq!(definitions(tools.as_array().unwrap()), text);
    }
}
