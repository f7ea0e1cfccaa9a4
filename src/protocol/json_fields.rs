//! A JSON object taken apart field by field, each error naming the place.
//!
//! Works on the spans that `json` finds, so that what nobody asks for is never decoded: a field is decoded when it is taken,
//! and what is left at the end is kept as it was written.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use bytes::Bytes;

use super::json::{ScanError, plain_str, scan_array, scan_object};
use super::json_text::{self, decoded};
use super::neutral::{Dialect, Extension, Extensions, Raw, Text};

/// Most fields of one object.
const MAX_FIELDS: usize = 10_000;

/// Where a value stands, from the body inwards. Costs nothing until it is shown.
#[derive(Clone, Copy, Debug)]
pub enum Path<'a> {
    Body,
    /// A body whose texts are shared, not copied.
    Shared(&'a Bytes),
    Field(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    pub fn field(&'a self, name: &'a str) -> Path<'a> {
        Path::Field(self, name)
    }

    pub fn item(&'a self, index: usize) -> Path<'a> {
        Path::Item(self, index)
    }

    /// A part of the body: shared where the body is, else a copy.
    fn share(&self, part: &[u8]) -> Bytes {
        let mut outer = self;
        loop {
            match outer {
                Path::Field(path, _) | Path::Item(path, _) => outer = path,
                Path::Body => return Bytes::copy_from_slice(part),
                Path::Shared(body) => {
                    let start = (part.as_ptr() as usize).checked_sub(body.as_ptr() as usize);
                    let range = start.and_then(|start| Some(start..start.checked_add(part.len())?));
                    return match range.filter(|range| range.end <= body.len()) {
                        Some(range) => body.slice(range),
                        None => Bytes::copy_from_slice(part),
                    };
                }
            }
        }
    }

    /// The value here must be something else: `expected` names what, with its article.
    pub fn expected(&self, expected: &'static str) -> DecodeError {
        DecodeError {
            path: self.to_string(),
            problem: Problem::Expected(expected),
        }
    }

    pub fn missing(&self, field: &str) -> DecodeError {
        DecodeError {
            path: self.field(field).to_string(),
            problem: Problem::Missing,
        }
    }
}

impl fmt::Display for Path<'_> {
    /// `messages.0.content`, as Anthropic's and OpenAI's clients know it; `body` for all of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body | Self::Shared(_) => f.write_str("body"),
            Self::Field(Path::Body | Path::Shared(_), name) => f.write_str(name),
            Self::Field(outer, name) => write!(f, "{outer}.{name}"),
            Self::Item(outer, index) => write!(f, "{outer}.{index}"),
        }
    }
}

/// A value from outside that cannot be read. Says where and what would be right, never what stood there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct DecodeError {
    /// As [`Path`] shows it.
    pub path: String,
    pub problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("field required")]
    Missing,
    #[error("expected {0}")]
    Expected(&'static str),
    #[error("{0}")]
    Json(#[from] ScanError),
}

/// The fields of one object that have not been taken yet.
#[derive(Debug)]
pub struct Fields<'a> {
    fields: Vec<(Cow<'a, str>, &'a [u8])>,
}

impl<'a> Fields<'a> {
    /// Reads an object. A key that stands twice counts as it stands last; `null` is as if it were missing.
    pub fn read(object: &'a [u8], at: &Path<'_>) -> Result<Self, DecodeError> {
        let mut fields = Vec::new();
        let mut unreadable = false;
        let scanned = scan_object(object, |field| {
            let quoted = field.start()..field.key.end + 1;
            let key = match plain_str(object, &quoted) {
                Some(key) => Some(Cow::Borrowed(key)),
                None => decoded(&object[quoted]).map(Cow::Owned),
            };
            match key {
                Some(key) if fields.len() < MAX_FIELDS => fields.push((key, &object[field.value])),
                _ => unreadable = true,
            }
        });
        match scanned {
            Ok(_) if unreadable => Err(at.expected("an object of at most 10000 readable keys")),
            Ok(_) => Ok(Self { fields }),
            Err(ScanError::NotAnObject) => Err(at.expected("an object")),
            Err(error) => Err(DecodeError {
                path: at.to_string(),
                problem: error.into(),
            }),
        }
    }

    /// Takes a field out, as it is written.
    pub fn take(&mut self, name: &str) -> Option<&'a [u8]> {
        let mut found = None;
        if self.fields.iter().any(|(key, _)| key == name) {
            self.fields.retain(|(key, value)| {
                let is_it = key == name;
                if is_it {
                    found = Some(*value);
                }
                !is_it
            });
        }
        found.filter(|value| *value != b"null")
    }

    /// Takes a field out if it is a string.
    pub fn take_text(&mut self, name: &str) -> Option<&'a [u8]> {
        self.take(name).filter(|value| value.first() == Some(&b'"'))
    }

    /// What has not been taken, as it is written.
    pub fn untaken(&self) -> impl Iterator<Item = (&str, &'a [u8])> {
        let fields = self.fields.iter();
        fields
            .filter(|(_, value)| *value != b"null")
            .map(|(name, value)| (name.as_ref(), *value))
    }

    /// The field stands there, whatever its value.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(key, _)| key == name)
    }

    pub fn text(&mut self, name: &str, at: &Path<'_>) -> Result<Option<String>, DecodeError> {
        let value = self.take(name);
        value.map(|value| text(value, &at.field(name))).transpose()
    }

    pub fn required_text(&mut self, name: &str, at: &Path<'_>) -> Result<String, DecodeError> {
        self.text(name, at)?.ok_or_else(|| at.missing(name))
    }

    /// A text that is only carried.
    pub fn required_said(&mut self, name: &str, at: &Path<'_>) -> Result<Text, DecodeError> {
        let value = self.take(name).ok_or_else(|| at.missing(name))?;
        said(value, &at.field(name))
    }

    /// A whole number; one written as a float is rounded.
    pub fn whole(&mut self, name: &str, at: &Path<'_>) -> Result<Option<u64>, DecodeError> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let whole = serde_json::from_slice::<u64>(value).ok();
        let whole = whole.or_else(|| {
            let number = serde_json::from_slice::<f64>(value).ok()?;
            (0.0..9e15).contains(&number).then(|| number.round() as u64)
        });
        let wrong = || at.field(name).expected("a whole number, zero or more");
        whole.map(Some).ok_or_else(wrong)
    }

    /// A number as it is written.
    pub fn number(&mut self, name: &str, at: &Path<'_>) -> Result<Option<Raw>, DecodeError> {
        let Some(raw) = self.raw(name, at)? else {
            return Ok(None);
        };
        match raw.as_bytes().first() {
            Some(b'-' | b'0'..=b'9') => Ok(Some(raw)),
            _ => Err(at.field(name).expected("a number")),
        }
    }

    pub fn truth(&mut self, name: &str, at: &Path<'_>) -> Result<Option<bool>, DecodeError> {
        match self.take(name) {
            None => Ok(None),
            Some(b"true") => Ok(Some(true)),
            Some(b"false") => Ok(Some(false)),
            Some(_) => Err(at.field(name).expected("true or false")),
        }
    }

    /// Any value, checked to be JSON.
    pub fn raw(&mut self, name: &str, at: &Path<'_>) -> Result<Option<Raw>, DecodeError> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let wrong = || at.field(name).expected("a JSON value");
        Raw::parse(value).map(Some).ok_or_else(wrong)
    }

    /// The fields of an inner object.
    pub fn object(&mut self, name: &str, at: &Path<'_>) -> Result<Option<Fields<'a>>, DecodeError> {
        let value = self.take(name);
        value
            .map(|value| Fields::read(value, &at.field(name)))
            .transpose()
    }

    /// The items of an array.
    pub fn array(
        &mut self,
        name: &str,
        at: &Path<'_>,
    ) -> Result<Option<Vec<&'a [u8]>>, DecodeError> {
        let value = self.take(name);
        value.map(|value| items(value, &at.field(name))).transpose()
    }

    pub fn texts(&mut self, name: &str, at: &Path<'_>) -> Result<Vec<String>, DecodeError> {
        let at = at.field(name);
        let Some(value) = self.take(name) else {
            return Ok(Vec::new());
        };
        let items = items(value, &at)?;
        let texts = items.iter().enumerate();
        texts
            .map(|(index, item)| text(item, &at.item(index)))
            .collect()
    }

    /// What nobody took, as it is written, in order.
    pub fn rest(self, dialect: Dialect, at: &Path<'_>) -> Result<Extensions, DecodeError> {
        let mut seen = HashSet::new();
        let mut extensions = Vec::new();
        for (name, value) in self.fields.into_iter().rev() {
            if value == b"null" || !seen.insert(name.clone()) {
                continue;
            }
            let value = Raw::parse(value);
            let value = value.ok_or_else(|| at.field(&name).expected("a JSON value"))?;
            extensions.push(Extension {
                dialect,
                name: name.into_owned(),
                value,
            });
        }
        extensions.reverse();
        Ok(Extensions(extensions))
    }
}

/// The text of a JSON string.
pub fn text(value: &[u8], at: &Path<'_>) -> Result<String, DecodeError> {
    decoded(value).ok_or_else(|| at.expected("a string"))
}

/// The same, not decoded: a text that is only carried.
pub fn said(value: &[u8], at: &Path<'_>) -> Result<Text, DecodeError> {
    let inner = json_text::checked(value).ok_or_else(|| at.expected("a string"))?;
    Ok(Text::written(at.share(inner.as_bytes())))
}

/// The items of an array, as they are written.
pub fn items<'a>(value: &'a [u8], at: &Path<'_>) -> Result<Vec<&'a [u8]>, DecodeError> {
    let mut items = Vec::new();
    if value.first() != Some(&b'[') {
        return Err(at.expected("an array"));
    }
    scan_array(value, |item| items.push(&value[item])).map_err(|error| DecodeError {
        path: at.to_string(),
        problem: error.into(),
    })?;
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_taken_once_and_the_rest_is_kept() {
        let body = br#"{"a":"x\n","n":2.6,"b":true,"a":"y","x":{"z" : 1e2},"none":null,"l":["p"],"x":[1]}"#;
        let mut fields = Fields::read(body, &Path::Body).unwrap();
        let at = Path::Body;
        assert_eq!(fields.text("a", &at), Ok(Some("y".to_owned())));
        assert_eq!(fields.text("a", &at), Ok(None));
        assert_eq!(fields.whole("n", &at), Ok(Some(3)));
        assert_eq!(fields.truth("b", &at), Ok(Some(true)));
        assert_eq!(fields.texts("l", &at), Ok(vec!["p".to_owned()]));
        let rest = fields.rest(Dialect::Anthropic, &at).unwrap();
        assert_eq!(rest.0.len(), 1);
        assert_eq!(rest.0[0].value.as_str(), "[1]");
    }

    #[test]
    fn texts_are_shared_with_their_body() {
        let body = Bytes::from_static(br#"{"text":"a\nb"}"#);
        let read = |at: &Path<'_>| {
            let mut fields = Fields::read(&body, at).unwrap();
            let inner = fields.take("text").unwrap();
            said(inner, at).unwrap()
        };
        assert_eq!(read(&Path::Shared(&body)), read(&Path::Body));
        let inside = Path::Shared(&body).share(&body[9..13]);
        assert_eq!(inside.as_ptr(), body[9..].as_ptr());
        let elsewhere = Path::Shared(&body).share(b"other");
        assert_eq!(&elsewhere[..], b"other");
    }

    #[test]
    fn errors_name_the_place() {
        let at = Path::Body;
        let messages = at.field("messages");
        let message = messages.item(3);
        let read = |body: &'static [u8]| Fields::read(body, &message);
        let error = read(br#"{"role":1}"#).unwrap().text("role", &message);
        assert_eq!(
            error.unwrap_err().to_string(),
            "messages.3.role: expected a string"
        );
        let error = read(b"{}").unwrap().required_text("role", &message);
        assert_eq!(
            error.unwrap_err().to_string(),
            "messages.3.role: field required"
        );
        assert_eq!(
            read(b"[]").unwrap_err().to_string(),
            "messages.3: expected an object"
        );
        assert_eq!(
            Fields::read(b"{", &at).unwrap_err().to_string(),
            "body: invalid JSON at byte 1"
        );
        for (body, name) in [
            (&br#"{"n":-1}"#[..], "n"),
            (br#"{"n":"1"}"#, "n"),
            (br#"{"n":1e300}"#, "n"),
        ] {
            let mut fields = Fields::read(body, &at).unwrap();
            assert!(fields.whole(name, &at).is_err());
        }
        let mut fields = Fields::read(br#"{"x":tru,"y":"1"}"#, &at).unwrap();
        assert!(fields.raw("x", &at).is_err());
        assert!(fields.number("y", &at).is_err());
    }
}
