//! Lists of fallbacks as JSON has them: in a request, in the settings of a key or a team.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::lists::{List, Target, Targets};
use crate::protocol::openai::request::{may_be_replaced, refused_within};

/// Most fallbacks that one list may name.
const MOST_TARGETS: usize = 50;
/// Longest name of a group, in bytes.
const MOST_NAME: usize = 512;

/// Why a value is no list of fallbacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListError {
    /// What would be one.
    Expected(&'static str),
    /// It has something that a caller may not send.
    Refused(String),
}

const SHAPE: ListError = ListError::Expected(
    "a list of models, each a name or a map of `model` and the fields to replace, or a list of maps \
     `{model: [fallback, …]}`; at most 50 fallbacks",
);

impl List {
    /// Reads a list: of targets, for the group that is asked, or of maps of groups to targets.
    pub fn from_json(value: Value) -> Result<Self, ListError> {
        let Value::Array(items) = value else {
            return Err(SHAPE);
        };
        let is_plain = items.iter().all(|item| match item {
            Value::String(_) => true,
            Value::Object(map) => map.get("model").is_some_and(Value::is_string),
            _ => false,
        });
        let mut left = MOST_TARGETS;
        if is_plain {
            return targets(items, &mut left).map(Self::Plain);
        }
        let mut groups: Vec<(Arc<str>, Targets)> = Vec::new();
        for item in items {
            let Value::Object(map) = item else {
                return Err(SHAPE);
            };
            for (group, list) in map {
                let items = match list {
                    Value::Array(items) => items,
                    name @ Value::String(_) => vec![name],
                    _ => return Err(SHAPE),
                };
                groups.push((group.into(), targets(items, &mut left)?));
            }
        }
        if groups.len() > MOST_TARGETS {
            return Err(SHAPE);
        }
        Ok(Self::ByGroup(groups))
    }
}

fn targets(items: Vec<Value>, left: &mut usize) -> Result<Targets, ListError> {
    *left = left.checked_sub(items.len()).ok_or(SHAPE)?;
    let mut targets = Vec::with_capacity(items.len());
    for item in items {
        let target = match item {
            Value::String(name) => Target::plain(name),
            Value::Object(map) => with_fields(map)?,
            _ => return Err(SHAPE),
        };
        if target.model.is_empty() || target.model.len() > MOST_NAME {
            return Err(SHAPE);
        }
        if target.model.contains("://") {
            return Err(ListError::Refused("an address".to_owned()));
        }
        targets.push(target);
    }
    Ok(targets.into())
}

/// A map of `model` and the fields that the request has otherwise there.
fn with_fields(mut map: Map<String, Value>) -> Result<Target, ListError> {
    let Some(Value::String(model)) = map.remove("model") else {
        return Err(ListError::Expected(
            "made of names, or of maps with `model`",
        ));
    };
    let raw = Value::Object(map.clone()).to_string();
    if let Some(refused) = refused_within(raw.as_bytes()) {
        return Err(ListError::Refused(refused));
    }
    if !map.keys().all(|name| may_be_replaced(name)) {
        return Err(ListError::Expected(
            "made of names, or of maps with `model` and parameters for the model: what is meant for the gateway \
             (time limits, retries, keys, metadata) and `stream` hold for the whole request",
        ));
    }
    let overrides = map
        .into_iter()
        .map(|(name, value)| (name, value.to_string().into_bytes()))
        .collect();
    Ok(Target {
        overrides,
        ..Target::plain(model)
    })
}
