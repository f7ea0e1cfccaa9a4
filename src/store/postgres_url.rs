//! A PostgreSQL URL as libpq takes it.
//!
//! LiteLLM hands its URL to Prisma, whose parameters libpq does not know and would refuse. Those that mean something here are
//! translated (`schema`, `sslaccept`, `sslcert`, `socket_timeout`), those about Prisma's own machinery are left out, and all
//! others are libpq's business.

use std::time::Duration;

/// For libpq, unless the URL says otherwise: seconds to connect, and a dead network is noticed in some 5 s although the
/// server's own time-out can no longer reach us.
const DEFAULTS: [(&str, &str); 6] = [
    ("connect_timeout", "2"),
    ("keepalives_idle", "2"),
    ("keepalives_interval", "1"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "5000"),
    ("application_name", "pointsman"),
];

/// Of Prisma's pool and its query engine.
const PRISMAS_OWN: [&str; 6] = [
    "connection_limit",
    "pool_timeout",
    "pgbouncer",
    "statement_cache_size",
    "max_idle_connection_lifetime",
    "max_connection_lifetime",
];

/// How long a statement may take unless `socket_timeout` says otherwise.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(2);
const LONGEST_STATEMENT: Duration = Duration::from_secs(3600);

/// What a connection is opened with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// For libpq. Holds the password.
    pub url: String,
    pub statement_timeout: Duration,
}

/// Reads what `database_url` says.
pub(super) fn target(url: &str) -> Target {
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let given: Vec<(&str, &str)> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .collect();
    let value = |name: &str| {
        given
            .iter()
            .find(|(own, _)| *own == name)
            .map(|(_, value)| *value)
    };
    let mut statement_timeout = STATEMENT_TIMEOUT;
    let mut parameters: Vec<(&str, String)> = Vec::new();
    for (name, text) in &given {
        match *name {
            "schema" => {
                let earlier = value("options").map(|options| format!("{options}%20"));
                let earlier = earlier.unwrap_or_default();
                parameters.push(("options", format!("{earlier}-csearch_path%3D{text}")));
            }
            "options" if value("schema").is_some() => {}
            "socket_timeout" => {
                // Whole seconds; 0 is Prisma's word for no limit.
                statement_timeout = match text.parse() {
                    Ok(0) => LONGEST_STATEMENT,
                    Ok(seconds) => Duration::from_secs(seconds).min(LONGEST_STATEMENT),
                    Err(_) => statement_timeout,
                };
            }
            "sslaccept"
                if value("sslmode").is_none_or(|mode| ["prefer", "require"].contains(&mode)) =>
            {
                let mode = if *text == "strict" {
                    "verify-full"
                } else {
                    "require"
                };
                parameters.push(("sslmode", mode.to_owned()));
            }
            "sslaccept" => {}
            "sslmode" if value("sslaccept").is_some() && ["prefer", "require"].contains(text) => {}
            // For Prisma it is what the server is verified with; for libpq it comes with a key of ours.
            "sslcert" if value("sslkey").is_none() && value("sslrootcert").is_none() => {
                parameters.push(("sslrootcert", (*text).to_owned()));
            }
            own if PRISMAS_OWN.contains(&own) => {}
            _ => parameters.push((name, (*text).to_owned())),
        }
    }
    for (name, usual) in DEFAULTS {
        if value(name).is_none() {
            parameters.push((name, usual.to_owned()));
        }
    }
    let query: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    Target {
        url: format!("{address}?{}", query.join("&")),
        statement_timeout,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: &str = "connect_timeout=2&keepalives_idle=2&keepalives_interval=1&keepalives_count=3&\
                         tcp_user_timeout=5000&application_name=pointsman";

    #[test]
    fn what_libpq_is_told() {
        for (query, expected) in [
            ("", ""),
            ("sslmode=require", "sslmode=require&"),
            (
                "schema=llm&connection_limit=9&pool_timeout=60&pgbouncer=true",
                "options=-csearch_path%3Dllm&",
            ),
            (
                "options=-cwork_mem%3D9MB&schema=llm",
                "options=-cwork_mem%3D9MB%20-csearch_path%3Dllm&",
            ),
            ("sslaccept=strict", "sslmode=verify-full&"),
            ("sslmode=require&sslaccept=strict", "sslmode=verify-full&"),
            ("sslmode=verify-ca&sslaccept=strict", "sslmode=verify-ca&"),
            ("sslaccept=accept_invalid_certs", "sslmode=require&"),
            ("sslcert=/ca.pem", "sslrootcert=/ca.pem&"),
            (
                "sslcert=/our.pem&sslkey=/our.key",
                "sslcert=/our.pem&sslkey=/our.key&",
            ),
            ("sslcert=/a&sslrootcert=/b", "sslcert=/a&sslrootcert=/b&"),
            ("something=new", "something=new&"),
        ] {
            let target = target(&format!("postgres://me:p@h/d?{query}"));
            assert_eq!(target.url, format!("postgres://me:p@h/d?{expected}{USUAL}"));
            assert_eq!(target.statement_timeout, STATEMENT_TIMEOUT);
        }
    }

    #[test]
    fn the_urls_own_times_win() {
        let found = target("postgres://h/d?connect_timeout=9&socket_timeout=30");
        assert!(
            found
                .url
                .starts_with("postgres://h/d?connect_timeout=9&keepalives_idle=2&")
        );
        assert!(!found.url.contains("socket_timeout"));
        assert_eq!(found.statement_timeout, Duration::from_secs(30));
        let unlimited = target("postgres://h/d?socket_timeout=0");
        assert_eq!(unlimited.statement_timeout, LONGEST_STATEMENT);
    }
}
