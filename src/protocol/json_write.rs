//! JSON written field by field into one buffer: brackets always in pairs, commas where they belong, texts escaped.

use std::ops::Range;

pub use super::json_text::write as text;
use super::neutral::{Dialect, Extensions, Text};

/// Writes one object; `fill` writes its fields, and what it returns is returned.
pub fn object<R>(out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>) -> R) -> R {
    out.push(b'{');
    let returned = fill(&mut Object {
        out,
        is_empty: true,
    });
    out.push(b'}');
    returned
}

/// Writes one array; `fill` writes its items, and what it returns is returned.
pub fn array<R>(out: &mut Vec<u8>, fill: impl FnOnce(&mut Array<'_>) -> R) -> R {
    out.push(b'[');
    let returned = fill(&mut Array {
        out,
        is_empty: true,
    });
    out.push(b']');
    returned
}

/// Writes texts as one string.
pub fn joined<'t>(out: &mut Vec<u8>, texts: impl IntoIterator<Item = &'t Text>) {
    out.push(b'"');
    for text in texts {
        text.write_inner(out);
    }
    out.push(b'"');
}

/// An object under way. Names are the caller's: each is written once.
pub struct Object<'w> {
    out: &'w mut Vec<u8>,
    is_empty: bool,
}

impl Object<'_> {
    fn key(&mut self, name: &str) {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.out.push(b',');
        }
        text(self.out, name);
        self.out.push(b':');
    }

    pub fn text(&mut self, name: &str, value: &str) {
        self.key(name);
        text(self.out, value);
    }

    /// Texts as one string.
    pub fn joined<'t>(&mut self, name: &str, texts: impl IntoIterator<Item = &'t Text>) {
        self.key(name);
        joined(self.out, texts);
    }

    pub fn said(&mut self, name: &str, text: &Text) {
        self.joined(name, [text]);
    }

    pub fn maybe_text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// A value that is JSON already.
    pub fn raw(&mut self, name: &str, value: &[u8]) {
        self.key(name);
        self.out.extend_from_slice(value);
    }

    pub fn null(&mut self, name: &str) {
        self.raw(name, b"null");
    }

    pub fn number(&mut self, name: &str, value: u64) {
        self.raw(name, value.to_string().as_bytes());
    }

    pub fn truth(&mut self, name: &str, value: bool) {
        self.raw(name, if value { b"true" } else { b"false" });
    }

    pub fn object<R>(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>) -> R) -> R {
        self.key(name);
        object(self.out, fill)
    }

    pub fn array<R>(&mut self, name: &str, fill: impl FnOnce(&mut Array<'_>) -> R) -> R {
        self.array_at(name, fill).1
    }

    /// The same, and where in the buffer the array stands.
    pub fn array_at<R>(
        &mut self,
        name: &str,
        fill: impl FnOnce(&mut Array<'_>) -> R,
    ) -> (Range<usize>, R) {
        self.key(name);
        let start = self.out.len();
        let returned = array(self.out, fill);
        (start..self.out.len(), returned)
    }

    pub fn texts<'t>(&mut self, name: &str, texts: impl IntoIterator<Item = &'t str>) {
        self.array(name, |array| {
            for text in texts {
                array.text(text);
            }
        });
    }

    /// What this dialect said that only it knows, as it was written.
    pub fn extensions(&mut self, extensions: &Extensions, dialect: Dialect) {
        for extension in extensions.of(dialect) {
            self.raw(&extension.name, extension.value.as_bytes());
        }
    }
}

/// An array under way.
pub struct Array<'w> {
    out: &'w mut Vec<u8>,
    is_empty: bool,
}

impl Array<'_> {
    fn comma(&mut self) {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.out.push(b',');
        }
    }

    pub fn text(&mut self, value: &str) {
        self.comma();
        text(self.out, value);
    }

    /// A value that is JSON already.
    pub fn raw(&mut self, value: &[u8]) {
        self.comma();
        self.out.extend_from_slice(value);
    }

    pub fn object<R>(&mut self, fill: impl FnOnce(&mut Object<'_>) -> R) -> R {
        self.comma();
        object(self.out, fill)
    }

    pub fn array<R>(&mut self, fill: impl FnOnce(&mut Array<'_>) -> R) -> R {
        self.comma();
        array(self.out, fill)
    }

    /// Nothing has been written yet.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_and_escapes() {
        let mut out = Vec::new();
        object(&mut out, |o| {
            o.text("a\"", "x\n\u{7f}é");
            o.maybe_text("b", None);
            o.array("l", |a| {
                a.raw(b"1.50");
                a.text("");
                a.object(|_| {});
                a.array(|_| {});
            });
            o.object("o", |o| o.null("n"));
            o.number("u", u64::MAX);
            o.truth("t", true);
        });
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"a\\\"\":\"x\\n\u{7f}é\",\"l\":[1.50,\"\",{},[]],\"o\":{\"n\":null},\"u\":18446744073709551615,\"t\":true}"
        );
    }
}
