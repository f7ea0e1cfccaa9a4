//! One scan over the top level of a JSON object: where each field's key and value lie.
//!
//! A hand-made scanner because only spans are wanted: a serde pass over a 200 KB body costs ten times as much as this one,
//! a DOM fifteen times. It checks structure (brackets in pairs, strings closed, commas and colons at the top level) but not
//! every number and literal inside a value; who needs that asks serde_json as well.

use std::fmt;
use std::ops::Range;

use memchr::memchr;
use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

pub use super::json_text::{decoded, quoted};

/// Deepest nesting accepted, the object itself being level 1.
pub const MAX_DEPTH: u32 = 128;

/// One `"key": value` of the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Inside the quotes.
    pub key: Range<usize>,
    /// The whole value, a string's quotes included.
    pub value: Range<usize>,
    /// The key contains a backslash, so its bytes are not its text.
    pub key_is_escaped: bool,
}

impl Field {
    /// Where the field begins: its key's opening quote.
    pub fn start(&self) -> usize {
        self.key.start - 1
    }
}

/// Why a scan stopped; offsets are bytes from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    #[error("a JSON object is expected")]
    NotAnObject,
    #[error("invalid JSON at byte {at}")]
    Malformed { at: usize },
    #[error("JSON nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// Calls `visit` for each field in order and returns the offset of the closing brace.
///
/// Only white space may follow that brace.
pub fn scan_object(bytes: &[u8], mut visit: impl FnMut(Field)) -> Result<usize, ScanError> {
    let mut at = skip_space(bytes, 0);
    if bytes.get(at) != Some(&b'{') {
        return Err(ScanError::NotAnObject);
    }
    at = skip_space(bytes, at + 1);
    if bytes.get(at) != Some(&b'}') {
        loop {
            if bytes.get(at) != Some(&b'"') {
                return Err(ScanError::Malformed { at });
            }
            let key_end = string_end(bytes, at)?;
            let key = at + 1..key_end - 1;
            at = skip_space(bytes, key_end);
            if bytes.get(at) != Some(&b':') {
                return Err(ScanError::Malformed { at });
            }
            let value_start = skip_space(bytes, at + 1);
            let value_end = value_end(bytes, value_start)?;
            let key_is_escaped = memchr(b'\\', &bytes[key.clone()]).is_some();
            visit(Field {
                key,
                value: value_start..value_end,
                key_is_escaped,
            });
            at = skip_space(bytes, value_end);
            match bytes.get(at) {
                Some(b',') => at = skip_space(bytes, at + 1),
                Some(b'}') => break,
                _ => return Err(ScanError::Malformed { at }),
            }
        }
    }
    let rest = skip_space(bytes, at + 1);
    if rest == bytes.len() {
        Ok(at)
    } else {
        Err(ScanError::Malformed { at: rest })
    }
}

/// Calls `visit` for the span of each item of an array, in order. Only white space may follow its closing bracket.
pub fn scan_array(bytes: &[u8], mut visit: impl FnMut(Range<usize>)) -> Result<(), ScanError> {
    let mut at = skip_space(bytes, 0);
    if bytes.get(at) != Some(&b'[') {
        return Err(ScanError::Malformed { at });
    }
    at = skip_space(bytes, at + 1);
    if bytes.get(at) != Some(&b']') {
        loop {
            let end = value_end(bytes, at)?;
            visit(at..end);
            at = skip_space(bytes, end);
            match bytes.get(at) {
                Some(b',') => at = skip_space(bytes, at + 1),
                Some(b']') => break,
                _ => return Err(ScanError::Malformed { at }),
            }
        }
    }
    let rest = skip_space(bytes, at + 1);
    if rest == bytes.len() {
        Ok(())
    } else {
        Err(ScanError::Malformed { at: rest })
    }
}

/// The text of a string value without escapes: `None` for other values and for strings that need decoding.
pub fn plain_str<'a>(bytes: &'a [u8], value: &Range<usize>) -> Option<&'a str> {
    let inner = bytes
        .get(value.clone())?
        .strip_prefix(b"\"")?
        .strip_suffix(b"\"")?;
    if memchr(b'\\', inner).is_some() {
        return None;
    }
    std::str::from_utf8(inner).ok()
}

/// The fields of an object in order, keys decoded, values as they are written: the slow way, for what is written anew.
pub fn raw_fields(object: &[u8]) -> Result<Vec<(String, &RawValue)>, serde_json::Error> {
    struct Fields;
    impl<'de> Visitor<'de> for Fields {
        type Value = Vec<(String, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut fields = Vec::new();
            while let Some(field) = map.next_entry()? {
                fields.push(field);
            }
            Ok(fields)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_slice(object);
    deserializer.deserialize_map(Fields)
}

/// Whether any key or string in `json` is written as `text` exactly, without escapes.
///
/// Goes from quote to quote: in a long prompt four times as fast as a search for the text itself.
pub fn holds_string(json: &[u8], text: &[u8]) -> bool {
    let mut at = 0;
    while let Some(found) = memchr(b'"', json.get(at..).unwrap_or_default()) {
        let start = at + found;
        let Ok(end) = string_end(json, start) else {
            return false;
        };
        if &json[start + 1..end - 1] == text {
            return true;
        }
        at = end;
    }
    false
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The offset behind the closing quote of the string that opens at `at`.
///
/// Only quotes are searched for, and the backslashes before one counted: texts have many more escapes (every line break)
/// than escaped quotes.
fn string_end(bytes: &[u8], at: usize) -> Result<usize, ScanError> {
    let mut from = at + 1;
    loop {
        let rest = bytes.get(from..).unwrap_or_default();
        let Some(found) = memchr(b'"', rest) else {
            return Err(ScanError::Malformed { at });
        };
        let quote = from + found;
        let before = bytes[at + 1..quote].iter().rev();
        let backslashes = before.take_while(|byte| **byte == b'\\').count();
        from = quote + 1;
        if backslashes % 2 == 0 {
            return Ok(from);
        }
    }
}

/// The offset behind the value that begins at `at`.
fn value_end(bytes: &[u8], at: usize) -> Result<usize, ScanError> {
    match bytes.get(at) {
        Some(b'"') => string_end(bytes, at),
        Some(b'{' | b'[') => container_end(bytes, at),
        Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => Ok(scalar_end(bytes, at)),
        _ => Err(ScanError::Malformed { at }),
    }
}

fn scalar_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let length = rest
        .iter()
        .position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'));
    at + length.unwrap_or(rest.len())
}

fn container_end(bytes: &[u8], at: usize) -> Result<usize, ScanError> {
    // One bit a level: set for an object. Level 1 is the outer object, which is not on this stack.
    let mut stack: u128 = 0;
    let mut depth: u32 = 0;
    let mut position = at;
    while let Some(byte) = bytes.get(position) {
        match byte {
            b'"' => {
                position = string_end(bytes, position)?;
                continue;
            }
            b'{' | b'[' => {
                depth += 1;
                if depth >= MAX_DEPTH {
                    return Err(ScanError::TooDeep);
                }
                stack = stack << 1 | u128::from(*byte == b'{');
            }
            b'}' | b']' => {
                if (stack & 1 == 1) != (*byte == b'}') {
                    return Err(ScanError::Malformed { at: position });
                }
                stack >>= 1;
                depth -= 1;
                if depth == 0 {
                    return Ok(position + 1);
                }
            }
            _ => {}
        }
        position += 1;
    }
    Err(ScanError::Malformed { at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(text: &str) -> Result<Vec<(String, String)>, ScanError> {
        let mut found = Vec::new();
        scan_object(text.as_bytes(), |field| {
            found.push((text[field.key].to_owned(), text[field.value].to_owned()));
        })?;
        Ok(found)
    }

    #[test]
    fn spans_of_fields() {
        let found =
            fields(r#" {"a" : "x\"}", "b":[{"c":"]"}, 2] ,"d":-1.5e3,"e":null } "#).unwrap();
        let expected = [
            ("a", r#""x\"}""#),
            ("b", r#"[{"c":"]"}, 2]"#),
            ("d", "-1.5e3"),
            ("e", "null"),
        ];
        assert_eq!(found, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert_eq!(fields("{}"), Ok(vec![]));
    }

    #[test]
    fn what_is_refused() {
        for text in ["", "[]", "null", "5", "\"x\""] {
            assert_eq!(fields(text), Err(ScanError::NotAnObject), "{text}");
        }
        for text in [
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":[}]}",
            "{\"a\":\"x}",
            "{} {}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":\"\\",
        ] {
            assert!(
                matches!(fields(text), Err(ScanError::Malformed { .. })),
                "{text}"
            );
        }
        let nested =
            |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(fields(&nested(127)).is_ok());
        assert_eq!(fields(&nested(128)), Err(ScanError::TooDeep));
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::hash_map(any::<String>(), inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_scanned_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = scan_object(&bytes, |_| {});
        }

        #[test]
        fn a_string_is_held_where_a_key_or_a_text_is_it(value in json(), other in "[a-c\"\\\\]{0,2}") {
            fn holds(value: &serde_json::Value, text: &str) -> bool {
                use serde_json::Value::{Array, Object, String};
                match value {
                    String(own) => own == text,
                    Array(items) => items.iter().any(|item| holds(item, text)),
                    Object(fields) => fields.iter().any(|(key, value)| key == text || holds(value, text)),
                    _ => false,
                }
            }
            let quoted = quoted(&other);
            let written = &quoted[1..quoted.len() - 1];
            for value in [value.clone(), serde_json::json!([value, {other.clone(): value}]), serde_json::json!({"x": other})] {
                let json = serde_json::to_vec(&value).unwrap();
                prop_assert_eq!(holds_string(&json, written), holds(&value, &other));
            }
        }

        #[test]
        fn what_serde_writes_is_found_whole(fields in prop::collection::hash_map(any::<String>(), json(), 0..6)) {
            let object = serde_json::Value::Object(fields.into_iter().collect());
            let text = serde_json::to_vec(&object).unwrap();
            let mut found = serde_json::Map::new();
            scan_object(&text, |field| {
                let key: String = serde_json::from_slice(&text[field.start()..field.key.end + 1]).unwrap();
                found.insert(key, serde_json::from_slice(&text[field.value]).unwrap());
            }).unwrap();
            prop_assert_eq!(serde_json::Value::Object(found), object);
        }
    }
}
