//! Errors that a mock can be told to answer with.

use serde_json::{Value, json};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MockError {
    RateLimit,
    ContextWindow,
    InternalServer,
    ContentPolicy,
    BadRequest,
    Authentication,
    PermissionDenied,
    NotFound,
    Timeout,
    UnprocessableEntity,
    BadGateway,
    ServiceUnavailable,
    /// `Exception: mock_streaming_error`.
    MidStream,
    /// A list of numbers where a text is asked for.
    NoText,
    /// The answer would be larger than this gateway makes one.
    TooLarge,
}

/// Names as they are written in `mock_response`. LiteLLM knows the first three and takes the others for texts.
const NAMES: &[(&str, MockError)] = &[
    ("litellm.RateLimitError", MockError::RateLimit),
    (
        "litellm.ContextWindowExceededError",
        MockError::ContextWindow,
    ),
    ("litellm.InternalServerError", MockError::InternalServer),
    (
        "litellm.ContentPolicyViolationError",
        MockError::ContentPolicy,
    ),
    ("litellm.BadRequestError", MockError::BadRequest),
    ("litellm.AuthenticationError", MockError::Authentication),
    ("litellm.PermissionDeniedError", MockError::PermissionDenied),
    ("litellm.NotFoundError", MockError::NotFound),
    ("litellm.Timeout", MockError::Timeout),
    (
        "litellm.UnprocessableEntityError",
        MockError::UnprocessableEntity,
    ),
    ("litellm.BadGatewayError", MockError::BadGateway),
    (
        "litellm.ServiceUnavailableError",
        MockError::ServiceUnavailable,
    ),
];

impl MockError {
    /// The error that a `mock_response` names, if it names one.
    pub(super) fn named(text: &str) -> Option<Self> {
        if text.starts_with("Exception: content_filter_policy") {
            return Some(Self::ContentPolicy);
        }
        NAMES
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, error)| *error)
    }

    /// Status, `type`, `code` and `message` of an answer that makes a client see this error. Texts are LiteLLM's where it has one.
    const fn parts(self) -> (u16, &'static str, Option<&'static str>, &'static str) {
        const REQUEST: &str = "invalid_request_error";
        const SERVER: &str = "server_error";
        match self {
            Self::RateLimit => (
                429,
                "rate_limit_error",
                Some("rate_limit_exceeded"),
                "this is a mock rate limit error",
            ),
            Self::ContextWindow => (
                400,
                REQUEST,
                Some("context_length_exceeded"),
                "this is a mock context window exceeded error",
            ),
            Self::InternalServer => (500, SERVER, None, "this is a mock internal server error"),
            Self::ContentPolicy => (
                400,
                REQUEST,
                Some("content_policy_violation"),
                "this is a mock content policy violation error",
            ),
            Self::BadRequest => (400, REQUEST, None, "this is a mock bad request error"),
            Self::Authentication => (
                401,
                "authentication_error",
                Some("invalid_api_key"),
                "this is a mock authentication error",
            ),
            Self::PermissionDenied => (
                403,
                "permission_error",
                None,
                "this is a mock permission denied error",
            ),
            Self::NotFound => (404, REQUEST, None, "this is a mock not found error"),
            Self::Timeout => (408, "timeout_error", None, "this is a mock timeout error"),
            Self::UnprocessableEntity => (
                422,
                REQUEST,
                None,
                "this is a mock unprocessable entity error",
            ),
            Self::BadGateway => (502, SERVER, None, "this is a mock bad gateway error"),
            Self::ServiceUnavailable => (
                503,
                SERVER,
                None,
                "this is a mock service unavailable error",
            ),
            Self::MidStream => (
                529,
                "overloaded_error",
                None,
                "this is a mock error raised mid-stream",
            ),
            Self::NoText => (
                400,
                REQUEST,
                None,
                "mock_response is a list of numbers, which answers embeddings only",
            ),
            Self::TooLarge => (
                400,
                REQUEST,
                None,
                "the mocked answer would be larger than 32 MiB: ask for fewer choices or inputs",
            ),
        }
    }

    pub(super) const fn status(self) -> u16 {
        self.parts().0
    }

    /// OpenAI's error body.
    pub(super) fn body(self) -> Value {
        let (_, kind, code, message) = self.parts();
        json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
    }
}
