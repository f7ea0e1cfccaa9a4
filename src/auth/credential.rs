//! The key in the headers: LiteLLM's order of places, the first that is present wins even when its value is wrong.

use actix_web::http::header::HeaderMap;

/// Places after `x-litellm-api-key` and `Authorization`, which have rules of their own.
const BARE: [&str; 4] = [
    "api-key",
    "x-api-key",
    "x-goog-api-key",
    "ocp-apim-subscription-key",
];

/// No usable credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    #[error("No api key passed in.")]
    Missing,
    #[error("Malformed API Key passed in. Ensure Key has `Bearer ` prefix.")]
    Malformed,
}

/// The key that a request carries.
pub fn credential(headers: &HeaderMap) -> Result<&str, CredentialError> {
    if let Some(value) = headers.get("x-litellm-api-key") {
        return nonempty(without_scheme(text(value)?));
    }
    if let Some(value) = headers.get("authorization") {
        // An empty header counts as absent.
        let value = text(value)?;
        if !value.is_empty() {
            return nonempty(without_scheme(value));
        }
    }
    match BARE.iter().find_map(|name| headers.get(*name)) {
        Some(value) => nonempty(text(value)?),
        None => Err(CredentialError::Missing),
    }
}

fn text(value: &actix_web::http::header::HeaderValue) -> Result<&str, CredentialError> {
    value
        .to_str()
        .map(str::trim)
        .map_err(|_| CredentialError::Malformed)
}

fn without_scheme(value: &str) -> &str {
    match value.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
        _ if value.eq_ignore_ascii_case("bearer") => "",
        _ => value,
    }
}

fn nonempty(value: &str) -> Result<&str, CredentialError> {
    if value.is_empty() {
        Err(CredentialError::Malformed)
    } else {
        Ok(value)
    }
}

/// A key for a message: `sk-...` and its last four characters.
pub fn abbreviated(key: &str) -> String {
    let tail: Vec<char> = key.chars().rev().take(4).collect();
    // A short text would be shown almost whole.
    if key.chars().count() < 12 {
        return "sk-...".to_owned();
    }
    format!("sk-...{}", tail.into_iter().rev().collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn found(headers: &[(&str, &str)]) -> Result<String, CredentialError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        credential(&map).map(str::to_owned)
    }

    #[test]
    fn every_place_and_its_order() {
        let key = Ok("sk-a".to_owned());
        for headers in [
            [("authorization", "Bearer sk-a")],
            [("authorization", "bearer  sk-a")],
            [("authorization", "sk-a")],
            [("x-litellm-api-key", "Bearer sk-a")],
            [("x-litellm-api-key", "sk-a")],
            [("api-key", "sk-a")],
            [("x-api-key", "sk-a")],
            [("x-goog-api-key", "sk-a")],
            [("ocp-apim-subscription-key", "sk-a")],
        ] {
            assert_eq!(found(&headers), key, "{headers:?}");
        }
        assert_eq!(
            found(&[("x-api-key", "sk-b"), ("authorization", "Bearer sk-a")]),
            key
        );
        assert_eq!(
            found(&[
                ("authorization", "Bearer vendor"),
                ("x-litellm-api-key", "sk-a")
            ]),
            key
        );
        assert_eq!(found(&[("authorization", ""), ("x-api-key", "sk-a")]), key);
    }

    #[test]
    fn what_is_missing_or_malformed() {
        assert_eq!(found(&[]), Err(CredentialError::Missing));
        assert_eq!(
            found(&[("authorization", "")]),
            Err(CredentialError::Missing)
        );
        assert_eq!(
            found(&[("authorization", "Bearer ")]),
            Err(CredentialError::Malformed)
        );
        assert_eq!(found(&[("x-api-key", "")]), Err(CredentialError::Malformed));
    }

    #[test]
    fn keys_are_abbreviated() {
        assert_eq!(abbreviated("sk-1234567890abcd"), "sk-...abcd");
        assert_eq!(abbreviated("sk-12"), "sk-...");
    }
}
