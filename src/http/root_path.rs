//! `SERVER_ROOT_PATH`: the path below which a proxy in front shows the gateway.

use std::fmt;

/// Empty, or `/like/this`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RootPath(String);

/// The text is no path. Ends a sentence that names the variable.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "expected a path such as `/llm` (letters, digits, `-`, `_`, `.`, `~` between slashes), found {0:?}"
)]
pub struct RootPathError(String);

impl RootPath {
    /// Reads what the variable holds; slashes at the ends are put right. Nothing and `/` mean no prefix.
    pub fn new(text: &str) -> Result<Self, RootPathError> {
        let inner = text.trim().trim_matches('/');
        if inner.is_empty() {
            return Ok(Self::default());
        }
        let is_name = |segment: &str| {
            !matches!(segment, "" | "." | "..")
                && segment
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b))
        };
        if inner.split('/').all(is_name) {
            Ok(Self(format!("/{inner}")))
        } else {
            Err(RootPathError(text.chars().take(100).collect()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RootPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (text, expected) in [
            ("", ""),
            ("/", ""),
            ("llm", "/llm"),
            ("/llm/", "/llm"),
            (" /a/b-c.d ", "/a/b-c.d"),
        ] {
            assert_eq!(
                RootPath::new(text).map(|path| path.to_string()).as_deref(),
                Ok(expected)
            );
        }
        for text in ["/a//b", "/{x}", "a b", "/../a", "http://h/a", "/ä"] {
            assert!(RootPath::new(text).is_err(), "{text}");
        }
    }
}
