//! The OpenAPI document, made from the list of routes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::components::{
    ANTHROPIC_ERROR, ANY_ERROR, ERROR, body_of, own_schemas, refer, security, security_schemes,
    to_value,
};
use crate::auth::Permission;
use crate::http::about::{Answer, Tag};
use crate::http::error::Surface;
use crate::http::route::Route;

/// The OpenAPI 3.1 document of `routes`, which are served below `root` (empty, or `/prefix`).
pub fn document<'a>(routes: impl Iterator<Item = &'a Route>, root: &str) -> Value {
    let mut schemas = own_schemas();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for route in routes.filter(|route| !route.about.is_hidden) {
        let operation = operation(route, &mut schemas);
        paths
            .entry(path_of(route))
            .or_default()
            .insert(route.method.as_str().to_ascii_lowercase(), operation);
    }
    let tags = Tag::ALL.map(|tag| json!({"name": tag.name(), "description": tag.description()}));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Pointsman",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "An LLM gateway: OpenAI's API in front of many providers, with keys, limits and spend.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": if root.is_empty() { "/" } else { root }}],
        "tags": tags,
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": security_schemes()},
    })
}

/// The path without actix-web's patterns: `{model:.+}` is `{model}`.
pub fn path_of(route: &Route) -> String {
    let mut path = String::new();
    for (index, part) in route.path.split('{').enumerate() {
        if index == 0 {
            path.push_str(part);
            continue;
        }
        let (inside, after) = part.split_once('}').unwrap_or((part, ""));
        path.push('{');
        path.push_str(inside.split(':').next().unwrap_or_default());
        path.push('}');
        path.push_str(after);
    }
    path
}

/// The parameters in the path, in order.
pub fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('{')
        .skip(1)
        .filter_map(|part| part.split('}').next())
}

/// A name that no other operation has, made of method and path.
pub fn operation_id(route: &Route) -> String {
    let words = path_of(route);
    let words = words
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    let mut id = route.method.as_str().to_ascii_lowercase();
    for word in words {
        id.push('_');
        id.push_str(word);
    }
    // `/metrics` and `/metrics/` are two.
    if route.path.len() > 1 && route.path.ends_with('/') {
        id.push_str("_slash");
    }
    id
}

fn operation(route: &Route, schemas: &mut Map<String, Value>) -> Value {
    let about = &route.about;
    let path = path_of(route);
    let mut parameters: Vec<Value> = path_parameters(&path)
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}}))
        .collect();
    if let Some(query) = about.query {
        parameters.extend(query().iter().map(to_value));
    }
    let mut operation = json!({
        "operationId": operation_id(route),
        "tags": [about.tag.name()],
        "summary": about.summary,
        "responses": responses(route, schemas),
        "security": security(route.permission),
    });
    if !about.description.is_empty() {
        operation["description"] = about.description.into();
    }
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = &about.body {
        operation["requestBody"] = json!({
            "required": !about.body_is_optional,
            "content": {"application/json": {"schema": body_of(body, &path, schemas)}},
        });
    }
    operation
}

/// What a route answers with. Which errors it may have follows from its permission and from what it reads.
fn responses(route: &Route, schemas: &mut Map<String, Value>) -> Value {
    let about = &route.about;
    let content = match &about.answer {
        Answer::AnyJson => json!({"application/json": {"schema": {}}}),
        Answer::Json(schema) => json!({"application/json": {"schema": refer(schema, schemas)}}),
        Answer::JsonOrEvents(whole, event) => json!({
            "application/json": {"schema": refer(whole, schemas)},
            "text/event-stream": {"schema": event_of(refer(event, schemas))},
        }),
        Answer::Text(content_type) => json!({*content_type: {"schema": {"type": "string"}}}),
    };
    let mut all = Map::new();
    all.insert(
        "200".into(),
        json!({"description": "As asked.", "content": content}),
    );
    if let Some((status, schema)) = &about.or {
        let content = json!({"application/json": {"schema": refer(schema, schemas)}});
        let response = json!({"description": meaning(*status), "content": content});
        all.insert(status.to_string(), response);
    }
    let is_anthropics = route.surface == Surface::Anthropic;
    let mut error = |status: u16, schema: &str| {
        let schema = if is_anthropics {
            ANTHROPIC_ERROR
        } else {
            schema
        };
        let response = json!({
            "description": meaning(status),
            "content": {"application/json": {"schema": {"$ref": format!("#/components/schemas/{schema}")}}},
        });
        all.entry(status.to_string()).or_insert(response);
    };
    match route.permission {
        Permission::Public => {}
        Permission::Inference => {
            let statuses = [400, 401, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504];
            statuses.into_iter().for_each(|status| error(status, ERROR));
        }
        _ => [401, 403, 503]
            .into_iter()
            .for_each(|status| error(status, ERROR)),
    }
    if about.body.is_some() {
        [(400, ANY_ERROR), (413, ERROR), (422, ANY_ERROR)]
            .into_iter()
            .for_each(|(status, schema)| error(status, schema));
    }
    if about.query.is_some() {
        [(400, ANY_ERROR), (422, ANY_ERROR)]
            .into_iter()
            .for_each(|(status, schema)| error(status, schema));
    }
    for &status in about.errors {
        error(status, ANY_ERROR);
    }
    all.into()
}

/// One server-sent event; its data is JSON of the schema `data`, or the text that ends a stream.
fn event_of(data: Value) -> Value {
    let text = json!({
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": data,
        "description": "`[DONE]` in the last event.",
    });
    json!({"type": "object", "required": ["data"], "properties": {"data": text}})
}

fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request is not one that can be answered; the message says which field and why.",
        401 => "No credential, or none that is valid here.",
        403 => "The credential is valid and may not do this.",
        404 => "What the request names does not exist.",
        408 => "The request or the provider took too long.",
        409 => "What the request would make exists already.",
        413 => "The body is larger than is read.",
        422 => "A field has the wrong type or value, or a budget is used up.",
        429 => "A limit is reached; `retry-after` says for how long.",
        500 => "The provider failed.",
        502 => "The provider's answer was none.",
        503 => "Not at the moment; try again.",
        504 => "The provider did not answer in time.",
        _ => "See the message.",
    }
}
