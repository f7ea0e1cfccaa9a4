//! Reasoning by the name that clients know.

use memchr::memmem;

/// A JSON text (an answer, or one chunk of a stream) whose keys `reasoning` are renamed to `reasoning_content`, as LiteLLM's
/// clients know it; `None` when there is none, or the text has the right name already.
///
/// A quote inside a string is escaped, so `"reasoning"` followed by a colon is always a key. Only texts and `null` are renamed:
/// an object of that name is a setting.
pub fn renamed(json: &[u8]) -> Option<Vec<u8>> {
    const KEY: &[u8] = b"\"reasoning\"";
    memmem::find(json, KEY)?;
    if memmem::find(json, b"\"reasoning_content\"").is_some() {
        return None;
    }
    let mut out = Vec::with_capacity(json.len() + 16);
    let mut cursor = 0;
    for at in memmem::find_iter(json, KEY) {
        let end = at + KEY.len();
        let mut rest = json[end..]
            .iter()
            .filter(|byte| !byte.is_ascii_whitespace());
        if rest.next() == Some(&b':') && matches!(rest.next(), Some(b'"' | b'n')) {
            out.extend_from_slice(&json[cursor..at]);
            out.extend_from_slice(b"\"reasoning_content\"");
            cursor = end;
        }
    }
    out.extend_from_slice(&json[cursor..]);
    (cursor > 0).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_alone_are_renamed() {
        for (json, expected) in [
            (
                r#"{"delta":{"reasoning":"so"}}"#,
                Some(r#"{"delta":{"reasoning_content":"so"}}"#),
            ),
            (
                r#"{"a":{"reasoning" : "x"},"b":{"reasoning":null}}"#,
                Some(r#"{"a":{"reasoning_content" : "x"},"b":{"reasoning_content":null}}"#),
            ),
            (r#"{"reasoning":"x","reasoning_content":"x"}"#, None),
            (r#"{"content":"\"reasoning\":\"x\""}"#, None),
            (r#"{"content":"reasoning"}"#, None),
            (r#"{"reasoning":{"effort":"low"}}"#, None),
            (r#"["reasoning"]"#, None),
            (r#"{"reasoning""#, None),
        ] {
            let renamed = renamed(json.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(renamed.as_deref(), expected, "{json}");
        }
    }
}
