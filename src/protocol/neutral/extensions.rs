//! JSON that is carried as it was written.

use std::fmt;

use serde_json::value::RawValue;

/// A protocol, as the one who said something that only it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    Chat,
    Anthropic,
    /// OpenAI's Responses API.
    Responses,
}

/// One JSON value, byte for byte. Checked once, when it is made.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Raw(Box<str>);

impl Raw {
    /// `None` for what is no JSON value, or more than one.
    pub fn parse(json: &[u8]) -> Option<Self> {
        let raw: &RawValue = serde_json::from_slice(json).ok()?;
        Some(Self(raw.get().into()))
    }

    pub fn of_text(text: &str) -> Self {
        let mut json = Vec::with_capacity(text.len() + 2);
        crate::protocol::json_write::text(&mut json, text);
        Self(String::from_utf8(json).unwrap_or_default().into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The value is an object.
    pub fn is_object(&self) -> bool {
        self.0.starts_with('{')
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A field that only one protocol knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    pub dialect: Dialect,
    pub name: String,
    pub value: Raw,
}

/// Such fields, in the order they were written. No name stands twice in one dialect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions(pub Vec<Extension>);

impl Extensions {
    /// Those of one dialect.
    pub fn of(&self, dialect: Dialect) -> impl Iterator<Item = &Extension> + Clone {
        let own = move |extension: &&Extension| extension.dialect == dialect;
        self.0.iter().filter(own)
    }

    /// Those of all others.
    pub fn foreign(&self, dialect: Dialect) -> impl Iterator<Item = &Extension> + Clone {
        let other = move |extension: &&Extension| extension.dialect != dialect;
        self.0.iter().filter(other)
    }

    pub fn get(&self, dialect: Dialect, name: &str) -> Option<&Raw> {
        let found = self.of(dialect).find(|extension| extension.name == name);
        found.map(|extension| &extension.value)
    }

    /// Takes one out.
    pub fn take(&mut self, dialect: Dialect, name: &str) -> Option<Raw> {
        let is_it = |own: &Extension| own.dialect == dialect && own.name == name;
        let place = self.0.iter().position(is_it)?;
        Some(self.0.remove(place).value)
    }
}
