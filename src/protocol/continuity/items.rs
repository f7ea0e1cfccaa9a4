//! Items of a conversation, as JSON that is put together without being read.

use super::field;
use crate::protocol::json::scan_array;

/// A request's `input` as a JSON array of items: a text is one message of the user (OpenAI's API reference, "Create a model
/// response"). `None` when it is neither a text nor a well-formed array.
pub fn own_items(input: &[u8]) -> Option<Vec<u8>> {
    match input.first()? {
        b'"' => {
            let mut items = br#"[{"type":"message","role":"user","content":"#.to_vec();
            items.extend_from_slice(input);
            items.extend_from_slice(b"}]");
            Some(items)
        }
        b'[' => scan_array(input, |_| ()).ok().map(|()| input.to_vec()),
        _ => None,
    }
}

/// The `output` of a whole answer; an empty array when it has none.
pub fn output_of(answer: &[u8]) -> &[u8] {
    let output = field(answer, "output").filter(|output| output.first() == Some(&b'['));
    output.unwrap_or(b"[]")
}

/// One array of the items of several, in order. What is no well-formed array adds nothing.
pub fn joined<'a>(arrays: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut all = vec![b'['];
    for array in arrays {
        let before = all.len();
        let scanned = scan_array(array, |item| {
            if all.len() > 1 {
                all.push(b',');
            }
            all.extend_from_slice(&array[item]);
        });
        if scanned.is_err() {
            all.truncate(before);
        }
    }
    all.push(b']');
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn conversations_are_put_together() {
        let asked = own_items(br#""a \"b\"""#).map(text);
        assert_eq!(
            asked.as_deref(),
            Some(r#"[{"type":"message","role":"user","content":"a \"b\""}]"#)
        );
        assert_eq!(own_items(b"[ {} ]").map(text).as_deref(), Some("[ {} ]"));
        for wrong in ["[", "{}", "1", "", "null"] {
            assert_eq!(own_items(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(
            output_of(br#"{"id":"r","output":[{"a":1}]}"#),
            br#"[{"a":1}]"#
        );
        for nothing in ["{}", r#"{"output":null}"#, "", "[1]"] {
            assert_eq!(output_of(nothing.as_bytes()), b"[]");
        }
        let arrays: [&[u8]; 6] = [
            b"[ ]",
            br#"[ {"a":1e0} , 2]"#,
            b"[3,",
            b"[]",
            b"x",
            br#"["4"]"#,
        ];
        assert_eq!(text(joined(arrays)), r#"[{"a":1e0},2,"4"]"#);
        assert_eq!(text(joined([])), "[]");
    }
}
