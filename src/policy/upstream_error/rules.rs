//! How rules are written and applied: the first whose test holds names the class; the status decides when none does.

use super::class::ErrorClass;
use super::families::Family;
use super::said::Said;
use super::{Retry, openai};

/// What a rule makes of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    pub class: ErrorClass,
    /// Set where our status is neither the upstream's nor the class's own.
    pub status: Option<u16>,
    /// Added to the message: what the operator can do about it.
    pub hint: &'static str,
}

impl Verdict {
    pub const fn plain(class: ErrorClass) -> Self {
        Self {
            class,
            status: None,
            hint: "",
        }
    }
}

pub(super) struct Rule {
    pub test: fn(&Said<'_>) -> bool,
    pub verdict: Verdict,
}

pub(super) const fn rule(test: fn(&Said<'_>) -> bool, class: ErrorClass) -> Rule {
    Rule {
        test,
        verdict: Verdict::plain(class),
    }
}

/// Texts of clients and proxies between us and the model that gave up waiting; they come first for every provider.
const TIMEOUTS: [&str; 4] = [
    "Request Timeout Error",
    "Request timed out",
    "Timed out generating response",
    "The read operation timed out",
];

pub(super) fn judge(provider: &str, family: Family, said: &Said<'_>) -> Verdict {
    if TIMEOUTS.iter().any(|text| said.has(text)) {
        return Verdict::plain(ErrorClass::Timeout);
    }
    if provider == "litellm_proxy"
        && let Some(class) = class_in_text(said)
    {
        return Verdict::plain(class);
    }
    if family == Family::OpenAi {
        return openai::judge(provider, said);
    }
    let first = family
        .rules()
        .iter()
        .find(|rule| (rule.test)(said))
        .map(|rule| rule.verdict);
    first
        .or_else(|| openai::by_phrase(said))
        .unwrap_or_else(|| Verdict::plain(by_status(said.status)))
}

/// Another gateway of LiteLLM's kind names its class in the text. The two subclasses name their parent as well.
fn class_in_text(said: &Said<'_>) -> Option<ErrorClass> {
    let subclasses = [
        ErrorClass::ContextWindowExceededError,
        ErrorClass::ContentPolicyViolationError,
    ];
    let named = |class: &ErrorClass| said.has(&format!("litellm.{}:", class.as_str()));
    subclasses
        .into_iter()
        .find(named)
        .or_else(|| ErrorClass::ALL.into_iter().find(named))
}

/// The class of a bare status, for all but OpenAI-compatible upstreams.
fn by_status(status: Option<u16>) -> ErrorClass {
    match status {
        Some(401) => ErrorClass::AuthenticationError,
        Some(402) => ErrorClass::PaymentRequiredError,
        Some(403) => ErrorClass::PermissionDeniedError,
        Some(404) => ErrorClass::NotFoundError,
        Some(408 | 504) => ErrorClass::Timeout,
        Some(429) => ErrorClass::RateLimitError,
        Some(400..=499) => ErrorClass::BadRequestError,
        Some(500) => ErrorClass::InternalServerError,
        Some(502) => ErrorClass::BadGatewayError,
        Some(503) => ErrorClass::ServiceUnavailableError,
        Some(_) => ErrorClass::APIError,
        None => ErrorClass::APIConnectionError,
    }
}

/// Where another try could succeed, by the class and status of our answer.
pub(super) fn retry(class: ErrorClass, status: u16, said: &Said<'_>) -> Retry {
    match (class, status) {
        (ErrorClass::NotFoundError, _) => Retry::Never,
        // Of OpenAI-compatible upstreams: LiteLLM tries a single deployment again after it.
        (ErrorClass::APIError, 403) => Retry::Anywhere,
        (ErrorClass::AuthenticationError, _) | (_, 401 | 403) => Retry::Elsewhere,
        // The account is empty, and waiting does not fill it.
        (ErrorClass::RateLimitError, _) if said.code.as_deref() == Some("insufficient_quota") => {
            Retry::Elsewhere
        }
        // The same at Anthropic.
        (ErrorClass::BadRequestError | ErrorClass::PaymentRequiredError, _)
            if said.says("credit balance is too low") =>
        {
            Retry::Elsewhere
        }
        (_, 408 | 409 | 429 | 500..) => Retry::Anywhere,
        _ => Retry::Never,
    }
}
