//! Tags: `!!str 1` and its like. A configuration needs no others, and a tag must never make anything run.

use saphyr_parser::Tag;

use super::error::{SyntaxError, refuse};
use super::scalar;
use super::{Pos, Value};

/// The value of a scalar with a tag.
pub fn tagged(tag: &Tag, text: &str, pos: Pos) -> Result<Value, SyntaxError> {
    let written = || text.to_owned();
    let value = match (tag.is_yaml_core_schema(), tag.suffix.as_str()) {
        (true, "str") | (false, "") => Some(Value::Text(written())),
        (true, "null") => Some(Value::Null),
        (true, "int") => scalar::int(text).map(|value| Value::Int {
            value,
            written: written(),
        }),
        (true, "float") => {
            let value = scalar::float(text)
                .or_else(|| text.parse().ok().filter(|_| scalar::is_decimal(text)));
            value.map(|value| Value::Float {
                value,
                written: written(),
            })
        }
        (true, "bool") => match scalar::plain(text) {
            Value::Bool(value) => Some(Value::Bool(value)),
            _ => None,
        },
        _ => {
            return refuse(
                pos,
                "unknown tag; `!!str`, `!!int`, `!!float`, `!!bool` and `!!null` are understood",
            );
        }
    };
    match value {
        Some(value) => Ok(value),
        None => refuse(pos, format!("the text after `!!{}` is none", tag.suffix)),
    }
}

/// Lets only the tag pass that a list or map has anyway.
pub fn collection_tag(tag: Option<&Tag>, expected: &str, pos: Pos) -> Result<(), SyntaxError> {
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == expected) => refuse(
            pos,
            format!("unknown tag; only `!!{expected}` is understood here"),
        ),
        _ => Ok(()),
    }
}
