//! Errors in OpenAI's shape and words (Anthropic's are in `anthropic`).

use serde::Serialize;

#[derive(Serialize)]
struct Envelope<'a> {
    error: Fields<'a>,
}

#[derive(Serialize)]
struct Fields<'a> {
    message: &'a str,
    r#type: &'a str,
    param: Option<&'a str>,
    code: Option<&'a str>,
}

/// Stands in a body for the id of its request.
pub const REQUEST_ID: &str = "req_OF_THIS_ANSWER";

/// A refusal: status and body.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub body: String,
}

impl Refusal {
    fn new(
        status: u16,
        message: &str,
        r#type: &str,
        param: Option<&str>,
        code: Option<&str>,
    ) -> Self {
        let envelope = Envelope {
            error: Fields {
                message,
                r#type,
                param,
                code,
            },
        };
        Self {
            status,
            body: serde_json::to_string_pretty(&envelope).unwrap_or_default(),
        }
    }

    pub fn invalid(status: u16, message: &str, param: Option<&str>, code: Option<&str>) -> Self {
        Self::new(status, message, "invalid_request_error", param, code)
    }
}

pub fn no_such_route(method: &str, path: &str) -> Refusal {
    Refusal::invalid(404, &format!("Invalid URL ({method} {path})"), None, None)
}

pub fn wrong_method(method: &str, path: &str) -> Refusal {
    let message = format!(
        "Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP method?)"
    );
    Refusal::invalid(405, &message, None, Some("method_not_supported"))
}

/// `authorization` is the header as it came; OpenAI repeats a wrong key with its middle hidden.
pub fn wrong_key(authorization: Option<&str>) -> Refusal {
    match authorization.and_then(|value| value.strip_prefix("Bearer ")) {
        Some(key) => {
            let shown: String = key.chars().take(8).collect();
            let tail: String = key
                .chars()
                .skip(key.chars().count().saturating_sub(4))
                .collect();
            let message = format!(
                "Incorrect API key provided: {shown}*****{tail}. You can find your API key at https://platform.openai.com/account/api-keys."
            );
            Refusal::invalid(401, &message, None, Some("invalid_api_key"))
        }
        None => Refusal::invalid(
            401,
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            None,
            None,
        ),
    }
}

pub fn not_json() -> Refusal {
    Refusal::invalid(
        400,
        "We could not parse the JSON body of your request. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.",
        None,
        None,
    )
}

/// A field has the wrong type; `why` is serde's sentence.
pub fn wrong_type(why: &str) -> Refusal {
    Refusal::invalid(
        400,
        &format!("Invalid type: {why}."),
        None,
        Some("invalid_type"),
    )
}

pub fn no_model() -> Refusal {
    Refusal::invalid(400, "you must provide a model parameter", None, None)
}

pub fn missing(field: &str) -> Refusal {
    Refusal::invalid(
        400,
        &format!("Missing required parameter: '{field}'."),
        Some(field),
        Some("missing_required_parameter"),
    )
}

/// The test's own mistake, told apart from OpenAI's errors by its parameter.
pub fn wrong_behaviour(why: &str) -> Refusal {
    Refusal::invalid(
        400,
        &format!("the simulator does not understand: {why}"),
        Some("simulate"),
        None,
    )
}

/// What OpenAI says with this status when the test gave no body of its own.
pub fn for_status(status: u16) -> Refusal {
    let (message, r#type, code) = match status {
        401 => (
            "Incorrect API key provided.",
            "invalid_request_error",
            Some("invalid_api_key"),
        ),
        403 => (
            "Country, region, or territory not supported",
            "request_forbidden",
            Some("unsupported_country_region_territory"),
        ),
        404 => (
            "The model does not exist or you do not have access to it.",
            "invalid_request_error",
            Some("model_not_found"),
        ),
        429 => (
            "Rate limit reached. Please try again in 20s.",
            "requests",
            Some("rate_limit_exceeded"),
        ),
        503 => (
            "The engine is currently overloaded, please try again later",
            "server_error",
            None,
        ),
        500.. => (
            "The server had an error while processing your request. Sorry about that!",
            "server_error",
            None,
        ),
        _ => ("The request was refused.", "invalid_request_error", None),
    };
    Refusal::new(status, message, r#type, None, code)
}
