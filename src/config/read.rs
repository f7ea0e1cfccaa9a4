//! Typed reading of one map of the file; whatever cannot be read leaves a diagnostic and counts as absent.

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Duration;

use crate::types::Secret;

use super::diagnostic::{Severity, Sink};
use super::redact::{found, key_in_path};
use super::yaml::{Entry, Node, Value, is_decimal};

/// A year: no timeout, interval or cooldown means more than that.
const MAX_SECONDS: f64 = 31_536_000.0;
/// Counts above this (10¹⁵) are slips of the keyboard, and sums of them must not overflow.
pub const MAX_COUNT: u64 = 1_000_000_000_000_000;

/// One map and its place. Remembers which keys were read.
pub struct Section<'a> {
    pub node: &'a Node,
    pub path: String,
    pub sink: &'a Sink,
    read: RefCell<HashSet<&'a str>>,
}

impl<'a> Section<'a> {
    /// `None` when the node is neither a map nor null; that is reported with `severity`.
    pub fn open(
        node: &'a Node,
        path: impl Into<String>,
        sink: &'a Sink,
        severity: Severity,
    ) -> Option<Self> {
        let path = path.into();
        if !matches!(node.value, Value::Map(_) | Value::Null) {
            let message = format!(
                "expected a map (`key: value` lines), found {}",
                found(node, &path)
            );
            sink.push(severity, node.pos, path, message, None);
            return None;
        }
        Some(Self {
            node,
            path,
            sink,
            read: RefCell::default(),
        })
    }

    pub fn entries(&self) -> &'a [Entry] {
        match &self.node.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Entries that nobody asked for so far, in the order of the file.
    pub fn unread(&self) -> impl Iterator<Item = &'a Entry> {
        self.entries()
            .iter()
            .filter(|entry| !self.read.borrow().contains(entry.key.as_str()))
    }

    pub fn path_of(&self, key: &str) -> String {
        let dot = if self.path.is_empty() { "" } else { "." };
        format!("{}{dot}{}", self.path, key_in_path(key))
    }

    /// The value, null included.
    pub fn raw(&self, key: &str) -> Option<&'a Node> {
        let entry = self.node.get(key)?;
        self.read.borrow_mut().insert(&entry.key);
        Some(&entry.value)
    }

    /// The value; null is absent.
    pub fn value(&self, key: &str) -> Option<&'a Node> {
        self.raw(key).filter(|node| !node.is_null())
    }

    /// Reports that the value of `key` is not what was expected.
    pub fn expected(&self, key: &str, node: &Node, what: &str) {
        let path = self.path_of(key);
        let message = format!("expected {what}, found {}", found(node, &path));
        self.sink.error(node.pos, path, message);
    }

    /// A map of names to whatever `each` reads of its entries, in the order written; an entry of which it reads nothing is left
    /// out.
    pub fn by_name<T>(
        &self,
        key: &str,
        each: impl Fn(&Self, &'a Entry) -> Option<T>,
    ) -> Vec<(String, T)> {
        let open = |node| Self::open(node, self.path_of(key), self.sink, Severity::Error);
        let Some(map) = self.value(key).and_then(open) else {
            return Vec::new();
        };
        let named = |entry: &'a Entry| Some((entry.key.clone(), each(&map, entry)?));
        map.entries().iter().filter_map(named).collect()
    }

    fn checked<T>(
        &self,
        key: &str,
        what: &str,
        read: impl FnOnce(&Node) -> Option<T>,
    ) -> Option<T> {
        let node = self.value(key)?;
        let value = read(node);
        if value.is_none() {
            self.expected(key, node, what);
        }
        value
    }

    /// Text; a number or bool counts as the text that was written.
    pub fn text(&self, key: &str) -> Option<String> {
        self.checked(key, "text", scalar_text)
    }

    pub fn secret(&self, key: &str) -> Option<Secret> {
        self.text(key).map(Secret::new)
    }

    /// `true` or `false`, as text too.
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.checked(key, "true or false", |node| match &node.value {
            Value::Bool(value) => Some(*value),
            Value::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        })
    }

    /// A whole number from 0 to `max`.
    pub fn whole(&self, key: &str, max: u64) -> Option<u64> {
        let what = if max >= MAX_COUNT {
            "a whole number ≥ 0".into()
        } else {
            format!("a whole number from 0 to {max}")
        };
        let value = self.checked(key, &what, |node| {
            whole_number(node).and_then(|n| u64::try_from(n).ok())
        })?;
        if value > max {
            let node = self.value(key)?;
            self.expected(key, node, &format!("a whole number from 0 to {max}"));
            return None;
        }
        Some(value)
    }

    /// A whole number, which may be negative.
    pub fn integer(&self, key: &str) -> Option<i64> {
        self.checked(key, "a whole number", |node| {
            let number = whole_number(node)?;
            i64::try_from(number).ok()
        })
    }

    pub fn count(&self, key: &str) -> Option<u64> {
        self.whole(key, MAX_COUNT)
    }

    /// A whole number that fits 32 bits, up to `max`.
    pub fn small(&self, key: &str, max: u32) -> Option<u32> {
        self.whole(key, u64::from(max))
            .and_then(|value| u32::try_from(value).ok())
    }

    /// A finite number ≥ 0.
    pub fn amount(&self, key: &str) -> Option<f64> {
        self.checked(key, "a number ≥ 0", |node| {
            number(node).filter(|n| (0.0..=MAX_COUNT as f64).contains(n))
        })
    }

    /// Seconds, fractions allowed, from 0 to a year.
    pub fn seconds(&self, key: &str) -> Option<Duration> {
        self.checked(key, "seconds (a number from 0 to 31536000)", |node| {
            let seconds = number(node).filter(|n| (0.0..=MAX_SECONDS).contains(n))?;
            Duration::try_from_secs_f64(seconds).ok()
        })
    }

    /// Seconds for which 0 means "not set", as everywhere in LiteLLM where a timeout is chosen.
    pub fn timeout(&self, key: &str) -> Option<Duration> {
        let seconds = self.seconds(key)?;
        if seconds.is_zero() {
            let node = self.value(key)?;
            self.sink.note(
                node.pos,
                self.path_of(key),
                "0 means that no timeout is set here",
            );
            return None;
        }
        Some(seconds)
    }

    /// A list of texts; one text alone counts as a list of it.
    pub fn texts(&self, key: &str) -> Vec<String> {
        let read = self.checked(key, "a list of texts", |node| match &node.value {
            Value::List(items) => items.iter().map(scalar_text).collect(),
            _ => scalar_text(node).map(|text| vec![text]),
        });
        read.unwrap_or_default()
    }

    /// A map of header names to values.
    pub fn headers(&self, key: &str) -> Vec<(String, Secret)> {
        let Some(node) = self.value(key) else {
            return Vec::new();
        };
        let Some(section) = Self::open(node, self.path_of(key), self.sink, Severity::Error) else {
            return Vec::new();
        };
        let mut headers = Vec::new();
        for Entry {
            key: name,
            key_pos,
            value,
        } in section.entries()
        {
            if name.is_empty() || !name.bytes().all(is_token_byte) {
                let message = "expected a header name (letters, digits and `-`)";
                self.sink.error(*key_pos, section.path_of(name), message);
                continue;
            }
            // The value is not shown, wherever this map stands.
            match scalar_text(value) {
                Some(text) if !text.bytes().any(|b| b.is_ascii_control() && b != b'\t') => {
                    headers.push((name.clone(), Secret::new(text)));
                }
                None if value.is_null() => {}
                _ => {
                    let message =
                        "expected a header value: text on one line, without control characters";
                    self.sink.error(value.pos, section.path_of(name), message);
                }
            }
        }
        headers
    }
}

/// What HTTP allows in a header name.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Text, or a number or bool as text (`True`, `False` as Python prints them).
pub fn scalar_text(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.clone()),
        Value::Int { written, .. } | Value::Float { written, .. } => Some(written.clone()),
        Value::Bool(value) => Some(if *value { "True" } else { "False" }.into()),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

/// A number, also one given as text.
pub fn number(node: &Node) -> Option<f64> {
    match &node.value {
        Value::Int { value, .. } => Some(*value as f64),
        Value::Float { value, .. } => Some(*value).filter(|value| value.is_finite()),
        Value::Text(text) if is_decimal(text.trim()) => text
            .trim()
            .parse()
            .ok()
            .filter(|value: &f64| value.is_finite()),
        _ => None,
    }
}

/// A number as the decimal text that was written, so that no digit of an amount is lost.
pub fn decimal(node: &Node) -> Option<String> {
    number(node)?;
    match &node.value {
        // Other notations than the decimal one (`0x10`) have no fraction to lose.
        Value::Int { value, .. } => Some(value.to_string()),
        Value::Float { written, .. } | Value::Text(written) => {
            Some(written.trim().trim_start_matches('+').replace('_', ""))
        }
        _ => None,
    }
}

/// A number without a fraction: `10`, `10.0`, `"10"`.
pub fn whole_number(node: &Node) -> Option<i128> {
    match &node.value {
        Value::Int { value, .. } => Some(*value),
        Value::Text(text) if text.trim().parse::<i128>().is_ok() => text.trim().parse().ok(),
        // Up to 2⁵³ every whole double is exact.
        _ => number(node)
            .filter(|n| n.fract() == 0.0 && n.abs() <= 9_007_199_254_740_992.0)
            .map(|n| n as i128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml::parse;

    /// Reads `k: <text>` and returns what was read and what was reported.
    fn read<T: std::fmt::Debug>(
        text: &str,
        read: impl FnOnce(&Section<'_>) -> T,
    ) -> (String, Vec<String>) {
        let sink = Sink::new("f");
        let value = parse(&format!("k: {text}"))
            .ok()
            .and_then(|document| document.root)
            .and_then(|root| {
                let section = Section::open(&root, "s", &sink, Severity::Error)?;
                Some(format!("{:?}", read(&section)))
            });
        (
            value.unwrap_or_default(),
            sink.into_diagnostics()
                .iter()
                .map(ToString::to_string)
                .collect(),
        )
    }

    #[test]
    fn counts() {
        for (text, expected) in [
            ("10", "Some(10)"),
            ("'10'", "Some(10)"),
            ("10.0", "Some(10)"),
            ("1e2", "Some(100)"),
            ("null", "None"),
            ("0", "Some(0)"),
        ] {
            let (value, reported) = read(text, |section| section.count("k"));
            assert_eq!(value, expected, "{text}");
            assert!(reported.is_empty(), "{reported:?}");
        }
        for (text, found) in [
            ("ten", "\"ten\""),
            ("-1", "-1"),
            ("1.5", "1.5"),
            (".nan", ".nan"),
            ("true", "true"),
            ("[1]", "a list"),
            ("'inf'", "\"inf\""),
            ("99999999999999999999999999999999999999999", "a longer text"),
        ] {
            let (value, reported) = read(text, |section| section.count("k"));
            assert_eq!(value, "None", "{text}");
            assert_eq!(
                reported,
                [format!(
                    "f:1:4: error: s.k: expected a whole number ≥ 0, found {found}"
                )]
            );
        }
        let (_, reported) = read("1000000000000001", |section| section.count("k"));
        assert_eq!(
            reported,
            [
                "f:1:4: error: s.k: expected a whole number from 0 to 1000000000000000, found 1000000000000001"
            ]
        );
        let (_, reported) = read("700", |section| section.small("k", 599));
        assert_eq!(
            reported,
            ["f:1:4: error: s.k: expected a whole number from 0 to 599, found 700"]
        );
    }

    #[test]
    fn times() {
        for (text, expected) in [
            ("1.5", "Some(1.5s)"),
            ("'30'", "Some(30s)"),
            ("1e-3", "Some(1ms)"),
            ("0", "Some(0ns)"),
        ] {
            assert_eq!(
                read(text, |section| section.seconds("k")),
                (expected.to_owned(), Vec::new())
            );
        }
        for text in ["-1", ".inf", ".nan", "40000000", "soon", "30s"] {
            let (value, reported) = read(text, |section| section.seconds("k"));
            assert_eq!((value.as_str(), reported.len()), ("None", 1), "{text}");
        }
        assert_eq!(read("0", |section| section.timeout("k")).0, "None");
    }

    #[test]
    fn lists_flags_and_headers() {
        assert_eq!(
            read("[a, 1]", |section| section.texts("k")).0,
            r#"["a", "1"]"#
        );
        assert_eq!(read("a", |section| section.texts("k")).0, r#"["a"]"#);
        assert_eq!(read("[[a]]", |section| section.texts("k")).1.len(), 1);
        assert_eq!(read("'TRUE'", |section| section.flag("k")).0, "Some(true)");
        assert_eq!(read("1", |section| section.flag("k")).1.len(), 1);
        let headers = |section: &Section<'_>| {
            section
                .headers("k")
                .iter()
                .map(|(name, value)| format!("{name}={}", value.expose()))
                .collect::<Vec<_>>()
        };
        assert_eq!(read("{x: y, n: 1}", headers).0, r#"["x=y", "n=1"]"#);
        let (value, reported) = read("{'a b': hidden1, c: \"hid\\nden2\", d: [hidden3]}", headers);
        assert_eq!((value.as_str(), reported.len()), ("[]", 3));
        assert!(
            reported.iter().all(|line| !line.contains("hid")),
            "{reported:?}"
        );
    }
}
