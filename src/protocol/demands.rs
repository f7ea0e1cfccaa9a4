//! What a request demands of a model beyond an answer: looked for only where a deployment may lack it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::continuity::field;
use crate::types::Operation;

/// Something that has a type; what else it has is not read.
#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
}

/// Whether one of its tools searches the web: a tool whose type begins with `web_search`, in any protocol.
pub fn web_search(body: &[u8]) -> bool {
    let tools = field(body, "tools");
    let tools = tools.and_then(|tools| serde_json::from_slice::<Vec<&RawValue>>(tools).ok());
    let mut tools = tools.into_iter().flatten();
    tools.any(|tool| kind(tool.get().as_bytes()).is_some_and(|kind| kind.starts_with("web_search")))
}

/// Whether the answer is to have a form other than free text: `response_format` of chats, `text.format` of responses, and
/// Anthropic's `output_format` or `output_config.format`.
pub fn response_format(operation: Operation, body: &[u8]) -> bool {
    let within = |outer, inner| field(body, outer).and_then(|value| field(value, inner));
    let format = match operation {
        Operation::Responses => within("text", "format"),
        Operation::Messages => field(body, "output_format").or(within("output_config", "format")),
        _ => field(body, "response_format"),
    };
    let kind = format.and_then(kind);
    kind.is_some_and(|kind| kind != "text")
}

fn kind(value: &[u8]) -> Option<Cow<'_, str>> {
    // To serde a list could be a map without its keys.
    let is_map = value.first() == Some(&b'{');
    let typed: Typed<'_> = is_map
        .then(|| serde_json::from_slice(value).ok())
        .flatten()?;
    typed.kind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_that_search_the_web() {
        for (tools, searches) in [
            (r#"[{"type":"web_search_preview"}]"#, true),
            (
                r#"[{"type":"function","function":{}},{"type":"web_search_20250305","name":"web_search"}]"#,
                true,
            ),
            (
                r#"[{"type":"function","function":{"name":"web_search"}}]"#,
                false,
            ),
            (r#"[7,["web_search"],{"name":"web_search"}]"#, false),
            ("null", false),
        ] {
            let body = format!(r#"{{"tools":{tools}}}"#);
            assert_eq!(web_search(body.as_bytes()), searches, "{tools}");
        }
        assert!(!web_search(b"{}"));
    }

    #[test]
    fn formats_in_every_protocol() {
        use Operation::{Chat, Messages, Responses};
        for (operation, body, demands) in [
            (Chat, r#"{"response_format":{"type":"json_object"}}"#, true),
            (Chat, r#"{"response_format":{"type":"text"}}"#, false),
            (Chat, r#"{"response_format":null}"#, false),
            (Chat, r#"{"text":{"format":{"type":"json_schema"}}}"#, false),
            (
                Responses,
                r#"{"text":{"format":{"type":"json_schema"}}}"#,
                true,
            ),
            (Responses, r#"{"text":{"verbosity":"low"}}"#, false),
            (
                Messages,
                r#"{"output_format":{"type":"json_schema"}}"#,
                true,
            ),
            (
                Messages,
                r#"{"output_config":{"format":{"type":"json_schema"}}}"#,
                true,
            ),
            (Messages, r#"{"output_config":{"effort":"low"}}"#, false),
        ] {
            assert_eq!(
                response_format(operation, body.as_bytes()),
                demands,
                "{body}"
            );
        }
    }
}
