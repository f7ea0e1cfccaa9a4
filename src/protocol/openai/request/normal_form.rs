//! The slow way: an object written anew so that it can be edited by span.

use super::RequestError;
use crate::protocol::json;

/// The same object with each key once (the last one wins, as in every JSON library the providers use), no key escaped, and
/// the values of `model` and `user` free of escapes where their text allows it.
pub fn normal_form(body: &[u8]) -> Result<Vec<u8>, RequestError> {
    let fields = json::raw_fields(body).map_err(|error| RequestError::Json(error.to_string()))?;
    let mut out = vec![b'{'];
    for (position, (key, value)) in fields.iter().enumerate() {
        if fields[position + 1..].iter().any(|(later, _)| later == key) {
            continue;
        }
        if out.len() > 1 {
            out.push(b',');
        }
        let quoted_key = json::quoted(key);
        if quoted_key.contains(&b'\\') {
            // A key that must stay escaped (a quote, a control character) is none that the gateway knows.
            return Err(RequestError::Json(
                "a field name holds a control character, a quote or a backslash".to_owned(),
            ));
        }
        out.extend_from_slice(&quoted_key);
        out.push(b':');
        match key.as_str() {
            "model" | "user" | "service_tier" => {
                match serde_json::from_str::<String>(value.get()) {
                    Ok(text) => {
                        let plain = json::quoted(&text);
                        if key == "model" && plain.contains(&b'\\') {
                            return Err(RequestError::ModelUnspeakable);
                        }
                        out.extend_from_slice(&plain);
                    }
                    Err(_) => out.extend_from_slice(value.get().as_bytes()),
                }
            }
            _ => out.extend_from_slice(value.get().as_bytes()),
        }
    }
    out.push(b'}');
    Ok(out)
}
