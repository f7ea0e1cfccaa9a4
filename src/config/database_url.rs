//! Where the database is.

use std::path::PathBuf;
use std::str::FromStr;

use crate::types::Secret;

/// A database, by the scheme of its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// An absolute path; the file is created when missing, its folder is not.
    Sqlite(PathBuf),
    /// The whole URL, for libpq; a secret because it usually has a password in it.
    Postgres(Secret),
}

/// The URL is none that can be used. The text does not repeat it: there may be a password in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    #[error(
        "expected `sqlite:///absolute/path.db`, `postgres://user:password@host/name` or `postgresql://…`, \
         found another kind of URL"
    )]
    Scheme,
    #[error(
        "expected an absolute path to a file after `sqlite://`, as in `sqlite:///var/lib/pointsman/pointsman.db`"
    )]
    SqlitePath,
    #[error("expected a host or database name after `postgres://`")]
    PostgresTarget,
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").ok_or(DatabaseUrlError::Scheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            "sqlite" => {
                let file = rest.rsplit('/').next().unwrap_or_default();
                let names_a_file = !file.is_empty() && file != "." && file != "..";
                // Parameters are not understood, and a file name with a question mark is not meant.
                if !rest.starts_with('/') || !names_a_file || rest.contains(['?', '\0']) {
                    return Err(DatabaseUrlError::SqlitePath);
                }
                Ok(Self::Sqlite(PathBuf::from(rest)))
            }
            "postgres" | "postgresql" if rest.trim_matches('/').is_empty() => {
                Err(DatabaseUrlError::PostgresTarget)
            }
            "postgres" | "postgresql" => Ok(Self::Postgres(Secret::new(text))),
            _ => Err(DatabaseUrlError::Scheme),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (text, expected) in [
            (
                "sqlite:///data/p.db",
                Ok(DatabaseUrl::Sqlite("/data/p.db".into())),
            ),
            (
                "postgres://u:p@h/d",
                Ok(DatabaseUrl::Postgres(Secret::new("postgres://u:p@h/d"))),
            ),
            (
                "postgresql://u@h:5432/d?sslmode=require",
                Ok(DatabaseUrl::Postgres(Secret::new(
                    "postgresql://u@h:5432/d?sslmode=require",
                ))),
            ),
            ("sqlite://data/p.db", Err(DatabaseUrlError::SqlitePath)),
            ("sqlite:///data/", Err(DatabaseUrlError::SqlitePath)),
            ("sqlite:///p.db?mode=ro", Err(DatabaseUrlError::SqlitePath)),
            ("sqlite:p.db", Err(DatabaseUrlError::Scheme)),
            ("mysql://h/d", Err(DatabaseUrlError::Scheme)),
            ("postgres://", Err(DatabaseUrlError::PostgresTarget)),
            ("", Err(DatabaseUrlError::Scheme)),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
        assert!(
            !format!("{:?}", "postgres://u:hidden@h/d".parse::<DatabaseUrl>()).contains("hidden")
        );
    }
}
