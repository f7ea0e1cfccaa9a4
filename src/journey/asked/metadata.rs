//! `metadata` and `litellm_metadata` of a body: what of them is for the gateway.

use serde::Deserialize;
use serde_json::Value;

use crate::protocol::json;
use crate::protocol::openai::request::{Request, RequestError, refused_within};

/// Most bytes of one of them.
const MOST_BYTES: usize = 64 * 1024;

/// Both together; what `litellm_metadata` says wins.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Metadata {
    pub tags: Option<Value>,
    pub spend_logs_metadata: Option<Value>,
    #[serde(deserialize_with = "text")]
    pub user: Option<String>,
    #[serde(deserialize_with = "text")]
    pub user_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub session_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub trace_id: Option<String>,
    /// For adaptive routers.
    #[serde(deserialize_with = "text")]
    pub min_quality_tier: Option<String>,
    pub lar1: Option<Value>,
}

/// Text; other kinds of values say nothing to the gateway.
fn text<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(value)? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

impl Metadata {
    pub fn read(request: &Request<'_>) -> Result<Self, RequestError> {
        // `user` names the end user in `litellm_metadata` only.
        let theirs = one(request, "metadata")?.map_or_else(Self::default, |theirs| Self {
            user: None,
            ..theirs
        });
        let Some(ours) = one(request, "litellm_metadata")? else {
            return Ok(theirs);
        };
        Ok(Self {
            tags: ours.tags.or(theirs.tags),
            spend_logs_metadata: ours.spend_logs_metadata.or(theirs.spend_logs_metadata),
            user: ours.user,
            user_id: theirs.user_id,
            session_id: ours.session_id.or(theirs.session_id),
            trace_id: ours.trace_id.or(theirs.trace_id),
            min_quality_tier: ours.min_quality_tier.or(theirs.min_quality_tier),
            lar1: ours.lar1.or(theirs.lar1),
        })
    }

    /// The session in Anthropic's `user_id`: `user_x_account_y_session_z`.
    pub fn anthropic_session(&self) -> Option<&str> {
        let (_, session) = self.user_id.as_deref()?.rsplit_once("_session_")?;
        Some(session).filter(|session| !session.is_empty())
    }
}

/// One of the two: a map, or JSON text of one.
fn one(request: &Request<'_>, field: &'static str) -> Result<Option<Metadata>, RequestError> {
    let Some(raw) = request.addressed(field).filter(|raw| *raw != b"null") else {
        return Ok(None);
    };
    let wrong = |expected| RequestError::WrongType { field, expected };
    if raw.len() > MOST_BYTES {
        return Err(wrong("at most 64 KiB of JSON"));
    }
    let decoded = json::decoded(raw);
    let raw = decoded.as_deref().map_or(raw, str::as_bytes);
    if let Some(refused) = refused_within(raw) {
        return Err(RequestError::Refused(refused));
    }
    // To serde a list could be a map without its keys.
    if !raw.trim_ascii_start().starts_with(b"{") {
        return Err(wrong("a map"));
    }
    serde_json::from_slice(raw)
        .map(Some)
        .map_err(|_| wrong("a map"))
}
