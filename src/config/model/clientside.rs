//! `configurable_clientside_auth_params`: `["api_key", {"api_base": "<regular expression>"}]`.

use regex::Regex;

use crate::config::read::{Section, scalar_text};
use crate::config::yaml::{Node, Value};
use crate::policy::client_access;

/// One field that callers may send.
#[derive(Clone, Debug)]
pub enum ClientsideParam {
    ApiKey,
    ExtraHeaders,
    /// Any public address.
    ApiBase,
    /// Addresses that the pattern fits as a whole.
    ApiBaseLike(Regex),
}

impl PartialEq for ClientsideParam {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::ApiBaseLike(one), Self::ApiBaseLike(other)) => one.as_str() == other.as_str(),
            (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
        }
    }
}

const KEY: &str = "configurable_clientside_auth_params";

/// The fields that a section lists; what cannot be allowed is reported.
pub fn read(section: &Section<'_>) -> Vec<ClientsideParam> {
    let Some(node) = section.value(KEY) else {
        return Vec::new();
    };
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    items.iter().flat_map(|item| one(section, item)).collect()
}

fn one(section: &Section<'_>, item: &Node) -> Vec<ClientsideParam> {
    let wrong = |what: &str| {
        section.expected(KEY, item, what);
        Vec::new()
    };
    if let Value::Map(entries) = &item.value {
        let pattern = |text: String| match client_access::whole(&text) {
            Ok(pattern) => vec![ClientsideParam::ApiBaseLike(pattern)],
            Err(_) => wrong("a regular expression for `api_base`"),
        };
        return match entries.as_slice() {
            [entry] if is_base(&entry.key) => {
                scalar_text(&entry.value).map_or_else(|| wrong("a regular expression"), pattern)
            }
            _ => wrong("`api_base` with a regular expression"),
        };
    }
    match scalar_text(item).as_deref() {
        Some("api_key") => vec![ClientsideParam::ApiKey],
        Some("extra_headers") => vec![ClientsideParam::ExtraHeaders],
        Some(name) if is_base(name) => vec![ClientsideParam::ApiBase],
        _ => {
            wrong("`api_key`, `api_base`, `extra_headers`, or `api_base` with a regular expression")
        }
    }
}

fn is_base(name: &str) -> bool {
    ["api_base", "base_url"].contains(&name)
}
