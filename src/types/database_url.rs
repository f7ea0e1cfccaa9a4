//! Where the data are, from `database_url`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::Secret;

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

impl DatabaseUrl {
    /// With a parameter of the connection, unless the URL has it or is SQLite's, which has none. Both as a URL writes them.
    pub fn with_parameter(self, name: &str, value: &str) -> Self {
        let Self::Postgres(url) = &self else {
            return self;
        };
        let url = url.expose();
        let query = url.split_once('?').map(|(_, query)| query);
        let is_there = |parameter: &str| parameter.split('=').next() == Some(name);
        if query.is_some_and(|query| query.split('&').any(is_there)) {
            return self;
        }
        let separator = if query.is_some() { '&' } else { '?' };
        Self::Postgres(Secret::new(format!("{url}{separator}{name}={value}")))
    }

    /// `text` without the URL and the password in it: libpq repeats what it could not read.
    pub fn redact(&self, text: &str) -> String {
        let Self::Postgres(url) = self else {
            return text.to_owned();
        };
        let url = url.expose();
        let text = text.replace(url, &self.to_string());
        match password(url) {
            Some(password) if !password.is_empty() => text.replace(password, "***"),
            _ => text,
        }
    }
}

/// What stands between the first colon and the last `@` of a URL's authority; a query parameter is not looked for.
fn password(url: &str) -> Option<&str> {
    let authority = url.split_once("://")?.1;
    let (credentials, _) = authority.rsplit_once('@')?;
    Some(credentials.split_once(':')?.1)
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => {
                let url = url.expose();
                let rest = url.split_once("://").map_or("", |(_, rest)| rest);
                let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
                // A query may carry a password too.
                write!(
                    f,
                    "postgres://{}",
                    host.split(['?', '#']).next().unwrap_or("")
                )
            }
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

    #[test]
    fn the_password_is_shown_nowhere() {
        for (text, expected) in [
            (
                "postgres://me:pw@db:5432/d?sslmode=require",
                "postgres://db:5432/d",
            ),
            ("postgres://db/d?password=pw", "postgres://db/d"),
            ("postgres://me:p@w@db/d", "postgres://db/d"),
            ("sqlite:///p.db", "sqlite:///p.db"),
        ] {
            let url: DatabaseUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), expected);
            assert!(!url.redact(&format!("bad: {text}")).contains("pw"));
        }
        let url: DatabaseUrl = "postgres://me:pw@db/d".parse().unwrap();
        assert_eq!(url.redact("no host in \"me:pw\""), "no host in \"me:***\"");
    }
}
