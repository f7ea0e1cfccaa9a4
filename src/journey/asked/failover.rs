//! What a request says about fallbacks: lists of its own, none at all, or a rehearsal of a failure.

use std::sync::Arc;

use serde_json::Value;

use super::Body;
use super::rules::Rules;
use crate::policy::fallback::{Fallbacks, List, Target, Targets};
use crate::policy::upstream_error::ErrorClass;
use crate::protocol::openai::request::{RequestError, may_be_replaced, refused_within};

/// Most fallbacks that one request may name.
const MOST_TARGETS: usize = 50;
/// Longest name of a group, in bytes.
const MOST_NAME: usize = 512;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailoverWishes {
    /// They take the place of the configuration's, list by list.
    pub lists: Fallbacks,
    /// `disable_fallbacks`.
    pub disabled: bool,
    pub rehearsal: Option<Rehearsal>,
}

/// A failure that the first call of a request pretends: the `mock_testing_…` fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rehearsal {
    pub class: ErrorClass,
    /// The group has failed for good: its fallbacks are next. Otherwise its retries are.
    pub is_final: bool,
}

/// The flags, and what each pretends.
const REHEARSALS: [(&str, Rehearsal); 4] = [
    (
        "mock_testing_fallbacks",
        Rehearsal {
            class: ErrorClass::InternalServerError,
            is_final: true,
        },
    ),
    (
        "mock_testing_context_fallbacks",
        Rehearsal {
            class: ErrorClass::ContextWindowExceededError,
            is_final: true,
        },
    ),
    (
        "mock_testing_content_policy_fallbacks",
        Rehearsal {
            class: ErrorClass::ContentPolicyViolationError,
            is_final: true,
        },
    ),
    (
        "mock_testing_rate_limit_error",
        Rehearsal {
            class: ErrorClass::RateLimitError,
            is_final: false,
        },
    ),
];

const LISTS: [&str; 3] = [
    "fallbacks",
    "context_window_fallbacks",
    "content_policy_fallbacks",
];
const DISABLE: &str = "disable_fallbacks";

/// The fields of a body; none when it has none of them.
pub fn read(body: &Body<'_>, rules: &Rules) -> Result<Option<Box<FailoverWishes>>, RequestError> {
    let flags = REHEARSALS.map(|(field, _)| field);
    if !body.0.addresses_any(&LISTS)
        && !body.0.addresses_any(&flags)
        && !body.0.addresses_any(&[DISABLE])
    {
        return Ok(None);
    }
    let mut wishes = FailoverWishes {
        disabled: flag(body, DISABLE)?,
        ..FailoverWishes::default()
    };
    for (field, rehearsal) in REHEARSALS {
        if flag(body, field)? && wishes.rehearsal.is_none() {
            if !rules.mock_testing {
                return Err(RequestError::WrongType {
                    field,
                    expected: "left out: general_settings.dangerously_allow_mock_testing_request_params is not set",
                });
            }
            wishes.rehearsal = Some(rehearsal);
        }
    }
    let lists = LISTS.map(|field| list(body, field));
    let [general, context_window, content_policy] = lists;
    wishes.lists = Fallbacks {
        general: general?,
        context_window: context_window?,
        content_policy: content_policy?,
        larger_windows: Vec::new(),
    };
    Ok((wishes != FailoverWishes::default()).then(|| Box::new(wishes)))
}

fn flag(body: &Body<'_>, field: &'static str) -> Result<bool, RequestError> {
    match body.json(field)? {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(flag),
        Some(_) => Err(RequestError::WrongType {
            field,
            expected: "true or false",
        }),
    }
}

fn list(body: &Body<'_>, field: &'static str) -> Result<Option<List>, RequestError> {
    let Some(value) = body.json(field)? else {
        return Ok(None);
    };
    let wrong = || RequestError::WrongType {
        field,
        expected: "a list of models, each a name or a map of `model` and the fields to replace, or a list of maps \
                   `{model: [fallback, …]}`; at most 50 fallbacks",
    };
    let Value::Array(items) = value else {
        return Err(wrong());
    };
    let is_plain = items.iter().all(|item| match item {
        Value::String(_) => true,
        Value::Object(map) => map.get("model").is_some_and(Value::is_string),
        _ => false,
    });
    let mut left = MOST_TARGETS;
    if is_plain {
        let plain = targets(items, field, &mut left)?;
        return plain
            .map(|plain| Some(List::Plain(plain)))
            .ok_or_else(wrong);
    }
    let mut groups: Vec<(Arc<str>, Targets)> = Vec::new();
    for item in items {
        let Value::Object(map) = item else {
            return Err(wrong());
        };
        for (group, list) in map {
            let items = match list {
                Value::Array(items) => items,
                name @ Value::String(_) => vec![name],
                _ => return Err(wrong()),
            };
            let targets = targets(items, field, &mut left)?.ok_or_else(wrong)?;
            groups.push((group.into(), targets));
        }
    }
    if groups.len() > MOST_TARGETS {
        return Err(wrong());
    }
    Ok(Some(List::ByGroup(groups)))
}

/// `None` when they are no targets, or too many.
fn targets(
    items: Vec<Value>,
    field: &'static str,
    left: &mut usize,
) -> Result<Option<Targets>, RequestError> {
    let Some(rest) = left.checked_sub(items.len()) else {
        return Ok(None);
    };
    *left = rest;
    let mut targets = Vec::with_capacity(items.len());
    for item in items {
        let target = match item {
            Value::String(name) => Target::plain(name),
            Value::Object(map) => with_fields(map, field)?,
            _ => return Ok(None),
        };
        if target.model.is_empty() || target.model.len() > MOST_NAME {
            return Ok(None);
        }
        if target.model.contains("://") {
            return Err(RequestError::Refused(format!("{field} (an address)")));
        }
        targets.push(target);
    }
    Ok(Some(targets.into()))
}

/// A map of `model` and the fields that the request has otherwise there.
fn with_fields(
    mut map: serde_json::Map<String, Value>,
    field: &'static str,
) -> Result<Target, RequestError> {
    let Some(Value::String(model)) = map.remove("model") else {
        return Err(RequestError::WrongType {
            field,
            expected: "made of names, or of maps with `model`",
        });
    };
    let raw = Value::Object(map.clone()).to_string();
    if let Some(refused) = refused_within(raw.as_bytes()) {
        return Err(RequestError::Refused(refused));
    }
    if !map.keys().all(|name| may_be_replaced(name)) {
        return Err(RequestError::WrongType {
            field,
            expected: "made of names, or of maps with `model` and parameters for the model: what is meant for the gateway \
                       (time limits, retries, keys, metadata) and `stream` hold for the whole request",
        });
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
