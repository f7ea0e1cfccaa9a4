//! The text of a message.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use crate::protocol::json_text;

/// A text, kept as it was written in JSON where it came from JSON: a long conversation goes from one body into another without
/// being decoded and written anew.
///
/// Two are equal when they say the same, however it is written.
#[derive(Clone)]
pub struct Text(Form);

#[derive(Clone)]
enum Form {
    /// The text itself.
    Said(String),
    /// What stands between the quotes of a JSON string; it has been checked.
    Written(Bytes),
}

impl Text {
    /// What stands between the quotes of a JSON string, as [`json_text::checked`] has let it pass.
    pub fn written(inner: Bytes) -> Self {
        Self(Form::Written(inner))
    }

    pub fn said(&self) -> Cow<'_, str> {
        match &self.0 {
            Form::Said(text) => Cow::Borrowed(text),
            Form::Written(inner) => json_text::unescaped(inner),
        }
    }

    pub fn into_said(self) -> String {
        match self.0 {
            Form::Said(text) => text,
            Form::Written(inner) => json_text::unescaped(&inner).into_owned(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.bare().is_empty()
    }

    /// White space alone, or nothing.
    pub fn is_blank(&self) -> bool {
        // What begins with a letter needs no decoding.
        let first = self.bare().first();
        let begins_plainly = first.is_some_and(|byte| byte.is_ascii_graphic() && *byte != b'\\');
        !begins_plainly && self.said().trim().is_empty()
    }

    pub fn starts_with(&self, beginning: &str) -> bool {
        let bare = self.bare();
        let bare = &bare[..bare.len().min(beginning.len())];
        match &self.0 {
            Form::Written(_) if bare.contains(&b'\\') => self.said().starts_with(beginning),
            _ => bare == beginning.as_bytes(),
        }
    }

    /// Writes it as a JSON string without the quotes, so that texts can stand behind each other in one.
    pub fn write_inner(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Form::Said(text) => json_text::write_inner(out, text),
            Form::Written(inner) => out.extend_from_slice(inner),
        }
    }

    /// Bytes, decoded or as written: only to know how much room it takes.
    pub fn size(&self) -> usize {
        self.bare().len()
    }

    fn bare(&self) -> &[u8] {
        match &self.0 {
            Form::Said(text) => text.as_bytes(),
            Form::Written(inner) => inner,
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Form::Said(text))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Form::Said(text.to_owned()))
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.said() == other.said()
    }
}

impl Eq for Text {}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.said().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As a client may write it: some letters as numbers, some slashes escaped.
    fn written(text: &str) -> String {
        let json = serde_json::to_string(text).unwrap();
        json.replace('a', "\\u0061").replace('/', "\\/")
    }

    proptest! {
        #[test]
        fn both_forms_are_one_text(text in prop_oneof![any::<String>(), "[ \n\t]{0,3}[a/\"\\\\𝄞]{0,5}"], prefix in "[a/ ]{0,2}") {
            let json = written(&text);
            let inner = json_text::checked(json.as_bytes()).unwrap();
            let read = Text::written(Bytes::copy_from_slice(inner.as_bytes()));
            let made = Text::from(text.as_str());
            prop_assert_eq!(&read, &made);
            for one in [&read, &made] {
                prop_assert_eq!(one.is_empty(), text.is_empty());
                prop_assert_eq!(one.is_blank(), text.trim().is_empty());
                prop_assert_eq!(one.starts_with(&prefix), text.starts_with(&prefix));
                let mut out = b"\"".to_vec();
                one.write_inner(&mut out);
                out.push(b'"');
                prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text.clone());
            }
            let mut verbatim = Vec::new();
            read.write_inner(&mut verbatim);
            prop_assert_eq!(&verbatim[..], &json.as_bytes()[1..json.len() - 1]);
            prop_assert_eq!(read.into_said(), text);
        }
    }
}
