//! A database URL from LiteLLM's single variables: `DATABASE_HOST`, `DATABASE_USERNAME`, `DATABASE_PASSWORD`,
//! `DATABASE_NAME`, and where they are set `DATABASE_PORT` and `DATABASE_SCHEMA`.

use std::fmt::Write;

/// The URL; `None` unless host, user and name are set.
pub fn url(env: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let part = |name: &str| env(name).filter(|value| !value.is_empty());
    let host = part("DATABASE_HOST")?;
    let user = encoded(&part("DATABASE_USERNAME").or_else(|| part("DATABASE_USER"))?);
    let name = encoded(&part("DATABASE_NAME")?);
    let password = part("DATABASE_PASSWORD")
        .map(|password| format!(":{}", encoded(&password)))
        .unwrap_or_default();
    let port = part("DATABASE_PORT")
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let schema = part("DATABASE_SCHEMA")
        .map(|schema| format!("?schema={}", encoded(&schema)))
        .unwrap_or_default();
    Some(format!(
        "postgresql://{user}{password}@{host}{port}/{name}{schema}"
    ))
}

/// Percent-encoded, as a part of a URL.
pub fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_a_url() {
        let all = [
            ("DATABASE_HOST", "db.example"),
            ("DATABASE_USERNAME", "me"),
            ("DATABASE_PASSWORD", "p@ss/wörd"),
            ("DATABASE_NAME", "llm"),
            ("DATABASE_PORT", "5433"),
            ("DATABASE_SCHEMA", "gate way"),
        ];
        for (count, expected) in [
            (2, None),
            (4, Some("postgresql://me:p%40ss%2Fw%C3%B6rd@db.example/llm")),
            (
                6,
                Some("postgresql://me:p%40ss%2Fw%C3%B6rd@db.example:5433/llm?schema=gate%20way"),
            ),
        ] {
            let env = |name: &str| {
                let set = all.iter().take(count).find(|(known, _)| *known == name);
                set.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(url(&env).as_deref(), expected);
        }
    }
}
