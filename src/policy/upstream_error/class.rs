//! Error classes: their names, statuses and the beginnings of their messages.

/// LiteLLM's exception classes as far as an upstream failure can be one. Names are on the wire: clients search messages for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    BadRequestError,
    UnsupportedParamsError,
    ContextWindowExceededError,
    ContentPolicyViolationError,
    AuthenticationError,
    PaymentRequiredError,
    PermissionDeniedError,
    NotFoundError,
    Timeout,
    UnprocessableEntityError,
    RateLimitError,
    InternalServerError,
    BadGatewayError,
    ServiceUnavailableError,
    APIConnectionError,
    APIError,
}

impl ErrorClass {
    pub const ALL: [Self; 16] = [
        Self::BadRequestError,
        Self::UnsupportedParamsError,
        Self::ContextWindowExceededError,
        Self::ContentPolicyViolationError,
        Self::AuthenticationError,
        Self::PaymentRequiredError,
        Self::PermissionDeniedError,
        Self::NotFoundError,
        Self::Timeout,
        Self::UnprocessableEntityError,
        Self::RateLimitError,
        Self::InternalServerError,
        Self::BadGatewayError,
        Self::ServiceUnavailableError,
        Self::APIConnectionError,
        Self::APIError,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequestError => "BadRequestError",
            Self::UnsupportedParamsError => "UnsupportedParamsError",
            Self::ContextWindowExceededError => "ContextWindowExceededError",
            Self::ContentPolicyViolationError => "ContentPolicyViolationError",
            Self::AuthenticationError => "AuthenticationError",
            Self::PaymentRequiredError => "PaymentRequiredError",
            Self::PermissionDeniedError => "PermissionDeniedError",
            Self::NotFoundError => "NotFoundError",
            Self::Timeout => "Timeout",
            Self::UnprocessableEntityError => "UnprocessableEntityError",
            Self::RateLimitError => "RateLimitError",
            Self::InternalServerError => "InternalServerError",
            Self::BadGatewayError => "BadGatewayError",
            Self::ServiceUnavailableError => "ServiceUnavailableError",
            Self::APIConnectionError => "APIConnectionError",
            Self::APIError => "APIError",
        }
    }

    /// The status of our answer, given the upstream's. A class is what a rule made of the text; several of them keep the
    /// status the upstream answered with, the others have one of their own.
    pub(super) const fn status(self, upstream: Option<u16>) -> u16 {
        let (own, kept) = match self {
            Self::BadRequestError => (400, true),
            Self::AuthenticationError => (401, true),
            Self::PaymentRequiredError => (402, true),
            Self::PermissionDeniedError => (403, true),
            Self::NotFoundError => (404, true),
            Self::UnprocessableEntityError => (422, true),
            Self::APIError => (500, true),
            Self::UnsupportedParamsError
            | Self::ContextWindowExceededError
            | Self::ContentPolicyViolationError => (400, false),
            Self::Timeout => (408, matches!(upstream, Some(504))),
            Self::RateLimitError => (429, false),
            Self::InternalServerError | Self::APIConnectionError => (500, false),
            Self::BadGatewayError => (502, false),
            Self::ServiceUnavailableError => (503, false),
        };
        match upstream {
            Some(status @ 400..=599) if kept => status,
            // A redirect, or another answer that is neither success nor error: the upstream is at fault, not the request.
            Some(_) if kept && matches!(self, Self::APIError) => 502,
            _ => own,
        }
    }

    /// The beginning of the message. The two subclasses of BadRequest nest in opposite orders.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::BadRequestError => "litellm.BadRequestError: ",
            Self::UnsupportedParamsError => "litellm.UnsupportedParamsError: ",
            Self::ContextWindowExceededError => {
                "litellm.ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: "
            }
            Self::ContentPolicyViolationError => {
                "litellm.BadRequestError: litellm.ContentPolicyViolationError: ContentPolicyViolationError: "
            }
            Self::AuthenticationError => "litellm.AuthenticationError: ",
            Self::PaymentRequiredError => "litellm.PaymentRequiredError: ",
            Self::PermissionDeniedError => "litellm.PermissionDeniedError: ",
            Self::NotFoundError => "litellm.NotFoundError: ",
            Self::Timeout => "litellm.Timeout: ",
            Self::UnprocessableEntityError => "litellm.UnprocessableEntityError: ",
            Self::RateLimitError => "litellm.RateLimitError: ",
            Self::InternalServerError => "litellm.InternalServerError: ",
            Self::BadGatewayError => "litellm.BadGatewayError: ",
            Self::ServiceUnavailableError => "litellm.ServiceUnavailableError: ",
            Self::APIConnectionError => "litellm.APIConnectionError: ",
            Self::APIError => "litellm.APIError: ",
        }
    }

    /// The class once more, as messages about OpenAI-compatible upstreams have it.
    pub(super) const fn repeated(self) -> &'static str {
        match self {
            Self::BadRequestError
            | Self::UnsupportedParamsError
            | Self::ContextWindowExceededError
            | Self::ContentPolicyViolationError => "",
            Self::AuthenticationError => "AuthenticationError: ",
            Self::PaymentRequiredError => "PaymentRequiredError: ",
            Self::PermissionDeniedError => "PermissionDeniedError: ",
            Self::NotFoundError => "NotFoundError: ",
            Self::Timeout => "Timeout Error: ",
            Self::UnprocessableEntityError => "UnprocessableEntityError: ",
            Self::RateLimitError => "RateLimitError: ",
            Self::InternalServerError => "InternalServerError: ",
            Self::BadGatewayError => "BadGatewayError: ",
            Self::ServiceUnavailableError => "ServiceUnavailableError: ",
            Self::APIConnectionError => "APIConnectionError: ",
            Self::APIError => "APIError: ",
        }
    }
}
