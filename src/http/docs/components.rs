//! What operations of the document refer to: schemas, and where a key may stand.

use serde_json::{Map, Value, json};

use super::document::path_parameters;
use crate::auth::Permission;
use crate::http::about::SchemaOf;
use crate::http::{admin, anthropic, models, openai, responses};

/// Headers that may carry the key, each a security scheme of its own.
const KEY_HEADERS: [&str; 3] = ["x-litellm-api-key", "api-key", "x-api-key"];

/// The schemas that errors have.
pub const ERROR: &str = "Error";
pub const DETAIL: &str = "Detail";
pub const ANY_ERROR: &str = "AnyError";
pub const ANTHROPIC_ERROR: &str = "AnthropicError";

/// A key in any of its places, or none.
pub fn security(permission: Permission) -> Value {
    if permission == Permission::Public {
        return json!([]);
    }
    let mut any = vec![json!({"bearer": []})];
    any.extend(KEY_HEADERS.map(|header| json!({header: []})));
    any.into()
}

/// The places of a key.
pub fn security_schemes() -> Value {
    let mut schemes = Map::new();
    schemes.insert(
        "bearer".into(),
        json!({"type": "http", "scheme": "bearer", "description": "A virtual key or the master key, `sk-…`."}),
    );
    for header in KEY_HEADERS {
        schemes.insert(
            header.into(),
            json!({"type": "apiKey", "in": "header", "name": header}),
        );
    }
    schemes.into()
}

/// Errors, and what is written down in `schemas.json`.
pub fn own_schemas() -> Map<String, Value> {
    let read = |text| serde_json::from_str::<Map<String, Value>>(text).unwrap_or_default();
    let mut schemas = read(openai::SCHEMAS);
    schemas.extend(read(anthropic::SCHEMAS));
    schemas.extend(read(responses::SCHEMAS));
    schemas.extend(read(models::SCHEMAS));
    schemas.extend(read(admin::SCHEMAS));
    schemas.insert(
        ERROR.into(),
        json!({
            "type": "object",
            "required": ["error"],
            "properties": {"error": {
                "type": "object",
                "required": ["message", "type", "param", "code"],
                "properties": {
                    "message": {"type": "string"},
                    "type": {"type": ["string", "null"]},
                    "param": {"type": ["string", "null"]},
                    "code": {"type": ["string", "null"], "description": "The status as text."},
                    "litellm_call_id": {"type": "string"},
                    "provider_specific_fields": {},
                },
            }},
        }),
    );
    schemas.insert(
        DETAIL.into(),
        json!({
            "type": "object",
            "required": ["detail"],
            "properties": {"detail": {
                "description": "A text, an object with `error`, or a list of what is wrong with which field.",
                "anyOf": [{"type": "string"}, {"type": "object"}, {"type": "array", "items": {"type": "object"}}],
            }},
        }),
    );
    schemas.insert(
        ANY_ERROR.into(),
        json!({"anyOf": [
            {"$ref": format!("#/components/schemas/{ERROR}")},
            {"$ref": format!("#/components/schemas/{DETAIL}")},
        ]}),
    );
    schemas
}

/// The schema of a request's body. Where the path names the model, the body need not.
pub fn body_of(body: &SchemaOf, path: &str, schemas: &mut Map<String, Value>) -> Value {
    match body {
        SchemaOf::Written(name) if path_parameters(path).any(|parameter| parameter == "model") => {
            let mut schema = schemas.get(*name).cloned().unwrap_or_default();
            if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
                required.retain(|field| field != "model");
            }
            let name = format!("{name}ByPath");
            let reference = json!({"$ref": format!("#/components/schemas/{name}")});
            schemas.insert(name, schema);
            reference
        }
        body => refer(body, schemas),
    }
}

/// A reference to the schema, which is listed among the components from then on.
pub fn refer(schema: &SchemaOf, schemas: &mut Map<String, Value>) -> Value {
    let name = match schema {
        SchemaOf::Written(name) => (*name).to_owned(),
        SchemaOf::Type {
            name,
            schema,
            parts,
        } => {
            let name = name().into_owned();
            let mut found = Vec::new();
            parts(&mut found);
            for (name, schema) in found {
                schemas.entry(name).or_insert_with(|| to_value(&schema));
            }
            schemas
                .entry(name.as_str())
                .or_insert_with(|| to_value(&schema()));
            name
        }
    };
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// Schemas and parameters are plain data, which always has a JSON form.
pub fn to_value(data: &impl serde::Serialize) -> Value {
    serde_json::to_value(data).unwrap_or_default()
}
