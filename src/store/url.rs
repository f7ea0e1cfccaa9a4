//! Which database, from `database_url`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where the data are. `Display` and `Debug` leave the password out.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file; created when missing, its folder must exist.
    Sqlite(PathBuf),
    /// A libpq URL, `postgres://user:password@host:port/database?sslmode=…`.
    Postgres(String),
}

/// The text names no database that this gateway speaks to. The text itself is not repeated: it may hold a password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DatabaseUrlError {
    #[error(
        "database_url must begin with postgres://, postgresql:// or sqlite:, as in sqlite:///var/lib/pointsman/pointsman.db"
    )]
    UnknownScheme,
    #[error("database_url names no file after sqlite:")]
    NoFile,
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    /// `sqlite:data.db` and `sqlite://data.db` are relative to the working directory, `sqlite:///data.db` is absolute.
    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        let path = text
            .strip_prefix("sqlite:")
            .ok_or(DatabaseUrlError::UnknownScheme)?;
        match path.strip_prefix("//").unwrap_or(path) {
            "" => Err(DatabaseUrlError::NoFile),
            path => Ok(Self::Sqlite(PathBuf::from(path))),
        }
    }
}

impl DatabaseUrl {
    /// `text` without the URL and the password in it: libpq repeats what it could not read.
    pub(super) fn redact(&self, text: &str) -> String {
        let Self::Postgres(url) = self else {
            return text.to_owned();
        };
        let text = text.replace(url.as_str(), &self.to_string());
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
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => {
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

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_kinds() {
        let sqlite = |path: &str| Ok(DatabaseUrl::Sqlite(PathBuf::from(path)));
        for (text, expected) in [
            ("sqlite:data.db", sqlite("data.db")),
            ("sqlite://data.db", sqlite("data.db")),
            ("sqlite:///var/data.db", sqlite("/var/data.db")),
            (
                "postgresql://h/d",
                Ok(DatabaseUrl::Postgres("postgresql://h/d".to_owned())),
            ),
            ("sqlite://", Err(DatabaseUrlError::NoFile)),
            ("mysql://h/d", Err(DatabaseUrlError::UnknownScheme)),
            ("", Err(DatabaseUrlError::UnknownScheme)),
        ] {
            assert_eq!(text.parse::<DatabaseUrl>(), expected, "{text}");
        }
    }

    #[test]
    fn the_password_is_shown_nowhere() {
        let url =
            DatabaseUrl::Postgres("postgres://me:s3c@ret@db:5432/d?password=s3c@ret".to_owned());
        assert_eq!(url.to_string(), "postgres://ret");
        for (text, expected) in [
            (
                "postgres://me:pw@db:5432/d?sslmode=require",
                "postgres://db:5432/d",
            ),
            ("postgres://db/d?password=pw", "postgres://db/d"),
        ] {
            let url = DatabaseUrl::Postgres(text.to_owned());
            assert_eq!(format!("{url} {url:?}"), format!("{expected} {expected}"));
            assert!(!url.redact(&format!("bad: {text}")).contains("pw"));
        }
        let url = DatabaseUrl::Postgres("postgres://me:pw@db/d".to_owned());
        assert_eq!(url.redact("no host in \"me:pw\""), "no host in \"me:***\"");
    }
}
