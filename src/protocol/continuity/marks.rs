//! Who made an item's `encrypted_content`.
//!
//! Only the deployment whose account it was made with can read it. On its way to the client it is marked with that
//! deployment's id, in LiteLLM 1.106.2's form (`litellm_enc:<base64 of "model_id:<id>">;<content>`), so that histories that
//! were begun there go on here. On its way back the mark says where to call, and is taken off. LiteLLM's other form, which
//! marks the item's id (`encitem_<base64 of "litellm:model_id:<id>;item_id:<own id>">`), is read as well.
//!
//! A mark is no secret and no proof: who changes one gets content to a deployment that cannot read it.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{field, text_field};
use crate::protocol::json::{self, decoded, scan_array};
use crate::protocol::json_edit::{self, Part};
use crate::protocol::openai_responses::{self, Maker};

const CONTENT: &str = "litellm_enc:";
const ITEM: &str = "encitem_";
/// Begins what Anthropic's models have signed: enough to know that there may be some.
const OTHERS: &str = "anthropic-";
/// With padding, as Python writes it, and read without it too.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// A longer id is nobody's.
const MOST_ID: usize = 4096;

/// What stands in front of the encrypted content that a deployment made.
pub fn mark(deployment: &str) -> String {
    format!(
        "{CONTENT}{};",
        BASE64.encode(format!("model_id:{deployment}"))
    )
}

/// An item that may not be left out of a conversation, and that the deployment cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "input[{index}]: this {kind} item was made by another deployment, which alone can read it and does not take calls now; \
     try again later, or send the conversation without it"
)]
pub struct Unreadable {
    /// Its place in `input`.
    pub index: usize,
    /// Its `type`.
    pub kind: String,
}

/// What an item's mark tells.
struct Origin {
    deployment: String,
    /// The content as it was made, as JSON, if it was marked.
    content: Option<Vec<u8>>,
    /// The item's own id, if that was marked.
    id: Option<String>,
}

fn text_of(base64: &str) -> Option<String> {
    if base64.len() > MOST_ID {
        return None;
    }
    String::from_utf8(BASE64.decode(base64).ok()?).ok()
}

fn origin(item: &[u8]) -> Option<Origin> {
    let content = field(item, "encrypted_content").and_then(decoded);
    if let Some(content) = &content
        && let Some((deployment, rest)) = content
            .strip_prefix(CONTENT)
            .and_then(|marked| marked.split_once(';'))
        && let Some(text) = text_of(deployment)
        && let Some(deployment) = text.strip_prefix("model_id:")
    {
        return Some(Origin {
            deployment: deployment.to_owned(),
            content: Some(json::quoted(rest)),
            id: None,
        });
    }
    let text = text_of(text_field(item, "id")?.strip_prefix(ITEM)?)?;
    let (deployment, id) = text
        .strip_prefix("litellm:model_id:")?
        .split_once(";item_id:")?;
    Some(Origin {
        deployment: deployment.to_owned(),
        content: None,
        id: Some(id.to_owned()),
    })
}

/// The deployment that made the last marked item of an `input`.
pub fn latest_origin(input: &[u8]) -> Option<String> {
    if !has_marks(input) {
        return None;
    }
    let mut latest = None;
    // A text, or what is no JSON, has no items.
    let _ = scan_array(input, |item| {
        if let Some(origin) = origin(&input[item]) {
            latest = Some(origin.deployment);
        }
    });
    latest
}

fn has_marks(input: &[u8]) -> bool {
    let has = |mark: &str| memchr::memmem::find(input, mark.as_bytes()).is_some();
    has(CONTENT) || has(ITEM)
}

/// Whether there is anything in `input` that not everybody can read.
pub fn is_for_some(input: &[u8]) -> bool {
    has_marks(input) || memchr::memmem::find(input, OTHERS.as_bytes()).is_some()
}

/// Who is to read an `input`.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// Whether what this deployment made can be read.
    pub is_own: &'a dyn Fn(&str) -> bool,
    /// It speaks the Responses API: what other protocols' models have signed is no content to it.
    pub is_native: bool,
    /// It may have kept items under their ids: they are no conversation that was kept here.
    pub knows_ids: bool,
}

/// An `input` as `reader` can read it: marks of its own are taken off, and reasoning that others made is left out, together
/// with the ids of what followed from it, which mean something to them alone. `None`: as it is.
pub fn readable_by(reader: Reader<'_>, input: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
    let is_stranger = reader.is_native && !reader.knows_ids;
    if !is_stranger && !is_for_some(input) {
        return Ok(None);
    }
    let (mut unreadable, mut is_foreign) = (None, is_stranger);
    let edited = json_edit::array(input, |index, item| {
        let kind = text_field(item, "type").unwrap_or_default();
        let Some(origin) = origin(item) else {
            let is_proven = || field(item, "encrypted_content").is_some_and(|it| it != b"null");
            let is_lost = is_stranger && !is_proven();
            if reader.is_native && kind == "reasoning" && (is_lost || is_others(item)) {
                is_foreign = true;
                return Part::Drop;
            }
            return match is_foreign && follows(kind) {
                true => without_id(item).map_or(Part::Keep, Part::Replace),
                false => Part::Keep,
            };
        };
        if (reader.is_own)(&origin.deployment) {
            return unmarked(item, &origin).map_or(Part::Keep, Part::Replace);
        }
        if kind == "reasoning" {
            is_foreign = true;
            return Part::Drop;
        }
        unreadable.get_or_insert_with(|| Unreadable {
            index,
            kind: kind.to_owned(),
        });
        Part::Keep
    });
    match unreadable {
        Some(unreadable) => Err(unreadable),
        None => Ok(edited),
    }
}

/// Another protocol's proof, as it is told to clients of this one.
fn is_others(item: &[u8]) -> bool {
    let content = text_field(item, "encrypted_content");
    content.is_some_and(|content| openai_responses::maker(content) == Maker::Anthropic)
}

/// What a model says after it has reasoned: under its id an upstream looks for that reasoning.
fn follows(kind: &str) -> bool {
    ["message", "function_call", "custom_tool_call"].contains(&kind)
}

fn without_id(item: &[u8]) -> Option<Vec<u8>> {
    json_edit::object(item, |name, _| match name {
        "id" => Part::Drop,
        _ => Part::Keep,
    })
}

fn unmarked(item: &[u8], origin: &Origin) -> Option<Vec<u8>> {
    json_edit::object(item, |name, _| match (name, &origin.content, &origin.id) {
        ("encrypted_content", Some(content), _) => Part::Replace(content.clone()),
        ("id", _, Some(id)) => Part::Replace(json::quoted(id)),
        _ => Part::Keep,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn reasoning(deployment: &str, content: &str) -> Value {
        let content = format!("{}{content}", mark(deployment));
        json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": content})
    }

    fn read(deployment: &str, input: &Value) -> Option<Value> {
        let edited = by(deployment, input.to_string().as_bytes()).unwrap()?;
        Some(serde_json::from_slice(&edited).unwrap())
    }

    fn by(deployment: &str, input: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
        let reader = Reader {
            is_own: &|origin| origin == deployment,
            is_native: true,
            knows_ids: true,
        };
        readable_by(reader, input)
    }

    #[test]
    fn the_form_is_litellms() {
        assert_eq!(mark("model-123"), "litellm_enc:bW9kZWxfaWQ6bW9kZWwtMTIz;");
    }

    #[test]
    fn a_deployment_reads_what_it_made() {
        let message = json!({"type": "message", "id": "msg_1", "role": "assistant", "content": []});
        let input =
            json!([{"role": "user", "content": "hi"}, reasoning("d-1", "gAA;a=="), message]);
        let bytes = input.to_string();
        assert_eq!(latest_origin(bytes.as_bytes()).as_deref(), Some("d-1"));
        let own = read("d-1", &input).unwrap();
        assert_eq!(own[1]["encrypted_content"], "gAA;a==");
        assert_eq!((&own[0], &own[2]), (&input[0], &input[2]));
        // Another one gets neither the reasoning nor the id that would ask for it.
        let other = read("d-2", &input).unwrap();
        assert_eq!(
            other,
            json!([input[0], {"type": "message", "role": "assistant", "content": []}])
        );
    }

    #[test]
    fn litellms_marks_on_ids_are_read() {
        let id = BASE64.encode("litellm:model_id:d-1;item_id:rs_7");
        let item = json!({"type": "reasoning", "id": format!("encitem_{id}"), "encrypted_content": "x", "summary": []});
        let input = json!([item]);
        assert_eq!(
            latest_origin(input.to_string().as_bytes()).as_deref(),
            Some("d-1")
        );
        let own = read("d-1", &input).unwrap();
        assert_eq!(
            (&own[0]["id"], &own[0]["encrypted_content"]),
            (&json!("rs_7"), &json!("x"))
        );
        assert_eq!(read("d-2", &input), Some(json!([])));
    }

    #[test]
    fn a_conversation_that_was_made_smaller_is_not_dropped() {
        let mut item = reasoning("d-1", "x");
        item["type"] = "compaction".into();
        let input = json!(["", item]).to_string();
        let error = by("d-2", input.as_bytes()).unwrap_err();
        assert_eq!((error.index, error.kind.as_str()), (1, "compaction"));
        assert!(by("d-1", input.as_bytes()).unwrap().is_some());
    }

    #[test]
    fn what_anthropics_models_signed_is_for_them() {
        let item = json!({"type": "reasoning", "summary": [], "encrypted_content": "anthropic-thinking:Eq=="});
        let input = json!([item, {"role": "user", "content": "anthropic-thinking: what is it?"}]);
        assert_eq!(read("d-1", &input), Some(json!([input[1]])));
        let reader = Reader {
            is_own: &|_| false,
            is_native: false,
            knows_ids: true,
        };
        assert_eq!(readable_by(reader, input.to_string().as_bytes()), Ok(None));
    }

    /// Under its id alone an upstream finds reasoning only where it was kept.
    #[test]
    fn what_was_kept_here_has_no_ids_elsewhere() {
        let input = json!([
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "message", "id": "msg_1", "role": "assistant", "content": []},
            {"type": "function_call_output", "id": "fco_1", "call_id": "c", "output": ""},
        ]);
        let read = |knows_ids| {
            let reader = Reader {
                is_own: &|_| false,
                is_native: true,
                knows_ids,
            };
            readable_by(reader, input.to_string().as_bytes()).unwrap()
        };
        assert_eq!(read(true), None);
        let edited: Value = serde_json::from_slice(&read(false).unwrap()).unwrap();
        let message = json!({"type": "message", "role": "assistant", "content": []});
        assert_eq!(edited, json!([message, input[2]]));
    }

    #[test]
    fn the_latest_mark_says_where_to_call() {
        let input = json!([reasoning("d-1", "x"), reasoning("d-2", "y"), {"type": "reasoning", "encrypted_content": "z"}]);
        assert_eq!(
            latest_origin(input.to_string().as_bytes()).as_deref(),
            Some("d-2")
        );
        let read = read("d-2", &input).unwrap();
        assert_eq!(read.as_array().unwrap().len(), 2);
        for none in [
            "\"litellm_enc:\"",
            "[]",
            "litellm_enc:",
            "[\"litellm_enc:x;y\"]",
        ] {
            assert_eq!(latest_origin(none.as_bytes()), None, "{none}");
            assert_eq!(by("d", none.as_bytes()), Ok(None), "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_text_survives(deployment in "[^;]{0,40}", content in ".{0,40}") {
            let input = json!([reasoning(&deployment, &content)]);
            prop_assert_eq!(&read(&deployment, &input).unwrap()[0]["encrypted_content"], &content);
            prop_assert_eq!(read("another", &input), Some(json!([])));
        }

        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let input = [b"[{\"encrypted_content\":\"litellm_enc:", bytes.as_slice(), b"\"}]"].concat();
            let _ = latest_origin(&input);
            let _ = by("d", &input);
        }
    }
}
