//! A JSON schema as Anthropic's structured outputs take it.
//!
//! Keywords they do not know are told in the description instead, so that the model still sees them; `oneOf` becomes `anyOf`;
//! every object closes itself with `additionalProperties: false`. Order is kept, for the model writes in that order.

use crate::protocol::json_fields::{Fields, Path, items};
use crate::protocol::json_write::{self, Object};
use crate::protocol::neutral::{Dialect, Extension, Raw};

/// Deeper ones are passed as they are.
const DEEPEST: u32 = 64;

const TOLD: [&str; 30] = [
    "minItems",
    "maxItems",
    "uniqueItems",
    "contains",
    "minContains",
    "maxContains",
    "prefixItems",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minProperties",
    "maxProperties",
    "patternProperties",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "unevaluatedProperties",
    "unevaluatedItems",
    "additionalItems",
    "if",
    "then",
    "else",
    "not",
    "contentEncoding",
    "contentMediaType",
];

/// The schema in that form.
pub fn fitted(schema: &Raw) -> Vec<u8> {
    let mut out = Vec::with_capacity(schema.as_bytes().len() + 64);
    fit(&mut out, schema.as_bytes(), 0);
    out
}

fn fit(out: &mut Vec<u8>, schema: &[u8], depth: u32) {
    let fields = Fields::read(schema, &Path::Body).and_then(|fields| {
        // Whose dialect it is does not matter here.
        fields.rest(Dialect::Anthropic, &Path::Body)
    });
    let Ok(fields) = fields else {
        return out.extend_from_slice(schema);
    };
    if depth > DEEPEST {
        return out.extend_from_slice(schema);
    }
    let fields = fields.0;
    let told = told(&fields);
    let is_object = fields.iter().any(|field| {
        field.name == "properties" || (field.name == "type" && field.value.as_str() == "\"object\"")
    });
    json_write::object(out, |out| {
        for field in &fields {
            write(out, field, depth);
        }
        if let Some(told) = &told {
            out.text("description", told);
        }
        if is_object {
            out.truth("additionalProperties", false);
        }
    });
}

fn write(out: &mut Object<'_>, field: &Extension, depth: u32) {
    let value = field.value.as_bytes();
    match field.name.as_str() {
        // Written at the end.
        "description" | "additionalProperties" => {}
        name if TOLD.contains(&name) => {}
        "oneOf" | "anyOf" => schemas(out, "anyOf", value, depth),
        "allOf" => schemas(out, "allOf", value, depth),
        "items" => {
            let mut inner = Vec::new();
            fit(&mut inner, value, depth + 1);
            out.raw("items", &inner);
        }
        name @ ("properties" | "$defs" | "definitions") => named(out, name, value, depth),
        name => out.raw(name, value),
    }
}

fn schemas(out: &mut Object<'_>, name: &str, value: &[u8], depth: u32) {
    let Ok(items) = items(value, &Path::Body) else {
        return out.raw(name, value);
    };
    out.array(name, |out| {
        for item in items {
            let mut inner = Vec::new();
            fit(&mut inner, item, depth + 1);
            out.raw(&inner);
        }
    });
}

fn named(out: &mut Object<'_>, name: &str, value: &[u8], depth: u32) {
    let fields = Fields::read(value, &Path::Body)
        .and_then(|fields| fields.rest(Dialect::Anthropic, &Path::Body));
    let Ok(fields) = fields else {
        return out.raw(name, value);
    };
    out.object(name, |out| {
        for field in fields.0 {
            let mut inner = Vec::new();
            fit(&mut inner, field.value.as_bytes(), depth + 1);
            out.raw(&field.name, &inner);
        }
    });
}

/// The description, with what is told in it.
fn told(fields: &[Extension]) -> Option<String> {
    let mut told: Vec<String> = Vec::new();
    for field in fields {
        if field.name == "description" {
            let text: Option<String> = serde_json::from_str(field.value.as_str()).ok();
            told.splice(0..0, text);
        } else if TOLD.contains(&field.name.as_str()) {
            told.push(format!("({}: {})", field.name, field.value.as_str()));
        }
    }
    (!told.is_empty()).then(|| told.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_fitted() {
        for (schema, expected) in [
            (
                r#"{"type":"object","properties":{"z":{"type":"integer","minimum":1,"description":"A count."},"a":{"type":"array","items":{"type":"string","maxLength":3},"minItems":2}},"required":["z"]}"#,
                r#"{"type":"object","properties":{"z":{"type":"integer","description":"A count. (minimum: 1)"},"a":{"type":"array","items":{"type":"string","description":"(maxLength: 3)"},"description":"(minItems: 2)"}},"required":["z"],"additionalProperties":false}"#,
            ),
            (
                r##"{"$defs":{"x":{"type":"object","properties":{},"additionalProperties":true}},"oneOf":[{"$ref":"#/$defs/x"},{"type":"null"}]}"##,
                r##"{"$defs":{"x":{"type":"object","properties":{},"additionalProperties":false}},"anyOf":[{"$ref":"#/$defs/x"},{"type":"null"}]}"##,
            ),
            // A property may have a keyword's name.
            (
                r#"{"properties":{"not":{"type":"string"}}}"#,
                r#"{"properties":{"not":{"type":"string"}},"additionalProperties":false}"#,
            ),
            ("true", "true"),
            (r#"{"anyOf":1}"#, r#"{"anyOf":1}"#),
        ] {
            let fitted = fitted(&Raw::parse(schema.as_bytes()).unwrap());
            assert_eq!(String::from_utf8(fitted).unwrap(), expected);
        }
    }
}
