//! What a request asks of the gateway itself: time limits, retries, and whose call it is in the books.
//!
//! Read once a request, from its headers and from the body fields that the scan has set aside, with LiteLLM's precedence:
//! a header beats the body for limits and retries, the body's `tags` beat the header's. Everything is bounded; what cannot be
//! meant is refused with its field and what would be right. A request that asks for nothing costs one look at its headers.

mod access;
mod failover;
mod headers;
mod labels;
mod lar1;
mod metadata;
mod rules;
mod session;
#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderMap;
use serde_json::Value;

pub use self::failover::{FailoverWishes, Rehearsal};
pub use self::headers::AnthropicWishes;
pub use self::rules::Rules;

use self::headers::ByHeader;
use self::metadata::Metadata;
use super::auto_route::Led;
use super::continuity::Continuity;
use crate::policy::caller_settings::CallerSettings;
use crate::policy::client_access::ClientAccess;
use crate::policy::retry::RetryPolicy;
use crate::policy::strategies::lar1::Said;
use crate::protocol::mock::{FIELDS as MOCK_FIELDS, Mock};
use crate::protocol::openai::request::{Request, RequestError};
use crate::router::{Deployment, Explained, Group, Pin, RoutingTable};
use crate::types::{Labels, Operation, Principal};

/// No call is given longer: a day.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// No caller gets more retries of one request.
const MOST_RETRIES: u32 = 20;
/// Longest name of something configured, in bytes.
const MOST_NAME: usize = 256;
/// Bytes of an id that a caller gives: an end user, a session.
const MOST_ID: usize = 1024;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// For a whole answer.
    pub timeout: Option<Duration>,
    /// For the head of a stream, and between its pieces.
    stream_timeout: Option<Duration>,
    num_retries: Option<u32>,
    pub end_user: Option<Arc<str>>,
    /// Who the caller's program says it is.
    pub user_agent: Option<Arc<str>>,
    /// Tags, session and metadata for the spend log, as JSON.
    pub labels: Option<Arc<str>>,
    /// What deployments are chosen by, where they are chosen by tags: its own, and those of key and team.
    pub tags: Vec<String>,
    /// Its turn where requests wait: lower ones are next.
    pub priority: Option<i64>,
    /// To which session it belongs.
    pub session: Option<Arc<str>>,
    /// Where decisions about it are told, if it wants to know.
    pub explained: Option<Arc<Explained>>,
    /// It wants to be served by tags, whatever the group does.
    pub filters_tags: bool,
    /// The region that may serve it: the key's or the team's, else what it says itself.
    pub region: Option<Arc<str>>,
    /// What key or team say of its routing.
    pub settings: Option<Arc<CallerSettings>>,
    /// The least quality that it wants of an adaptive router's groups, as it says it in its metadata.
    pub min_quality_tier: Option<Box<str>>,
    /// How sure its agent is, for groups that go by it.
    pub lar1: Option<Said>,
    /// Where an auto router has led it.
    pub led: Option<Rc<Led>>,
    /// The caller's own access, where deployments allow it.
    pub access: Option<Box<ClientAccess>>,
    /// Answered by the gateway itself, because the caller may ask for that.
    pub mock: Option<Mock>,
    /// For providers that speak Anthropic's protocol.
    pub anthropic: Option<Box<AnthropicWishes>>,
    /// What it says about fallbacks, if anything.
    pub failover: Option<Box<FailoverWishes>>,
    /// What a request of the Responses API goes on from.
    pub continuity: Option<Rc<Continuity>>,
    /// Its model is a deployment's own `litellm_params.model`.
    pub names_deployment: bool,
    /// A copy of another request, for `silent_model`.
    pub is_copy: bool,
}

impl Asked {
    /// Reads a request of `principal`.
    pub fn read(
        rules: &Rules,
        headers: &HeaderMap,
        request: &Request<'_>,
        principal: &Principal,
    ) -> Result<Self, RequestError> {
        let header = ByHeader::read(headers, rules)?;
        let body = Body(request);
        let metadata = Metadata::read(request)?;
        if rules.no_tags_by_metadata && metadata.tags.is_some() {
            return Err(RequestError::WrongType {
                field: "metadata.tags",
                expected: "left out: this gateway takes no tags from callers' metadata",
            });
        }
        let timeout = match header.timeout {
            Some(timeout) => Some(timeout),
            None => body
                .seconds("timeout")?
                .or(body.seconds("request_timeout")?),
        };
        let stream_timeout = match header.stream_timeout {
            Some(timeout) => Some(timeout),
            None => body.seconds("stream_timeout")?,
        };
        let num_retries = match header.num_retries {
            Some(retries) => Some(retries),
            None => body.retries()?,
        };
        let end_user = header
            .end_user
            .or_else(|| body.text("user"))
            .or(metadata.user.as_deref().map(Arc::from))
            .or(metadata.user_id.as_deref().map(Arc::from))
            .or_else(|| body.text("safety_identifier"))
            .filter(|user| !user.is_empty() && !rules.no_end_users)
            .map(|user| bounded(&user));
        let session_id = header
            .session
            .or_else(|| metadata.anthropic_session().map(Arc::from))
            .or(header.trace)
            .or_else(|| body.text("litellm_trace_id"))
            .or_else(|| body.text("litellm_session_id"))
            .or(metadata.session_id.as_deref().map(Arc::from))
            .or(metadata.trace_id.as_deref().map(Arc::from))
            .filter(|session| !session.is_empty())
            .map(|session| bounded(&session));
        let tags = labels::tags(labels::Sources {
            body: body.json("tags")?,
            header: header.tags,
            metadata: metadata.tags,
            key: &principal.options.tags,
            named_headers: header.tag_headers,
        })?;
        let mut labels = Labels {
            tags: tags.all,
            session_id: session_id.clone(),
            previous_models: Vec::new(),
            is_silent_experiment: false,
            spend_logs_metadata: match header.spend_logs_metadata {
                Some(metadata) => Some(metadata),
                None => metadata.spend_logs_metadata,
            },
        };
        let json = labels::to_json(&labels)?;
        labels.tags.truncate(tags.for_routing);
        Ok(Self {
            timeout,
            stream_timeout,
            num_retries,
            end_user,
            user_agent: header.user_agent,
            labels: json,
            tags: labels.tags,
            filters_tags: body.flag("enable_tag_filtering")?,
            region: match &principal.options.region {
                Some(region) => Some(region.clone()),
                None => body.name("allowed_model_region")?,
            },
            settings: None,
            session: session_id,
            priority: body.priority()?,
            explained: header.explain.then(Arc::default),
            min_quality_tier: metadata.min_quality_tier.map(String::into_boxed_str),
            lar1: metadata.lar1.as_ref().map(lar1::read),
            led: None,
            access: access::read(&body)?,
            mock: body.mock(rules, principal)?,
            anthropic: header.anthropic,
            failover: failover::read(&body, rules)?,
            continuity: None,
            is_copy: false,
            names_deployment: body.flag("specific_deployment")?,
        })
    }

    /// What key or team say counts where the request says nothing itself.
    pub fn under(mut self, settings: Option<&Arc<CallerSettings>>) -> Self {
        let Some(settings) = settings else {
            return self;
        };
        self.timeout = self.timeout.or(settings.timeout);
        self.num_retries = self.num_retries.or(settings.num_retries);
        self.filters_tags |= settings.tag_filtering;
        self.settings = Some(settings.clone());
        self
    }

    /// Whether it may be for some deployments of any group only.
    pub fn is_choosy(&self) -> bool {
        self.filters_tags || self.region.is_some()
    }

    /// What the gateway asks when it calls a group for its own sake.
    pub fn of_the_gateway(led: Led) -> Self {
        Self {
            led: Some(Rc::new(led)),
            ..Self::default()
        }
    }

    /// Says that the request is a copy of another one, in its row too.
    pub fn be_copy(&mut self) {
        let read = self.labels.as_deref().map(serde_json::from_str);
        let mut labels: Labels = read.and_then(Result::ok).unwrap_or_default();
        labels.is_silent_experiment = true;
        // Texts and numbers always serialise.
        self.labels = serde_json::to_string(&labels).ok().map(Arc::from);
        self.is_copy = true;
    }

    /// The deployment that the request refers to.
    pub fn pin(&self) -> Option<Pin> {
        self.continuity.as_ref()?.pin
    }

    /// The time limit of one upstream call: of the whole answer, or of a stream's head and each of its gaps.
    ///
    /// LiteLLM 1.106.2: for streams, what is said about streams beats what is said about calls, be it by the deployment.
    pub fn limit(&self, deployment: &Deployment, stream: bool) -> Duration {
        let of_streams = self.stream_timeout.or(deployment.stream_timeout);
        of_streams
            .filter(|_| stream)
            .or(self.timeout)
            .unwrap_or(deployment.timeout)
    }

    /// The caller allows a call less time than the configuration does: that the deployment needs longer is no fault of it.
    pub fn is_hurried(&self, deployment: &Deployment) -> bool {
        let own = deployment.stream_timeout.unwrap_or(deployment.timeout);
        let shortest = self.stream_timeout.into_iter().chain(self.timeout).min();
        shortest.is_some_and(|limit| limit < own.min(deployment.timeout))
    }

    /// How often a failure at this deployment of a group is tried again.
    pub fn retry_policy(
        &self,
        deployment: &Deployment,
        table: &RoutingTable,
        group: &Group,
    ) -> RetryPolicy {
        let settings = self.settings.as_deref();
        let own = settings.and_then(|settings| settings.retries_of(&group.name));
        let policy = RetryPolicy {
            num_retries: deployment.num_retries,
            by_class: own.unwrap_or(group.retries_by_class),
            min_wait: table.failover.min_wait,
        };
        policy.asked_for(self.num_retries)
    }
}

/// The body's fields that address the gateway.
struct Body<'a>(&'a Request<'a>);

impl Body<'_> {
    fn json(&self, field: &'static str) -> Result<Option<Value>, RequestError> {
        let Some(raw) = self.0.addressed(field) else {
            return Ok(None);
        };
        let value: Value =
            serde_json::from_slice(raw).map_err(|error| RequestError::Json(error.to_string()))?;
        Ok(Some(value).filter(|value| !value.is_null()))
    }

    /// Text; a number counts as the text that was written. Anything else names nobody.
    fn text(&self, field: &'static str) -> Option<Arc<str>> {
        match self.json(field).ok()?? {
            Value::String(text) => Some(text.into()),
            Value::Number(number) => Some(number.to_string().into()),
            _ => None,
        }
    }

    /// A short text.
    fn name(&self, field: &'static str) -> Result<Option<Arc<str>>, RequestError> {
        match self.json(field)? {
            None => Ok(None),
            Some(Value::String(text)) if (1..=MOST_NAME).contains(&text.len()) => {
                Ok(Some(text.into()))
            }
            Some(_) => Err(RequestError::WrongType {
                field,
                expected: "a text of 1 to 256 bytes",
            }),
        }
    }

    fn seconds(&self, field: &'static str) -> Result<Option<Duration>, RequestError> {
        let Some(value) = self.json(field)? else {
            return Ok(None);
        };
        let number = match &value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number
            .and_then(time_limit)
            .map(Some)
            .ok_or(RequestError::WrongType {
                field,
                expected: SECONDS,
            })
    }

    /// Absent means no.
    fn flag(&self, field: &'static str) -> Result<bool, RequestError> {
        let Some(raw) = self.0.addressed(field) else {
            return Ok(false);
        };
        match raw {
            b"true" => Ok(true),
            b"false" | b"null" => Ok(false),
            _ => Err(RequestError::WrongType {
                field,
                expected: "true or false",
            }),
        }
    }

    /// Of chats alone, as in LiteLLM.
    fn priority(&self) -> Result<Option<i64>, RequestError> {
        const FIELD: &str = "priority";
        if self.0.operation() != Operation::Chat {
            return Ok(None);
        }
        let Some(value) = self.json(FIELD)? else {
            return Ok(None);
        };
        let number = value.as_i64();
        number.map(Some).ok_or(RequestError::WrongType {
            field: FIELD,
            expected: "a whole number; lower ones are next",
        })
    }

    fn retries(&self) -> Result<Option<u32>, RequestError> {
        const FIELD: &str = "num_retries";
        let Some(value) = self.json(FIELD)? else {
            return Ok(None);
        };
        let number = match &value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number
            .map(|number| Some(retries(number)))
            .ok_or(RequestError::WrongType {
                field: FIELD,
                expected: RETRIES,
            })
    }

    /// A mock is made for callers who may ask for one; others get the answer they would have had anyway (`mock_response`), or
    /// are told (what makes the gateway wait).
    fn mock(&self, rules: &Rules, principal: &Principal) -> Result<Option<Mock>, RequestError> {
        if !self.0.addresses_any(&MOCK_FIELDS) {
            return Ok(None);
        }
        let may_wait = rules.mock_testing;
        for field in ["mock_timeout", "mock_delay"] {
            if !may_wait && self.json(field)?.is_some() {
                return Err(RequestError::WrongType {
                    field,
                    expected: "left out: general_settings.dangerously_allow_mock_testing_request_params is not set",
                });
            }
        }
        let may_say = principal.options.client_mocks;
        let get = |field: &str| {
            let name = MOCK_FIELDS.into_iter().find(|known| *known == field)?;
            let says = ["mock_response", "mock_tool_calls"].contains(&name);
            (may_say || !says).then(|| self.json(name).ok()?).flatten()
        };
        Mock::read(get).map_err(|wrong| RequestError::WrongType {
            field: wrong.field,
            expected: wrong.expected,
        })
    }
}

const SECONDS: &str = "a number of seconds greater than 0";
const RETRIES: &str = "a whole number ≥ 0";

/// Seconds as a time limit; more than a day counts as a day.
fn time_limit(seconds: f64) -> Option<Duration> {
    (seconds.is_finite() && seconds > 0.0)
        .then(|| Duration::try_from_secs_f64(seconds).map_or(LONGEST, |limit| limit.min(LONGEST)))
}

fn retries(number: u64) -> u32 {
    u32::try_from(number).map_or(MOST_RETRIES, |number| number.min(MOST_RETRIES))
}

/// An id short enough for a row.
fn bounded(text: &Arc<str>) -> Arc<str> {
    if text.len() <= MOST_ID {
        return text.clone();
    }
    text[..text.floor_char_boundary(MOST_ID)].into()
}
