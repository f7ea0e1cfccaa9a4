//! JSON bodies of management routes, with errors as LiteLLM's framework words them.

use actix_web::{HttpRequest, web};
use serde_json::{Map, Value, json};

use crate::http::body;
use crate::http::error::ApiError;
use crate::journey::Worker;

/// Largest body of a management route.
const MOST_BYTES: usize = 1024 * 1024;

/// A body as an object; an empty body is an empty one. 422 for anything else.
pub async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    worker: &Worker,
) -> Result<Map<String, Value>, ApiError> {
    read_up_to(request, payload, worker, MOST_BYTES).await
}

/// The same for routes that take prompts, and bodies as large as those of calls.
pub async fn read_prompt(
    request: &HttpRequest,
    payload: web::Payload,
    worker: &Worker,
) -> Result<Map<String, Value>, ApiError> {
    let most = worker.routes().settings().most_request_bytes;
    read_up_to(request, payload, worker, most).await
}

async fn read_up_to(
    request: &HttpRequest,
    payload: web::Payload,
    worker: &Worker,
    most: usize,
) -> Result<Map<String, Value>, ApiError> {
    let body = body::read(request, payload, most, worker).await?;
    let bytes = &body.bytes;
    if bytes.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        let detail = json!([{
            "type": "json_invalid",
            "loc": ["body", error.column()],
            "msg": format!("JSON decode error: {error}"),
        }]);
        ApiError::detail(422, detail)
    })?;
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(ApiError::detail(
            422,
            json!([{"type": "model_attributes_type", "loc": ["body"], "msg": "Input should be a valid dictionary"}]),
        )),
    }
}

/// A field that must be there.
pub fn missing(field: &str) -> ApiError {
    ApiError::detail(
        422,
        json!([{"type": "missing", "loc": ["body", field], "msg": "Field required"}]),
    )
}

/// A field of another type than the route takes.
pub fn wrong_type(field: &str, kind: &str, expected: &str) -> ApiError {
    let message = format!("Input should be {expected}");
    ApiError::detail(
        422,
        json!([{"type": kind, "loc": ["body", field], "msg": message}]),
    )
}

/// A value that can be read and not be used: 400, with the field as `param`.
pub fn refused(field: &str, why: impl Into<String>) -> ApiError {
    ApiError::new(400, "bad_request_error", why, Some(field.to_owned()))
}

/// Kinds of JSON values that a field may want, each with the word LiteLLM's framework has for it.
pub trait FromJson: Sized {
    const KIND: &'static str;
    const EXPECTED: &'static str;

    fn from_json(value: &Value) -> Option<Self>;
}

impl FromJson for f64 {
    const KIND: &'static str = "float_parsing";
    const EXPECTED: &'static str = "a finite number";

    fn from_json(value: &Value) -> Option<Self> {
        value.as_f64().filter(|number| number.is_finite())
    }
}

impl FromJson for String {
    const KIND: &'static str = "string_type";
    const EXPECTED: &'static str = "a valid string";

    fn from_json(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl FromJson for bool {
    const KIND: &'static str = "bool_type";
    const EXPECTED: &'static str = "a valid boolean";

    fn from_json(value: &Value) -> Option<Self> {
        value.as_bool()
    }
}

impl FromJson for i64 {
    const KIND: &'static str = "int_type";
    const EXPECTED: &'static str = "a valid integer";

    /// `5.0` is an integer too.
    fn from_json(value: &Value) -> Option<Self> {
        value.as_i64().or_else(|| {
            let number = value.as_f64()?;
            // Whole numbers up to 2^53 are exact.
            (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0)
                .then_some(number as i64)
        })
    }
}

impl FromJson for u64 {
    const KIND: &'static str = "int_type";
    const EXPECTED: &'static str = "a whole number that is not negative";

    fn from_json(value: &Value) -> Option<Self> {
        i64::from_json(value).and_then(|number| number.try_into().ok())
    }
}

impl FromJson for serde_json::Number {
    const KIND: &'static str = "float_type";
    const EXPECTED: &'static str = "a valid number";

    fn from_json(value: &Value) -> Option<Self> {
        value.as_number().cloned()
    }
}

impl FromJson for Vec<String> {
    const KIND: &'static str = "list_type";
    const EXPECTED: &'static str = "a valid list of strings";

    fn from_json(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(String::from_json).collect()
    }
}

impl FromJson for Map<String, Value> {
    const KIND: &'static str = "dict_type";
    const EXPECTED: &'static str = "a valid dictionary";

    fn from_json(value: &Value) -> Option<Self> {
        value.as_object().cloned()
    }
}

/// A field that may be absent (`None`), null (`Some(None)`) or there.
pub fn field<T: FromJson>(
    fields: &Map<String, Value>,
    name: &str,
) -> Result<Option<Option<T>>, ApiError> {
    match fields.get(name) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(value) => match T::from_json(value) {
            Some(value) => Ok(Some(Some(value))),
            None => Err(wrong_type(name, T::KIND, T::EXPECTED)),
        },
    }
}

/// A field where null is the same as absent.
pub fn optional<T: FromJson>(
    fields: &Map<String, Value>,
    name: &str,
) -> Result<Option<T>, ApiError> {
    Ok(field(fields, name)?.flatten())
}

/// Takes a list out of the fields; null is the same as absent.
pub fn take_list(
    fields: &mut Map<String, Value>,
    name: &str,
) -> Result<Option<Vec<Value>>, ApiError> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(items)) => Ok(Some(items)),
        Some(_) => Err(wrong_type(name, "list_type", "a valid list")),
    }
}
