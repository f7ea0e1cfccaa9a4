//! What the headers of a request ask for, found in one pass.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::rules::Rules;
use super::session::SessionHeaders;
use super::{RETRIES, SECONDS, labels, retries, time_limit};
use crate::protocol::openai::request::RequestError;

/// Longest user agent that is kept, in bytes.
const MOST_AGENT: usize = 256;
/// Headers of one request that list betas.
const MOST_BETA_HEADERS: usize = 16;
/// User agents a thread remembers.
const MOST_AGENTS: usize = 512;

/// See the module.
#[derive(Debug, Default)]
pub struct ByHeader {
    pub timeout: Option<Duration>,
    pub stream_timeout: Option<Duration>,
    pub num_retries: Option<u32>,
    pub end_user: Option<Arc<str>>,
    /// `x-litellm-tags`.
    pub tags: Vec<String>,
    /// Values of `extra_spend_tag_headers`.
    pub tag_headers: Vec<String>,
    pub spend_logs_metadata: Option<Value>,
    pub session: Option<Arc<str>>,
    /// A W3C trace: the last resort for a session.
    pub trace: Option<Arc<str>>,
    pub user_agent: Option<Arc<str>>,
    /// `x-pointsman-explain: true`.
    pub explain: bool,
    pub anthropic: Option<Box<AnthropicWishes>>,
}

/// What the headers of Anthropic's API ask for.
#[derive(Clone, Debug, Default)]
pub struct AnthropicWishes {
    /// `anthropic-version`.
    pub version: Option<HeaderValue>,
    /// Lists of betas, as the client's `anthropic-beta` headers have them.
    pub betas: Vec<String>,
}

impl ByHeader {
    pub fn read(headers: &HeaderMap, rules: &Rules) -> Result<Self, RequestError> {
        let mut found = Self::default();
        let mut session = SessionHeaders::default();
        // A mapped header beats nothing but the body.
        let mut mapped: Option<(usize, Arc<str>)> = None;
        for (name, value) in headers {
            let text = name.as_str();
            match text {
                "x-litellm-timeout" => {
                    found.timeout = Some(seconds("x-litellm-timeout", value)?);
                }
                "x-litellm-stream-timeout" => {
                    found.stream_timeout = Some(seconds("x-litellm-stream-timeout", value)?);
                }
                "anthropic-version" => {
                    let wishes = found.anthropic.get_or_insert_default();
                    wishes.version = Some(value.clone());
                }
                "anthropic-beta" => {
                    let wishes = found.anthropic.get_or_insert_default();
                    if wishes.betas.len() < MOST_BETA_HEADERS {
                        wishes.betas.extend(plain(value).map(str::to_owned));
                    }
                }
                "x-pointsman-explain" => {
                    found.explain = plain(value)
                        .is_some_and(|text| text == "1" || text.eq_ignore_ascii_case("true"));
                }
                "x-litellm-num-retries" => {
                    let number = plain(value).and_then(|text| text.trim().parse().ok());
                    found.num_retries = Some(retries(number.ok_or(RequestError::WrongType {
                        field: "x-litellm-num-retries",
                        expected: RETRIES,
                    })?));
                }
                "x-litellm-customer-id" => found.end_user = plain(value).map(Arc::from),
                "x-litellm-end-user-id" if found.end_user.is_none() => {
                    found.end_user = plain(value).map(Arc::from);
                }
                "x-litellm-tags" => found.tags = labels::listed(plain(value).unwrap_or_default()),
                "x-litellm-spend-logs-metadata" => {
                    found.spend_logs_metadata = spend_logs_metadata(value);
                }
                "user-agent" => found.user_agent = agent(value),
                "traceparent" => found.trace = plain(value).and_then(super::session::trace),
                _ if text.starts_with("x-") || text.ends_with("-id") || text == "baggage" => {
                    if let Some(value) = plain(value) {
                        session.see(text, value);
                    }
                }
                _ => {}
            }
            if let Some(place) = position(&rules.user_headers, name)
                && mapped.as_ref().is_none_or(|(before, _)| place < *before)
                && let Some(value) = plain(value).filter(|value| !value.is_empty())
            {
                mapped = Some((place, value.into()));
            }
            if position(&rules.tag_headers, name).is_some()
                && let Some(value) = plain(value)
            {
                found.tag_headers.push(value.to_owned());
            }
        }
        found.end_user = found
            .end_user
            .filter(|user| !user.is_empty())
            .or(mapped.map(|(_, user)| user));
        found.session = session.chosen;
        found.trace = found.trace.or(session.baggage);
        Ok(found)
    }
}

fn position(names: &[HeaderName], name: &HeaderName) -> Option<usize> {
    names.iter().position(|known| known == name)
}

fn plain(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}

fn seconds(field: &'static str, value: &HeaderValue) -> Result<Duration, RequestError> {
    let number = plain(value).and_then(|text| text.trim().parse().ok());
    number.and_then(time_limit).ok_or(RequestError::WrongType {
        field,
        expected: SECONDS,
    })
}

/// What is no JSON object is ignored, as in LiteLLM.
fn spend_logs_metadata(value: &HeaderValue) -> Option<Value> {
    let read = serde_json::from_slice::<Value>(value.as_bytes()).ok();
    let object = read.filter(Value::is_object);
    if object.is_none() {
        log::warn!("x-litellm-spend-logs-metadata is no JSON object: ignored");
    }
    object
}

/// The same few programs call all the time: a thread keeps their names.
fn agent(value: &HeaderValue) -> Option<Arc<str>> {
    thread_local! {
        static AGENTS: RefCell<HashMap<HeaderValue, Arc<str>, foldhash::fast::RandomState>> = RefCell::default();
    }
    AGENTS.with_borrow_mut(|agents| {
        if let Some(known) = agents.get(value) {
            return Some(known.clone());
        }
        let text = plain(value)?.trim();
        if text.is_empty() {
            return None;
        }
        let agent: Arc<str> = text[..text.floor_char_boundary(MOST_AGENT)].into();
        if agents.len() < MOST_AGENTS && value.len() <= MOST_AGENT {
            agents.insert(value.clone(), agent.clone());
        }
        Some(agent)
    })
}
