//! Errors as clients see them: OpenAI's envelope, or the plain `detail` of management routes.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::auth::AuthError;
use crate::store::StoreError;

/// An answer that is an error.
#[derive(Debug)]
pub struct ApiError {
    status: u16,
    /// Boxed, because every handler's result is as large as its error.
    body: Box<Body>,
    headers: HeaderMap,
    /// What is left of the request would have to be read before another one.
    ends_connection: bool,
}

#[derive(Debug)]
enum Body {
    /// `{"error": {message, type, param, code}}`; `code` is the status as text, as LiteLLM has it.
    Envelope {
        message: String,
        kind: String,
        param: Option<String>,
        /// `provider_specific_fields`, absent when there are none.
        provider_fields: Option<Value>,
    },
    /// `{"detail": …}`.
    Detail(Value),
}

impl ApiError {
    /// An error in OpenAI's envelope.
    pub fn new(
        status: u16,
        kind: impl Into<String>,
        message: impl Into<String>,
        param: Option<String>,
    ) -> Self {
        let body = Body::Envelope {
            message: message.into(),
            kind: kind.into(),
            param,
            provider_fields: None,
        };
        Self {
            status,
            body: Box::new(body),
            headers: HeaderMap::new(),
            ends_connection: false,
        }
    }

    pub fn detail(status: u16, detail: Value) -> Self {
        Self {
            status,
            body: Box::new(Body::Detail(detail)),
            headers: HeaderMap::new(),
            ends_connection: false,
        }
    }

    pub fn bad_request(message: impl Into<String>, param: Option<&str>) -> Self {
        Self::new(
            400,
            "invalid_request_error",
            message,
            param.map(str::to_owned),
        )
    }

    /// A body that does not fit a management route, as LiteLLM's framework says it.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::detail(
            422,
            json!([{"type": "value_error", "loc": ["body", field], "msg": message.into()}]),
        )
    }

    /// A query parameter that cannot be used.
    pub fn invalid_query(field: &str, message: impl Into<String>) -> Self {
        Self::detail(
            422,
            json!([{"type": "value_error", "loc": ["query", field], "msg": message.into()}]),
        )
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, "auth_error", message, Some("None".to_owned()))
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "service_unavailable", message, None).header("retry-after", "1")
    }

    /// A step of this request panicked.
    pub fn broken() -> Self {
        let message = "this request failed in an unexpected way; others are not affected";
        Self::new(500, "internal_server_error", message, None)
    }

    pub fn too_large(most: usize) -> Self {
        let message = format!(
            "Request size is too large. Max size is {} MB",
            most as f64 / 1024.0 / 1024.0
        );
        Self::new(
            413,
            "invalid_request_error",
            message,
            Some("content-length".to_owned()),
        )
    }

    pub fn request_timeout() -> Self {
        Self::new(
            408,
            "invalid_request_error",
            "the request's body did not arrive in time",
            None,
        )
    }

    /// Ends the connection with this answer: the request's body was not read to its end.
    pub fn ending_connection(mut self) -> Self {
        self.ends_connection = true;
        self
    }

    /// Adds a header; a text that is no header value is left out.
    pub fn header(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// Puts `provider_specific_fields` into the envelope.
    pub fn provider_fields(mut self, fields: Value) -> Self {
        if let Body::Envelope {
            provider_fields, ..
        } = &mut *self.body
        {
            *provider_fields = Some(fields);
        }
        self
    }

    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    /// The type in the envelope, for metrics.
    pub fn kind(&self) -> &str {
        match &*self.body {
            Body::Envelope { kind, .. } => kind,
            Body::Detail(_) => "detail",
        }
    }

    pub fn response(self) -> HttpResponse {
        self.respond(None)
    }

    /// The error as the last event of a stream.
    pub fn event(self) -> Bytes {
        let code = self.status.to_string();
        let error = match *self.body {
            Body::Envelope {
                message,
                kind,
                param,
                ..
            } => json!({"message": message, "type": kind, "param": param, "code": code}),
            Body::Detail(detail) => {
                json!({"message": detail, "type": null, "param": null, "code": code})
            }
        };
        format!("data: {}\n\n", json!({"error": error})).into()
    }

    /// The response, with the call's id in the body when the configuration asks for it.
    pub fn respond(self, call_id: Option<&str>) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = match *self.body {
            Body::Envelope {
                message,
                kind,
                param,
                provider_fields,
            } => {
                let mut error = json!({"message": message, "type": kind, "param": param, "code": self.status.to_string()});
                if let Some(fields) = provider_fields {
                    error["provider_specific_fields"] = fields;
                }
                if let Some(id) = call_id {
                    error["litellm_call_id"] = id.into();
                }
                json!({"error": error})
            }
            Body::Detail(detail) => json!({"detail": detail}),
        };
        let mut response = HttpResponse::build(status);
        if self.ends_connection {
            response.force_close();
        }
        let mut response = response.json(body);
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        let none = || Some("None".to_owned());
        let message = error.to_string();
        match error {
            AuthError::Unknown { .. } => Self::new(
                401,
                "token_not_found_in_db",
                message,
                Some("key".to_owned()),
            ),
            AuthError::Expired { key, .. } => Self::new(401, "expired_key", message, Some(key)),
            AuthError::Viewer { .. } => Self::new(403, "auth_error", message, none()),
            AuthError::OtherRoute { .. } => Self::detail(403, message.into()),
            AuthError::NoDatabase => {
                Self::new(503, "no_db_connection", message, none()).header("retry-after", "1")
            }
            AuthError::Credential(_)
            | AuthError::NotAVirtualKey(_)
            | AuthError::KeyBlocked
            | AuthError::TeamBlocked(_)
            | AuthError::AdminOnly { .. } => Self::new(401, "auth_error", message, none()),
        }
    }
}

impl From<StoreError> for ApiError {
    /// The database's own words stay in our log.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::AliasTaken(_) => Self::new(
                400,
                "bad_request_error",
                error.to_string(),
                Some("key_alias".to_owned()),
            ),
            StoreError::KeyExists => Self::new(
                400,
                "bad_request_error",
                error.to_string(),
                Some("key".to_owned()),
            ),
            StoreError::TeamMissing(_) => Self::new(
                404,
                "not_found_error",
                error.to_string(),
                Some("team_id".to_owned()),
            ),
            StoreError::Refused(_) => {
                log::warn!("store: {error}");
                Self::new(
                    400,
                    "bad_request_error",
                    "the database refused these values",
                    None,
                )
            }
            error => {
                log::error!("store: {error}");
                Self::new(
                    503,
                    "no_db_connection",
                    "the database does not answer",
                    Some("None".to_owned()),
                )
                .header("retry-after", "1")
            }
        }
    }
}
