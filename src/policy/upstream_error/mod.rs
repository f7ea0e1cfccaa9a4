//! What an upstream failure is: its class, the status and error body a client gets for it, and whether another try makes sense.
//!
//! The journey hands in what it saw (a status and a body, a timeout, a broken connection …) and gets a [`Failure`] for the
//! retry policy, the Deployment's health and the protocol that answers the client. Classes, texts and statuses are those of
//! LiteLLM 1.106.2, because clients and fallback lists match on them.
//!
//! Pure, and safe with anything an upstream may send: texts are bounded and credentials in them masked.

mod class;
mod families;
mod inner_error;
mod masking;
mod openai;
mod retry_after;
mod rules;
mod said;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::time::Duration;

use crate::providers::parameters::Unsupported;

pub use class::ErrorClass;
pub use retry_after::Headers;

use serde_json::Value;

use families::Family;
use rules::Verdict;
use said::Said;

/// What went wrong with an upstream call.
#[derive(Clone, Copy, Debug)]
pub enum Upstream<'a> {
    /// An answer that is no success. `body` is decoded (no gzip), and may be of any kind and length.
    Status {
        status: u16,
        headers: Headers<'a>,
        body: &'a [u8],
    },
    /// The deployment cannot be asked for this, so that nothing was sent; `why` ends the sentence.
    NotServed { why: &'a str },
    /// The deployment is called with a token, and there is none: nothing was sent. `why` ends a sentence about the token
    /// endpoint.
    NoToken { why: &'a str },
    /// No connection came about, so the upstream never saw the request.
    ConnectFailed(ConnectProblem),
    /// Nothing came for the time allowed.
    Timeout { after: Duration, stage: Stage },
    /// The connection ended before the answer did.
    Cut,
    /// A 2xx answer whose body cannot be used.
    Malformed,
    /// An answer whose body cannot be read at all; `why` ends the sentence "it cannot be read: ".
    Unreadable { why: &'a str },
    /// An error inside a stream that began well: the frame `{"error": …}`, or the error object alone.
    InStream { frame: &'a [u8] },
}

/// Why no connection came about. Host names and addresses stay in our own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectProblem {
    Dns,
    Refused,
    Tls,
    /// The proxy in between did not let us through.
    Proxy,
    Other,
}

/// What a call was waiting for when its time was up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Connect,
    /// Status and headers.
    Head,
    /// The next byte of the body or stream.
    Body,
}

/// Where another try could succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request fails everywhere in this group.
    Never,
    /// The fault lies with this deployment's credentials or account: only another deployment can do better.
    Elsewhere,
    /// A passing failure: the same deployment may answer the next time.
    Anywhere,
}

/// An upstream failure as a client and the policies see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub class: ErrorClass,
    /// The HTTP status of our answer; also the text in the body's `code`. 400 to 599.
    pub status: u16,
    /// `error.type`. `None` is `null`: what LiteLLM sends for an error inside a stream that says nothing about itself;
    /// an answer with a status of its own uses [`type_of_status`] instead.
    pub error_type: Option<Cow<'static, str>>,
    /// `error.param`.
    pub param: Option<String>,
    /// `error.message`: `litellm.<Class>: … - <upstream's text>`, at most a few KiB.
    pub message: String,
    /// What Azure's content filter found: `error.provider_specific_fields.innererror`.
    pub inner_error: Option<Value>,
    /// How long the upstream asks us to stay away.
    pub retry_after: Option<Duration>,
    pub retry: Retry,
    /// Our own clock ended the call: the upstream has not said anything wrong, it was slow.
    pub by_our_clock: bool,
    /// Nothing was sent: the request does not fit the deployment. Says nothing about the deployment's health.
    pub is_local: bool,
    /// The provider has too much to do, in Anthropic's words or by its status 529, which its clients know.
    pub is_overloaded: bool,
}

impl Failure {
    /// Whether any other try makes sense.
    pub fn retryable(&self) -> bool {
        self.retry != Retry::Never
    }

    /// The provider does not serve what a request asks for; nothing was sent (LiteLLM's UnsupportedParamsError). Another
    /// provider of the group may.
    pub fn unsupported(unsupported: &Unsupported) -> Self {
        let class = ErrorClass::UnsupportedParamsError;
        Self {
            class,
            status: class.status(None),
            error_type: Some(Cow::Borrowed(type_of_status(class.status(None)))),
            param: unsupported
                .parameters
                .first()
                .map(|name| masking::short(name)),
            message: format!("{}{unsupported}", class.prefix()),
            retry_after: None,
            retry: Retry::Elsewhere,
            inner_error: None,
            by_our_clock: false,
            is_local: true,
            is_overloaded: false,
        }
    }

    /// The provider's protocol cannot say what a request asks for in `field`, or the request is none; nothing was sent. A
    /// provider of another protocol may take it.
    pub fn unspeakable(provider: &str, field: &str, text: &str) -> Self {
        let class = ErrorClass::BadRequestError;
        Self {
            param: Some(masking::short(field)),
            retry: Retry::Elsewhere,
            ..Self::rehearsed(provider, class, text)
        }
    }

    /// A failure of this class that nobody had: to rehearse what follows one. Nothing was sent.
    pub fn rehearsed(provider: &str, class: ErrorClass, text: &str) -> Self {
        let status = class.status(None);
        Self {
            class,
            status,
            error_type: Some(Cow::Borrowed(type_of_status(status))),
            param: None,
            message: message(provider, Family::of(provider), class, text),
            inner_error: None,
            retry_after: None,
            retry: match status {
                429 | 500.. => Retry::Anywhere,
                _ => Retry::Never,
            },
            by_our_clock: false,
            is_local: true,
            is_overloaded: false,
        }
    }

    /// Masks a secret that was sent with the call, in case the upstream echoes one that has no telling form.
    /// Shorter than eight characters it is left alone: it could be any word.
    pub fn redact(&mut self, secret: &str) {
        if secret.len() >= masking::SHORTEST_SECRET && self.message.contains(secret) {
            self.message = self.message.replace(secret, masking::MASK);
        }
    }
}

/// `error.type` of an error that has none of its own.
pub const fn type_of_status(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        500.. => "internal_server_error",
        _ => "invalid_request_error",
    }
}

/// Classifies what one upstream call of `provider` (LiteLLM's name: `openai`, `groq`, `vertex_ai` …) came to.
/// `now` is in milliseconds since the Unix epoch, for a `retry-after` that is a date.
pub fn classify(provider: &str, upstream: &Upstream<'_>, now: i64) -> Failure {
    let family = Family::of(provider);
    let own = |class: ErrorClass, text: &str| Failure {
        class,
        status: class.status(None),
        error_type: Some(Cow::Borrowed(type_of_status(class.status(None)))),
        param: None,
        message: message(provider, family, class, text),
        inner_error: None,
        retry_after: None,
        retry: Retry::Anywhere,
        by_our_clock: matches!(upstream, Upstream::Timeout { .. }),
        is_local: false,
        is_overloaded: false,
    };
    match *upstream {
        Upstream::Status {
            status,
            headers,
            body,
        } => {
            let said = Said::new(Some(status), body);
            told(provider, family, &said, headers, now)
        }
        Upstream::InStream { frame } => told(
            provider,
            family,
            &Said::new(None, frame),
            Headers::default(),
            now,
        ),
        Upstream::ConnectFailed(problem) => own(
            ErrorClass::APIConnectionError,
            match problem {
                ConnectProblem::Dns => {
                    "Connection error. The upstream's host name could not be resolved."
                }
                ConnectProblem::Refused => "Connection error. The upstream refused the connection.",
                ConnectProblem::Tls => {
                    "Connection error. No TLS connection to the upstream could be made."
                }
                ConnectProblem::Proxy => {
                    "Connection error. The proxy to the upstream did not let the call through."
                }
                ConnectProblem::Other => "Connection error.",
            },
        ),
        Upstream::Timeout { after, stage } => {
            let waited_for = match stage {
                Stage::Connect => "a connection",
                Stage::Head => "the answer to begin",
                Stage::Body => "the answer to go on",
            };
            let seconds = after.as_secs_f64();
            own(
                ErrorClass::Timeout,
                &format!("Request timed out. Waited {seconds:.3} seconds for {waited_for}."),
            )
        }
        Upstream::Cut => own(
            ErrorClass::InternalServerError,
            "The upstream closed the connection before its answer was complete.",
        ),
        Upstream::Malformed => own(
            ErrorClass::InternalServerError,
            "The upstream answered with success, but its body is not what the API promises.",
        ),
        Upstream::NotServed { why } => Failure {
            retry: Retry::Elsewhere,
            is_local: true,
            ..own(
                ErrorClass::BadRequestError,
                &format!("This deployment cannot serve the request: {why}."),
            )
        },
        Upstream::NoToken { why } => Failure {
            retry: Retry::Elsewhere,
            ..own(
                ErrorClass::AuthenticationError,
                &format!(
                    "No token for this deployment could be got from Microsoft Entra ID: {why}."
                ),
            )
        },
        Upstream::Unreadable { why } => own(
            ErrorClass::InternalServerError,
            &format!("The upstream answered, but it cannot be read: {why}."),
        ),
    }
}

/// The failure an upstream told us about in its own words.
fn told(
    provider: &str,
    family: Family,
    said: &Said<'_>,
    headers: Headers<'_>,
    now: i64,
) -> Failure {
    let Verdict {
        class,
        status,
        hint,
    } = rules::judge(provider, family, said);
    let status = status.unwrap_or_else(|| class.status(said.status));
    let keeps_body = class == ErrorClass::BadRequestError && matches!(status, 400 | 422);
    let copied_type = said.error_type.as_deref().filter(|_| keeps_body);
    let error_type = match class {
        ErrorClass::RateLimitError => Some(Cow::Borrowed("throttling_error")),
        ErrorClass::APIConnectionError if said.status.is_none() => None,
        _ => Some(
            copied_type.map_or(Cow::Borrowed(type_of_status(status)), |text| {
                Cow::Owned(masking::short(text))
            }),
        ),
    };
    let keeps_param = keeps_body
        || matches!(
            class,
            ErrorClass::RateLimitError | ErrorClass::InternalServerError
        );
    let text = if family.shows_raw_body() {
        said.raw()
    } else {
        said.message()
    };
    let mut message = message(provider, family, class, &text);
    message.push_str(hint);
    Failure {
        class,
        status,
        error_type,
        param: said
            .param
            .as_deref()
            .filter(|_| keeps_param)
            .map(masking::short),
        message,
        inner_error: (class == ErrorClass::ContentPolicyViolationError)
            .then(|| said.inner_error())
            .flatten(),
        retry_after: headers.wait(now).or(said.retry_delay),
        retry: if headers.forbid_retry() {
            Retry::Never
        } else {
            rules::retry(class, status, said)
        },
        by_our_clock: false,
        is_local: false,
        is_overloaded: said.status == Some(529) || said.says("overloaded_error"),
    }
}

fn message(provider: &str, family: Family, class: ErrorClass, text: &str) -> String {
    let prefix = class.prefix();
    // OpenAI-compatible texts repeat the class; the others name it once.
    let repeated = if family == Family::OpenAi {
        class.repeated()
    } else {
        ""
    };
    let name = families::display_name(provider);
    format!(
        "{prefix}{repeated}{name}Exception - {}",
        masking::clean(text)
    )
}
