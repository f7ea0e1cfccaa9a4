//! A caller's own access: `api_key`, `api_base` (`base_url`), `extra_headers` of the body. Whether it may be used is for the
//! deployments' rules to say.

use serde_json::Value;

use super::Body;
use crate::policy::client_access::ClientAccess;
use crate::protocol::openai::request::RequestError;
use crate::types::Secret;

/// Longest key, address or header value, in bytes.
const MOST_TEXT: usize = 4096;
/// Most headers.
const MOST_HEADERS: usize = 32;

/// Headers that frame a message or say where it goes.
const OURS: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The fields of a body; none when it has none of them.
pub fn read(body: &Body<'_>) -> Result<Option<Box<ClientAccess>>, RequestError> {
    const FIELDS: [&str; 4] = ["api_key", "api_base", "base_url", "extra_headers"];
    if !body.0.addresses_any(&FIELDS) {
        return Ok(None);
    }
    let text = |field| match body.json(field)? {
        None => Ok(None),
        Some(Value::String(text)) if usable(&text) => Ok(Some(text)),
        Some(_) => Err(RequestError::WrongType {
            field,
            expected: "a text of printable characters, at most 4096 bytes",
        }),
    };
    let (base_field, base) = match text("api_base")? {
        Some(base) => ("api_base", Some(base)),
        None => ("base_url", text("base_url")?),
    };
    let access = ClientAccess {
        api_key: text("api_key")?.map(Secret::new),
        api_base: base.map(|base| base.trim_end_matches('/').to_owned()),
        base_field,
        extra_headers: body
            .json("extra_headers")?
            .map_or(Ok(Vec::new()), headers)?,
    };
    let is_empty =
        access.api_key.is_none() && access.api_base.is_none() && access.extra_headers.is_empty();
    Ok((!is_empty).then(|| Box::new(access)))
}

fn usable(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MOST_TEXT
        && text
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

fn headers(value: Value) -> Result<Vec<(String, Secret)>, RequestError> {
    let wrong = || RequestError::WrongType {
        field: "extra_headers",
        expected: "a map of at most 32 header names, none of them about the message's framing, to texts",
    };
    let Value::Object(map) = value else {
        return Err(wrong());
    };
    if map.len() > MOST_HEADERS {
        return Err(wrong());
    }
    let header = |(name, value): (String, Value)| {
        let name = name.to_ascii_lowercase();
        let is_name = !name.is_empty()
            && name.len() <= 256
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        match value {
            Value::String(value)
                if is_name && usable(&value) && OURS.binary_search(&&*name).is_err() =>
            {
                Ok((name, Secret::new(value)))
            }
            _ => Err(wrong()),
        }
    };
    map.into_iter().map(header).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_list_is_sorted_for_the_search() {
        assert!(super::OURS.is_sorted());
    }
}
