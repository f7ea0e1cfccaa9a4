//! What the spend log keeps of a request's own words: tags, session, metadata.

use std::sync::Arc;

use serde_json::Value;

use crate::protocol::openai::request::RequestError;
use crate::types::Labels;

/// Most tags of a request.
const MOST_TAGS: usize = 100;
/// Longest tag, in bytes.
const MOST_TAG: usize = 256;
/// Most bytes of `spend_logs_metadata`.
const MOST_METADATA: usize = 16 * 1024;

/// JSON as the row keeps it; none when there is nothing to keep.
pub fn to_json(labels: &Labels) -> Result<Option<Arc<str>>, RequestError> {
    if *labels == Labels::default() {
        return Ok(None);
    }
    let metadata = labels
        .spend_logs_metadata
        .as_ref()
        .map_or(0, |metadata| metadata.to_string().len());
    if metadata > MOST_METADATA {
        return Err(RequestError::WrongType {
            field: "spend_logs_metadata",
            expected: "at most 16 KiB of JSON",
        });
    }
    // Texts and values that were JSON always serialise.
    Ok(serde_json::to_string(labels).ok().map(Arc::from))
}

/// Where tags come from.
pub struct Sources<'a> {
    /// The body's `tags`: takes the place of the header's.
    pub body: Option<Value>,
    pub header: Vec<String>,
    pub metadata: Option<Value>,
    /// Of the key and its team.
    pub key: &'a [Arc<str>],
    pub named_headers: Vec<String>,
}

/// The tags of a request.
pub struct Tags {
    /// All of them, each once, in the order of their sources.
    pub all: Vec<String>,
    /// How many of them, from the first, choose deployments: those of named headers are for the books alone.
    pub for_routing: usize,
}

/// Gathers them.
pub fn tags(sources: Sources<'_>) -> Result<Tags, RequestError> {
    let mut tags = Vec::new();
    let asked = match sources.body {
        Some(body) => texts(body).ok_or(RequestError::WrongType {
            field: "tags",
            expected: "a list of texts",
        })?,
        None => sources.header,
    };
    // A list of other things is somebody's own metadata.
    let metadata = sources.metadata.and_then(texts).unwrap_or_default();
    let key = sources.key.iter().map(|tag| tag.to_string());
    for tag in asked.into_iter().chain(metadata).chain(key) {
        add(&mut tags, tag)?;
    }
    let for_routing = tags.len();
    for tag in sources.named_headers {
        add(&mut tags, tag)?;
    }
    Ok(Tags {
        all: tags,
        for_routing,
    })
}

fn add(tags: &mut Vec<String>, tag: String) -> Result<(), RequestError> {
    if tag.len() > MOST_TAG || tags.len() >= MOST_TAGS {
        return Err(RequestError::WrongType {
            field: "tags",
            expected: "at most 100 texts of at most 256 bytes",
        });
    }
    if !tag.is_empty() && !tags.contains(&tag) {
        tags.push(tag);
    }
    Ok(())
}

fn texts(list: Value) -> Option<Vec<String>> {
    let Value::Array(list) = list else {
        return None;
    };
    let text = |value| match value {
        Value::String(text) => Some(text),
        _ => None,
    };
    list.into_iter().map(text).collect()
}

/// A comma list, trimmed.
pub fn listed(text: &str) -> Vec<String> {
    text.split(',')
        .map(|tag| tag.trim().to_owned())
        .filter(|tag| !tag.is_empty())
        .collect()
}
