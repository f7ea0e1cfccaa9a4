//! Messages as a provider wants them.

use memchr::memmem;

use crate::protocol::json::{self, plain_str, scan_array, scan_object};
use crate::protocol::json_edit::{self, Part};
use crate::providers::MessageRules;

const CACHE_CONTROL: &[u8] = b"cache_control";

/// The `messages` array by these rules; `None` when it is right as it is.
pub fn by_rules(messages: &[u8], rules: &MessageRules) -> Option<Vec<u8>> {
    let holds = |text: &[u8]| json::holds_string(messages, text);
    let developer = !rules.knows_developer && holds(b"developer");
    let marks = !rules.takes_cache_control && holds(CACHE_CONTROL);
    let names = rules.names_tools_only && holds(b"name");
    let nulls = rules.refuses_null && memmem::find(messages, b"null").is_some();
    if !(developer || marks || names || nulls || rules.wants_text) {
        return None;
    }
    json_edit::array(messages, |_, message| {
        let role = role(message);
        let edited = json_edit::object(message, |name, value| match name {
            "role" if developer && value == b"\"developer\"" => {
                Part::Replace(b"\"system\"".to_vec())
            }
            "name" if names && role.as_deref() != Some("tool") => Part::Drop,
            _ if nulls && value == b"null" && role.as_deref() == Some("assistant") => Part::Drop,
            "cache_control" if marks => Part::Drop,
            "content" if rules.wants_text && value.first() == Some(&b'[') => match as_text(value) {
                Some(text) => Part::Replace(text),
                None if marks => unmarked(value),
                None => Part::Keep,
            },
            "content" if marks => unmarked(value),
            _ => Part::Keep,
        });
        edited.map_or(Part::Keep, Part::Replace)
    })
}

/// Tools without marks for a prompt cache; `None` when they have none.
pub fn unmarked_tools(tools: &[u8], rules: &MessageRules) -> Option<Vec<u8>> {
    if rules.takes_cache_control || !json::holds_string(tools, CACHE_CONTROL) {
        return None;
    }
    json_edit::array(tools, |_, tool| {
        let edited = json_edit::object(tool, |name, value| match name {
            "cache_control" => Part::Drop,
            "function" => json_edit::object(value, |name, _| match name {
                "cache_control" => Part::Drop,
                _ => Part::Keep,
            })
            .map_or(Part::Keep, Part::Replace),
            _ => Part::Keep,
        });
        edited.map_or(Part::Keep, Part::Replace)
    })
}

fn unmarked(content: &[u8]) -> Part {
    let edited = json_edit::array(content, |_, part| {
        json_edit::object(part, |name, _| match name {
            "cache_control" => Part::Drop,
            _ => Part::Keep,
        })
        .map_or(Part::Keep, Part::Replace)
    });
    edited.map_or(Part::Keep, Part::Replace)
}

fn role(message: &[u8]) -> Option<String> {
    let mut role = None;
    scan_object(message, |field| {
        if &message[field.key.clone()] == b"role" {
            role = plain_str(message, &field.value).map(str::to_owned);
        }
    })
    .ok()?;
    role
}

/// Parts that are all text as one JSON string; `None` when one is not: an image cannot become text.
fn as_text(content: &[u8]) -> Option<Vec<u8>> {
    #[derive(serde::Deserialize)]
    struct TextPart {
        r#type: Option<String>,
        text: String,
    }
    let mut whole = String::new();
    let mut is_text = true;
    scan_array(content, |part| {
        match serde_json::from_slice::<TextPart>(&content[part]) {
            Ok(part) if part.r#type.as_deref().is_none_or(|kind| kind == "text") => {
                whole.push_str(&part.text);
            }
            _ => is_text = false,
        }
    })
    .ok()?;
    is_text.then(|| crate::protocol::json::quoted(&whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_by_rules() {
        let all = MessageRules {
            knows_developer: true,
            takes_cache_control: true,
            ..MessageRules::default()
        };
        let plain = MessageRules::default();
        let text = MessageRules {
            wants_text: true,
            ..plain
        };
        let names = MessageRules {
            names_tools_only: true,
            ..all
        };
        let nulls = MessageRules {
            refuses_null: true,
            ..all
        };
        for (rules, messages, expected) in [
            (
                all,
                r#"[{"role":"developer","content":[{"type":"text","text":"a","cache_control":{}}],"name":"n"}]"#,
                None,
            ),
            (
                plain,
                r#"[{"role":"user","content":"developer \"cache_control\""}]"#,
                None,
            ),
            (
                plain,
                r#"[{"role":"developer","content":"a"},{"role":"user","content":"\"developer\"" }]"#,
                Some(
                    r#"[{"role":"system","content":"a"},{"role":"user","content":"\"developer\"" }]"#,
                ),
            ),
            (
                plain,
                r#"[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"image_url"}],"cache_control":1}]"#,
                Some(
                    r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url"}]}]"#,
                ),
            ),
            (
                text,
                r#"[{"role":"user","content":[{"type":"text","text":"a\n"},{"type":"text","text":"b"}]}]"#,
                Some(r#"[{"role":"user","content":"a\nb"}]"#),
            ),
            (
                text,
                r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{}}]}]"#,
                None,
            ),
            (
                names,
                r#"[{"role":"user","name":"u","content":"a"},{"role":"tool","name":"t","content":"b"}]"#,
                Some(r#"[{"role":"user","content":"a"},{"role":"tool","name":"t","content":"b"}]"#),
            ),
            (
                nulls,
                r#"[{"role":"assistant","content":null,"tool_calls":[{"id":"x"}]},{"role":"user","content":null}]"#,
                Some(
                    r#"[{"role":"assistant","tool_calls":[{"id":"x"}]},{"role":"user","content":null}]"#,
                ),
            ),
            (plain, r#"["developer"]"#, None),
            (plain, r#"[{"role":"developer""#, None),
        ] {
            let edited = by_rules(messages.as_bytes(), &rules)
                .map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(edited.as_deref(), expected, "{messages}");
        }
        let tools = br#"[{"type":"function","function":{"name":"a","cache_control":{}},"cache_control":{}}]"#;
        assert_eq!(
            unmarked_tools(tools, &plain).as_deref(),
            Some(&br#"[{"type":"function","function":{"name":"a"}}]"#[..])
        );
        assert_eq!(unmarked_tools(tools, &all), None);
    }
}
