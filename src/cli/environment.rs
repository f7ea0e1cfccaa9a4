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

/// Gives variables with a name of ours the name that is read; ours wins. Call it first in `main`, on its only thread.
pub fn adopt() {
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
