//! The one place that writes the process environment, before there is a second thread.

use crate::types::Secret;

/// Names of ours for variables that are named after LiteLLM or nobody. There is no POINTSMAN_PORT and no POINTSMAN_HOST:
/// Kubernetes sets `…_PORT` for every service, so that one called pointsman would be told `tcp://…`.
pub(super) const ALIASES: [(&str, &str); 6] = [
    ("POINTSMAN_CONFIG", "CONFIG_FILE_PATH"),
    ("POINTSMAN_MASTER_KEY", "LITELLM_MASTER_KEY"),
    ("POINTSMAN_SALT_KEY", "LITELLM_SALT_KEY"),
    ("POINTSMAN_DATABASE_URL", "DATABASE_URL"),
    ("POINTSMAN_LOG", "LITELLM_LOG"),
    ("POINTSMAN_ROOT_PATH", "SERVER_ROOT_PATH"),
];

/// LiteLLM reads this file of the working directory as well.
const DOT_ENV: &str = ".env";

/// What [`adopt`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum DotEnv {
    /// There is none, or it is not wanted (`LITELLM_MODE=PRODUCTION`).
    Absent,
    /// So many variables were taken from it.
    Read(usize),
    /// It cannot be read; why. Nothing was taken from it.
    Broken(String),
}

/// Reads `.env`, whose variables never replace others, and gives variables with a name of ours the name that is read; ours
/// wins. Call it first in `main`, on its only thread.
///
/// An agent that is launched gets the environment as it is: `.env` of its working directory is of the project it works at.
pub fn adopt() -> DotEnv {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == "launch")
    {
        return DotEnv::Absent;
    }
    let read = dot_env();
    rename();
    drop_empty();
    read
}

fn dot_env() -> DotEnv {
    let in_production =
        std::env::var("LITELLM_MODE").is_ok_and(|mode| mode.eq_ignore_ascii_case("PRODUCTION"));
    if in_production || !std::path::Path::new(DOT_ENV).is_file() {
        return DotEnv::Absent;
    }
    let read = dotenvy::from_filename_iter(DOT_ENV)
        .and_then(|variables| variables.collect::<Result<Vec<_>, _>>());
    match read {
        Ok(variables) => {
            let mut count = 0;
            for (name, value) in variables {
                if std::env::var_os(&name).is_none() {
                    // SAFETY: no other thread has been started yet.
                    unsafe { std::env::set_var(name, value) };
                    count += 1;
                }
            }
            DotEnv::Read(count)
        }
        // The line is not shown: it may hold a secret.
        Err(dotenvy::Error::LineParse(_, column)) => {
            DotEnv::Broken(format!("a line is not `NAME=value`, at its byte {column}"))
        }
        Err(error) => DotEnv::Broken(error.to_string()),
    }
}

/// Variables of options: docker-compose and its like set them to nothing when they are not meant.
const OPTIONS: [&str; 8] = [
    "CONFIG_FILE_PATH",
    "HOST",
    "PORT",
    "NUM_WORKERS",
    "KEEPALIVE_TIMEOUT",
    "POINTSMAN_DATA_DIR",
    "SSL_KEYFILE_PATH",
    "SSL_CERTFILE_PATH",
];

fn drop_empty() {
    for name in OPTIONS {
        if std::env::var_os(name).is_some_and(|value| value.is_empty()) {
            // SAFETY: no other thread has been started yet.
            unsafe { std::env::remove_var(name) };
        }
    }
}

fn rename() {
    for (ours, read) in ALIASES {
        if let Some(value) = std::env::var_os(ours) {
            // SAFETY: no other thread has been started yet.
            unsafe { std::env::set_var(read, value) };
        }
    }
}

/// Adds `environment_variables` of a configuration. Call it before the first thread is started.
pub fn export(variables: &[(String, Secret)]) {
    for (name, value) in variables {
        // SAFETY: no other thread has been started yet.
        unsafe { std::env::set_var(name, value.expose()) };
    }
}
