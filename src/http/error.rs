//! Errors as clients see them: what is wrong, and in `form` how each API writes it.

mod form;

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::auth::AuthError;
use crate::store::StoreError;
pub use form::{ErrorForm, Surface};

/// The id of a call, in every answer.
const CALL_ID: &str = "x-litellm-call-id";

/// Where Anthropic's SDKs look for the id of a call.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// An answer that is an error.
#[derive(Debug)]
pub struct ApiError {
    status: u16,
    /// Boxed, because every handler's result is as large as its error.
    told: Box<Told>,
    headers: HeaderMap,
    /// What is left of the request would have to be read before another one.
    ends_connection: bool,
}

/// What is told of an error.
#[derive(Debug)]
enum Told {
    Error {
        message: String,
        kind: String,
        param: Option<String>,
        /// `provider_specific_fields`, absent when there are none.
        provider_fields: Option<Value>,
        /// The call's id, when the configuration wants it in bodies too.
        call_id: Option<Arc<str>>,
        /// The request is longer than the model's context window.
        overflows: bool,
        /// The provider has too much to do.
        overloaded: bool,
        /// A code of OpenAI's in the place of the status.
        code: Option<&'static str>,
    },
    /// What is no error of a model's API: a text, or JSON that says more.
    Detail(Value),
}

impl ApiError {
    /// An error of a model's API.
    pub fn new(
        status: u16,
        kind: impl Into<String>,
        message: impl Into<String>,
        param: Option<String>,
    ) -> Self {
        Self::of(
            status,
            Told::Error {
                message: message.into(),
                kind: kind.into(),
                param,
                provider_fields: None,
                call_id: None,
                overflows: false,
                overloaded: false,
                code: None,
            },
        )
    }

    pub fn detail(status: u16, detail: Value) -> Self {
        Self::of(status, Told::Detail(detail))
    }

    fn of(status: u16, told: Told) -> Self {
        Self {
            status,
            told: Box::new(told),
            headers: HeaderMap::new(),
            ends_connection: false,
        }
    }

    /// The path is there, the method is not.
    pub fn wrong_method() -> Self {
        Self::detail(405, "Method Not Allowed".into())
    }

    pub fn not_found() -> Self {
        Self::detail(404, "Not Found".into())
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

    /// Tells what else the provider says (`provider_specific_fields`).
    pub fn provider_fields(mut self, fields: Value) -> Self {
        if let Told::Error {
            provider_fields, ..
        } = &mut *self.told
        {
            *provider_fields = Some(fields);
        }
        self
    }

    /// Tells the call's id in the body too.
    pub fn with_call_id(mut self, id: Arc<str>) -> Self {
        if let Told::Error { call_id, .. } = &mut *self.told {
            *call_id = Some(id);
        }
        self
    }

    /// The provider has too much to do: Anthropic's clients know a status of its own for that.
    pub fn overloaded(mut self) -> Self {
        if let Told::Error { overloaded, .. } = &mut *self.told {
            *overloaded = true;
        }
        self
    }

    /// The request is longer than the model's context window: where an API has words of its own for that, they are used.
    pub fn overflowing(mut self) -> Self {
        if let Told::Error { overflows, .. } = &mut *self.told {
            *overflows = true;
        }
        self
    }

    /// A code of OpenAI's, which clients look for, in the place of the status.
    pub fn code(mut self, text: Option<&'static str>) -> Self {
        if let Told::Error { code, .. } = &mut *self.told {
            *code = text;
        }
        self
    }

    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    /// Its type, for metrics.
    pub fn kind(&self) -> &str {
        match &*self.told {
            Told::Error { kind, .. } => kind,
            Told::Detail(_) => "detail",
        }
    }

    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body alone.
    pub fn body(&self, form: ErrorForm) -> Vec<u8> {
        form.body(self.status, &self.told, None)
    }

    /// The error as the last event of a stream, `created` being in seconds since the Unix epoch.
    pub fn event(self, form: ErrorForm, created: u64) -> Bytes {
        form.event(self.status, &self.told, created)
    }

    pub fn respond(self, form: ErrorForm) -> HttpResponse {
        let status = form.status(self.status, &self.told);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let call_id = self.headers.get(CALL_ID).cloned();
        let id = call_id.as_ref().and_then(|id| id.to_str().ok());
        let body = form.body(self.status, &self.told, id);
        let mut response = HttpResponse::build(status);
        if self.ends_connection {
            response.force_close();
        }
        let mut response = response.body(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        if let (ErrorForm::Anthropic, Some(id)) = (form, call_id) {
            headers.insert(REQUEST_ID, id);
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
            StoreError::ModelExists(_) => Self::new(
                400,
                "auth_error",
                error.to_string(),
                Some("model_info.id".to_owned()),
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
