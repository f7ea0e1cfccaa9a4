//! The text of JSON strings, read and written.
//!
//! By hand because a long conversation is little else: serde_json writes byte by byte, which made half of what a translation
//! costs. Here a text goes over in the pieces between its escapes.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// The text of a JSON string, quotes included; `None` for other values and for strings that are none.
pub fn decoded(value: &[u8]) -> Option<String> {
    let inner = value.strip_prefix(b"\"")?;
    let mut text = Vec::new();
    let mut rest = inner;
    loop {
        let at = memchr2(b'"', b'\\', rest)?;
        let (plain, special) = rest.split_at(at);
        match special {
            [b'"'] => {
                if text.is_empty() {
                    text.reserve_exact(plain.len());
                }
                text.extend_from_slice(plain);
                break;
            }
            [b'\\', escape, after @ ..] => {
                let Some(byte) = unit(*escape) else {
                    // Units of UTF-16, and what is no escape at all.
                    return serde_json::from_slice(value).ok();
                };
                if text.is_empty() {
                    text.reserve_exact(inner.len());
                }
                text.extend_from_slice(plain);
                text.push(byte);
                rest = after;
            }
            _ => return None,
        }
    }
    if has_controls(inner) {
        return None;
    }
    String::from_utf8(text).ok()
}

/// What stands between the quotes of a JSON string, escapes and all; `None` for other values and for strings that are none.
pub fn checked(value: &[u8]) -> Option<&str> {
    let inner = value.strip_prefix(b"\"")?;
    let mut rest = inner;
    let inner = loop {
        let at = memchr2(b'"', b'\\', rest)?;
        match &rest[at..] {
            [b'"'] => break &inner[..inner.len() - 1],
            [b'\\', escape, after @ ..] if unit(*escape).is_some() => rest = after,
            // Units of UTF-16, and what is no escape at all.
            [b'\\', _, ..] => {
                serde_json::from_slice::<String>(value).ok()?;
                break value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
            }
            _ => return None,
        }
    };
    if has_controls(inner) {
        return None;
    }
    std::str::from_utf8(inner).ok()
}

/// The text of what [`checked`] has let pass.
pub fn unescaped(inner: &[u8]) -> Cow<'_, str> {
    if memchr(b'\\', inner).is_none() {
        return Cow::Borrowed(std::str::from_utf8(inner).unwrap_or_default());
    }
    let value = [b"\"", inner, b"\""].concat();
    Cow::Owned(decoded(&value).unwrap_or_default())
}

/// All of it, so that the compiler can look at many bytes at once.
fn has_controls(inner: &[u8]) -> bool {
    inner.iter().fold(false, |odd, byte| odd | (*byte < 0x20))
}

/// What a backslash before this byte means.
fn unit(escape: u8) -> Option<u8> {
    Some(match escape {
        b'"' | b'\\' | b'/' => escape,
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 0x08,
        b'f' => 0x0c,
        _ => return None,
    })
}

/// `text` as a JSON string, quotes included.
pub fn quoted(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    write(&mut out, text);
    out
}

/// Writes `text` as a JSON string, quotes included.
pub fn write(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    write_inner(out, text);
    out.push(b'"');
}

/// The same without the quotes.
pub fn write_inner(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    while let Some(at) = first_special(rest) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        let [byte, after @ ..] = special else {
            break;
        };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            _ => {
                let hex = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[hex(byte >> 4), hex(byte & 15)]);
            }
        }
        rest = after;
    }
    out.extend_from_slice(rest);
}

/// Where the first byte stands that a JSON string must escape: a quote, a backslash, a control character.
fn first_special(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    const QUOTES: u64 = u64::from_ne_bytes([b'"'; 8]);
    const BACKSLASHES: u64 = u64::from_ne_bytes([b'\\'; 8]);
    let is_special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    let mut words = bytes.chunks_exact(8);
    let mut at = 0;
    for word in words.by_ref() {
        // Eight bytes at once. The first high bit that is set is right, those behind it may be borrowed.
        let word = u64::from_le_bytes(word.try_into().unwrap_or_default());
        let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
        let controls = word.wrapping_sub(ONES * 0x20) & !word;
        let specials = (controls | zeros(word ^ QUOTES) | zeros(word ^ BACKSLASHES)) & HIGHS;
        if specials != 0 {
            return Some(at + specials.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    words
        .remainder()
        .iter()
        .position(is_special)
        .map(|more| at + more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Texts in which many bytes are special.
    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[a-c\"\\\\\n\t\u{1}\u{1f} \u{7f}é𝄞]{0,40}",
            "[a-z ]{0,30}[\"\\\\\n\u{0}]?[a-z\u{80}-\u{ff}]{0,30}",
        ]
    }

    proptest! {
        #[test]
        fn written_as_serde_writes(text in texts()) {
            prop_assert_eq!(quoted(&text), serde_json::to_vec(&text).unwrap());
        }

        #[test]
        fn read_as_serde_reads(text in texts(), as_units: bool) {
            let mut json = serde_json::to_string(&text).unwrap();
            if as_units {
                json = json.replace('a', "\\u0061").replace("b", "\\/");
            }
            prop_assert_eq!(decoded(json.as_bytes()), serde_json::from_str::<String>(&json).ok());
        }

        #[test]
        fn any_bytes_are_read_as_serde_reads_them(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"\"\\nu0ad8\x01 "[..])], 0..24),
            ends in prop::sample::select(vec!["", "\"", " "]),
        ) {
            let json = [b"\"", &bytes[..], ends.as_bytes()].concat();
            // serde_json takes space behind a value.
            let expected = serde_json::from_slice::<String>(&json).ok().filter(|_| json.ends_with(b"\""));
            prop_assert_eq!(decoded(&json), expected.clone());
            let inner = checked(&json);
            prop_assert_eq!(inner.map(|inner| unescaped(inner.as_bytes()).into_owned()), expected);
        }
    }
}
