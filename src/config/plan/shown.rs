//! What a plan may show of a value.

use std::fmt;

use serde_json::Value as Json;

use crate::config::redact::{is_secret_path, may_be_shown};
use crate::config::yaml::{Node, Value};

/// Longer texts are cut.
const LONGEST: usize = 100;

/// A field that differs.
#[derive(Debug)]
pub struct Change {
    /// Such as `router_settings.num_retries`.
    pub path: String,
    before: Shown,
    after: Shown,
}

#[derive(Debug)]
enum Shown {
    Absent,
    /// A secret, or what may be one.
    Hidden,
    Text(String),
}

impl Change {
    /// `None` in the place of a node: the field is not there.
    pub fn of(path: &str, before: Option<&Node>, after: Option<&Node>) -> Self {
        Self {
            path: path.to_owned(),
            before: Shown::of(path, before),
            after: Shown::of(path, after),
        }
    }

    /// Of texts that are no secret.
    pub fn of_texts(path: &str, before: Option<&str>, after: Option<&str>) -> Self {
        let shown =
            |text: Option<&str>| text.map_or(Shown::Absent, |text| Shown::Text(text.to_owned()));
        Self {
            path: path.to_owned(),
            before: shown(before),
            after: shown(after),
        }
    }
}

impl Shown {
    fn of(path: &str, node: Option<&Node>) -> Self {
        let Some(node) = node.filter(|node| !node.is_null() || node.variable.is_some()) else {
            return Self::Absent;
        };
        let name = path.rsplit('.').next().unwrap_or(path);
        match json(node) {
            Some(json) if !is_secret_path(path) && may_be_shown(name, &json) => {
                Self::Text(cut(&json))
            }
            // A variable's name is no secret, whatever it holds.
            _ => match &node.variable {
                Some(variable) => Self::Text(format!("os.environ/{variable}")),
                None => Self::Hidden,
            },
        }
    }
}

/// The node with names of variables in the place of what they hold.
fn json(node: &Node) -> Option<Json> {
    if let Some(variable) = &node.variable {
        return Some(format!("os.environ/{variable}").into());
    }
    Some(match &node.value {
        Value::List(items) => Json::Array(items.iter().map(json).collect::<Option<_>>()?),
        Value::Map(entries) => {
            let fields = entries.iter();
            let fields = fields.map(|entry| Some((entry.key.clone(), json(&entry.value)?)));
            Json::Object(fields.collect::<Option<_>>()?)
        }
        _ => node.to_json()?,
    })
}

fn cut(json: &Json) -> String {
    let text = json
        .as_str()
        .map_or_else(|| json.to_string(), str::to_owned);
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// An address without what may be secret in it.
pub fn address(base: &str) -> Option<&str> {
    let base = base
        .split(['?', '#'])
        .next()
        .filter(|base| !base.is_empty())?;
    may_be_shown("", &base.into()).then_some(base)
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        match (&self.before, &self.after) {
            (Shown::Hidden, Shown::Hidden) => f.write_str("another value (not shown)"),
            (Shown::Absent, Shown::Hidden) => f.write_str("not set → a value (not shown)"),
            (Shown::Hidden, Shown::Absent) => f.write_str("a value (not shown) → not set"),
            (before, after) => write!(f, "{before} → {after}"),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "not set",
            Self::Hidden => "a value (not shown)",
            Self::Text(text) => text,
        })
    }
}
