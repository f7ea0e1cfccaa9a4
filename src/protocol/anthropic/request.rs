//! The fields that only `POST /v1/messages` has, for requests that pass.

use memchr::memmem;

use super::needs::beta_of_field;
use super::tools::beta_of_tool;
use crate::protocol::json::{plain_str, scan_array, scan_object};
use crate::protocol::openai::request::RequestError;
use crate::protocol::openai::shape::{
    Facts, MetadataUse, Parameters, Shape, is_list_of_objects, whole, wrong,
};
use crate::providers::parameters::Parameter;
use crate::types::Operation;

/// See [`Shape`].
pub static REQUEST: Shape = Shape {
    operation: Operation::Messages,
    required: "messages",
    needs_max_tokens: true,
    streams: true,
    asks_usage: false,
    metadata: MetadataUse::UserId,
    parameters: Parameters::Own(&[
        Parameter::MaxTokens,
        Parameter::ServiceTier,
        Parameter::Temperature,
        Parameter::TopP,
    ]),
    betas: BETAS,
    field,
};

/// Of a request whose input is to be counted alone.
pub static COUNT: Shape = Shape {
    operation: Operation::Messages,
    required: "messages",
    needs_max_tokens: false,
    streams: false,
    asks_usage: false,
    metadata: MetadataUse::Kept,
    parameters: Parameters::Own(&[]),
    betas: BETAS,
    field,
};

/// What a body may need.
const BETAS: &[&str] = &[
    "advanced-tool-use-2025-11-20",
    "advisor-tool-2026-03-01",
    "code-execution-2025-05-22",
    "code-execution-2025-08-25",
    "compact-2026-01-12",
    "compact-2026-09-04",
    "computer-use-2024-10-22",
    "computer-use-2025-01-24",
    "computer-use-2025-11-24",
    "context-management-2025-06-27",
    "fast-mode-2026-02-01",
    "mcp-client-2025-04-04",
    "skills-2025-10-02",
    "structured-outputs-2025-11-13",
    "web-fetch-2025-09-10",
];

fn field(facts: &mut Facts, key: &[u8], value: &[u8]) -> Result<bool, RequestError> {
    match key {
        b"messages" => {
            if !is_list_of_objects(value) {
                return Err(wrong("messages", "an array of message objects"));
            }
            facts.prompts = 1;
            facts.prompt_bytes += value.len() as u64;
        }
        b"system" => {
            if !matches!(value.first(), Some(b'"' | b'[')) {
                return Err(wrong("system", "a string or an array of text blocks"));
            }
            facts.prompt_bytes += value.len() as u64;
        }
        b"tools" => {
            facts.prompt_bytes += value.len() as u64;
            // Types of Anthropic's own tools end in a date; most tools have none.
            if memmem::find(value, b"_20").is_some() {
                tools(facts, value);
            }
        }
        b"max_tokens" => facts.max_tokens = Some(whole(value, "max_tokens")?),
        _ => {
            let name = std::str::from_utf8(key).unwrap_or_default();
            need(facts, beta_of_field(name, value));
            return Ok(false);
        }
    }
    Ok(true)
}

fn need(facts: &mut Facts, beta: Option<&str>) {
    let place = beta.and_then(|beta| BETAS.iter().position(|known| *known == beta));
    facts.betas |= place.map_or(0, |place| 1 << place);
}

fn tools(facts: &mut Facts, tools: &[u8]) {
    // What cannot be read is the provider's to refuse.
    let _ = scan_array(tools, |tool| {
        let tool = &tools[tool];
        let _ = scan_object(tool, |field| {
            let kind = plain_str(tool, &field.value);
            if &tool[field.key] == b"type" {
                need(facts, kind.and_then(beta_of_tool));
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::protocol::openai::request::Request;

    #[test]
    fn betas_that_a_body_needs() {
        for (fields, expected) in [
            ("", vec![]),
            (
                r#","tools":[{"name":"type_2025","input_schema":{"type":"bash_2025"}}]"#,
                vec![],
            ),
            (
                r#","tools":[{"name":"a"},{"type":"web_search_20250305"},{"type":"web_fetch_20250910","name":"f"},{"type":"code_execution_20250825"}]"#,
                vec!["code-execution-2025-08-25", "web-fetch-2025-09-10"],
            ),
            (
                r#","context_management":{"edits":[{"type":"compact_20260112"}]}"#,
                vec!["compact-2026-01-12"],
            ),
            (
                r#","speed":"fast","mcp_servers":[]"#,
                vec!["fast-mode-2026-02-01", "mcp-client-2025-04-04"],
            ),
            (
                r#","speed":"standard","container":"c","mcp_servers":null"#,
                vec![],
            ),
            (r#","tools":"_20""#, vec![]),
        ] {
            let body = format!(r#"{{"model":"m","messages":[],"max_tokens":1{fields}}}"#);
            let body = Bytes::from(body);
            let request = Request::read(&REQUEST, &body, None).unwrap();
            assert_eq!(request.betas().collect::<Vec<_>>(), expected, "{fields}");
        }
    }

    #[test]
    fn every_beta_of_a_tool_or_a_field_has_a_place() {
        for (kind, value) in [
            ("mcp_servers", ""),
            ("context_management", "compact_20260112"),
            ("context_management", ""),
            ("compaction", ""),
            ("speed", "\"fast\""),
            ("container", "{\"skills\":[]}"),
            ("output_format", ""),
        ] {
            let beta = beta_of_field(kind, value.as_bytes()).unwrap();
            assert!(BETAS.contains(&beta), "{beta}");
        }
        for kind in [
            "web_fetch_2",
            "code_execution_20250825",
            "code_execution_2",
            "memory_2",
            "computer_20241022",
            "computer_20250124",
            "computer_20251124",
            "tool_search_tool_2",
            "advisor_2",
        ] {
            assert!(BETAS.contains(&beta_of_tool(kind).unwrap()), "{kind}");
        }
        assert!(BETAS.is_sorted() && BETAS.len() <= 32);
    }
}
