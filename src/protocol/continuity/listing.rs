//! The items that a response was made from, a page at a time (OpenAI's API reference, "List input items").

use super::{field, text_field};
use crate::protocol::json::{self, scan_array};
use crate::protocol::json_edit::{self, Part};

/// Which items of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most so many, 1 to 100.
    pub limit: usize,
    /// Those behind the item with this id.
    pub after: Option<String>,
    pub newest_first: bool,
}

/// The page of `items`, a JSON array, as a list object. Items without an id get one, made of `seed` and their place, the same
/// each time. `None`: there is no item with the id of `after`.
pub fn page_of(items: &[u8], page: &Page, seed: &str) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    // What is no array has no items.
    let _ = scan_array(items, |item| {
        let place = all.len();
        all.push(shown(&items[item], || format!("item_{seed}_{place}")));
    });
    if page.newest_first {
        all.reverse();
    }
    let from = match &page.after {
        None => 0,
        Some(after) => 1 + all.iter().position(|(id, _)| id == after)?,
    };
    let rest = all.get(from..).unwrap_or_default();
    let some = rest.get(..page.limit).unwrap_or(rest);
    let quoted = |item: Option<&(String, Vec<u8>)>| match item {
        Some((id, _)) => json::quoted(id),
        None => b"null".to_vec(),
    };
    let mut out = br#"{"object":"list","data":["#.to_vec();
    for (place, (_, item)) in some.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(item);
    }
    out.extend_from_slice(br#"],"first_id":"#);
    out.extend_from_slice(&quoted(some.first()));
    out.extend_from_slice(br#","last_id":"#);
    out.extend_from_slice(&quoted(some.last()));
    let has_more = if rest.len() > some.len() {
        "true"
    } else {
        "false"
    };
    out.extend_from_slice(format!(r#","has_more":{has_more}}}"#).as_bytes());
    Some(out)
}

/// An item's id, and the item with it. A message whose content is a text gets the form that all lists have.
fn shown(item: &[u8], id: impl FnOnce() -> String) -> (String, Vec<u8>) {
    let own = text_field(item, "id").map(str::to_owned);
    let role = text_field(item, "role");
    let kind = match role {
        Some("assistant") => "output_text",
        _ => "input_text",
    };
    let edited = json_edit::object(item, |name, value| match name {
        "id" if own.is_none() => Part::Drop,
        "content" if role.is_some() && value.first() == Some(&b'"') => {
            let text = format!(r#"[{{"type":"{kind}","text":"#);
            Part::Replace([text.as_bytes(), value, b"}]"].concat())
        }
        _ => Part::Keep,
    });
    let item = edited.as_deref().unwrap_or(item);
    let mut added = Vec::new();
    let id = own.unwrap_or_else(|| {
        let id = id();
        added.extend_from_slice(br#""id":"#);
        added.extend_from_slice(&json::quoted(&id));
        id
    });
    if role.is_some() && field(item, "type").is_none() {
        if !added.is_empty() {
            added.push(b',');
        }
        added.extend_from_slice(br#""type":"message""#);
    }
    let item = match item.split_first() {
        Some((b'{', rest)) if !added.is_empty() => {
            let is_empty = rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'}');
            let comma: &[u8] = if is_empty { b"" } else { b"," };
            [b"{", added.as_slice(), comma, rest].concat()
        }
        _ => item.to_vec(),
    };
    (id, item)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn page(items: &Value, limit: usize, after: Option<&str>, newest_first: bool) -> Option<Value> {
        let page = Page {
            limit,
            after: after.map(str::to_owned),
            newest_first,
        };
        let page = page_of(items.to_string().as_bytes(), &page, "s")?;
        Some(serde_json::from_slice(&page).unwrap())
    }

    #[test]
    fn items_have_ids_and_pages() {
        let items = json!([
            {"role": "user", "content": "a \"b\""},
            {"type": "function_call", "id": "fc_1", "name": "f"},
            {"type": "message", "id": null, "role": "assistant", "content": []},
            {},
        ]);
        let all = page(&items, 100, None, false).unwrap();
        assert_eq!(
            all["data"],
            json!([
                {"id": "item_s_0", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "a \"b\""}]},
                items[1],
                {"id": "item_s_2", "type": "message", "role": "assistant", "content": []},
                {"id": "item_s_3"},
            ])
        );
        assert_eq!(
            (&all["object"], &all["has_more"]),
            (&json!("list"), &json!(false))
        );
        let ids = |page: &Value| {
            [
                page["first_id"].clone(),
                page["last_id"].clone(),
                page["has_more"].clone(),
            ]
        };
        let first = page(&items, 2, None, true).unwrap();
        assert_eq!(
            ids(&first),
            [json!("item_s_3"), json!("item_s_2"), json!(true)]
        );
        let second = page(&items, 2, Some("item_s_2"), true).unwrap();
        assert_eq!(
            ids(&second),
            [json!("fc_1"), json!("item_s_0"), json!(false)]
        );
        assert_eq!(page(&items, 2, Some("no such"), true), None);
        let none = page(&json!("x"), 2, None, true).unwrap();
        assert_eq!(ids(&none), [Value::Null, Value::Null, json!(false)]);
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let page = Page { limit: 20, after: None, newest_first: true };
            let _ = page_of(&[b"[{", bytes.as_slice(), b"}]"].concat(), &page, "s");
        }
    }
}
