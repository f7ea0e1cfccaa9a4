//! The tree.

/// A place in the text of a file; line and column from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pos {
    /// Which of the files that make up a configuration, from 0.
    pub file: u16,
    pub line: u32,
    pub column: u32,
}

impl Pos {
    pub const START: Self = Self::first_of(0);

    /// The beginning of a file.
    pub const fn first_of(file: u16) -> Self {
        Self {
            file,
            line: 1,
            column: 1,
        }
    }
}

/// A value and where it stands. Has no `Debug`: it may hold a secret.
#[derive(Clone)]
pub struct Node {
    pub pos: Pos,
    pub value: Value,
    /// The variable this value was read from (`os.environ/NAME`).
    pub variable: Option<Box<str>>,
}

#[derive(Clone)]
pub enum Value {
    Null,
    Bool(bool),
    /// `written` is the text of the file, so that prices stay exact.
    Int {
        value: i128,
        written: String,
    },
    Float {
        value: f64,
        written: String,
    },
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One `key: value` of a map. Keys are text as written; no two entries of a map share one.
#[derive(Clone)]
pub struct Entry {
    pub key: String,
    pub key_pos: Pos,
    pub value: Node,
}

impl Node {
    pub fn new(pos: Pos, value: Value) -> Self {
        Self {
            pos,
            value,
            variable: None,
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// The entry of a map; `None` too when this is no map.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The node of JSON, all of it at `pos`.
    pub fn of_json(json: &serde_json::Value, pos: Pos) -> Self {
        use serde_json::Value as Json;
        let value = match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => {
                let written = number.to_string();
                match (number.as_i64(), number.as_u64(), number.as_f64()) {
                    (Some(value), _, _) => Value::Int {
                        value: value.into(),
                        written,
                    },
                    (_, Some(value), _) => Value::Int {
                        value: value.into(),
                        written,
                    },
                    (_, _, value) => Value::Float {
                        value: value.unwrap_or(f64::NAN),
                        written,
                    },
                }
            }
            Json::String(text) => Value::Text(text.clone()),
            Json::Array(items) => {
                Value::List(items.iter().map(|item| Self::of_json(item, pos)).collect())
            }
            Json::Object(fields) => {
                let entry = |(key, value): (&String, &Json)| Entry {
                    key: key.clone(),
                    key_pos: pos,
                    value: Self::of_json(value, pos),
                };
                Value::Map(fields.iter().map(entry).collect())
            }
        };
        Self::new(pos, value)
    }

    /// JSON with the same content. What JSON cannot say, an infinite or undefined number, is `None`.
    pub fn to_json(&self) -> Option<serde_json::Value> {
        use serde_json::Value as Json;
        Some(match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Int { value, .. } => match (i64::try_from(*value), u64::try_from(*value)) {
                (Ok(value), _) => value.into(),
                (_, Ok(value)) => value.into(),
                _ => serde_json::Number::from_f64(*value as f64).map(Json::Number)?,
            },
            Value::Float { value, .. } => serde_json::Number::from_f64(*value).map(Json::Number)?,
            Value::Text(text) => Json::String(text.clone()),
            Value::List(items) => {
                Json::Array(items.iter().map(Self::to_json).collect::<Option<_>>()?)
            }
            Value::Map(entries) => Json::Object(
                entries
                    .iter()
                    .map(|entry| Some((entry.key.clone(), entry.value.to_json()?)))
                    .collect::<Option<_>>()?,
            ),
        })
    }

    /// Levels of lists and maps below and including this node; a scalar has none.
    pub(super) fn height(&self) -> usize {
        match &self.value {
            Value::List(items) => 1 + items.iter().map(Self::height).max().unwrap_or(0),
            Value::Map(entries) => {
                1 + entries
                    .iter()
                    .map(|entry| entry.value.height())
                    .max()
                    .unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// About the bytes of memory a copy takes.
    pub(super) fn weight(&self) -> usize {
        const NODE: usize = 128;
        NODE + match &self.value {
            Value::Text(text) => text.len(),
            Value::Int { written, .. } | Value::Float { written, .. } => written.len(),
            Value::List(items) => items.iter().map(Self::weight).sum(),
            Value::Map(entries) => entries
                .iter()
                .map(|entry| entry.key.len() + entry.value.weight())
                .sum(),
            Value::Null | Value::Bool(_) => 0,
        }
    }
}
