//! How to serve.

use std::path::PathBuf;

use clap::Args;

use super::models::ModelOptions;

/// Which data directory is meant.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// Where the embedded database, the journal and the generated keys live; made when missing.
    #[arg(
        long = "data-dir",
        alias = "data_dir",
        env = "POINTSMAN_DATA_DIR",
        default_value = "pointsman-data",
        value_name = "DIR"
    )]
    pub data_dir: PathBuf,
}

/// The options of the server.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// The configuration file, YAML as LiteLLM's. Without one a demo model answers.
    #[arg(short, long, env = "CONFIG_FILE_PATH", value_name = "FILE")]
    pub config: Option<PathBuf>,

    #[command(flatten)]
    pub models: ModelOptions,

    /// The address to listen on; 0.0.0.0 unless a weak master key is permitted, then 127.0.0.1.
    #[arg(long, env = "HOST")]
    pub host: Option<String>,

    /// The port to listen on; 0 takes a free one.
    #[arg(long, env = "PORT", default_value_t = 4000)]
    pub port: u16,

    /// Worker threads; one a core when not given.
    #[arg(
        long = "num_workers",
        alias = "num-workers",
        env = "NUM_WORKERS",
        value_name = "N"
    )]
    pub num_workers: Option<u16>,

    #[command(flatten)]
    pub place: Place,

    /// Seconds an idle connection of a client is kept; 75 when not given.
    #[arg(
        long = "keepalive_timeout",
        alias = "keepalive-timeout",
        env = "KEEPALIVE_TIMEOUT",
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..=86_400)
    )]
    pub keepalive_timeout: Option<u64>,

    /// The certificate that TLS is spoken with to clients: a PEM file, with the certificates that lead to its root.
    #[arg(
        long = "ssl_certfile_path",
        alias = "ssl-certfile-path",
        env = "SSL_CERTFILE_PATH",
        value_name = "FILE"
    )]
    pub ssl_certfile: Option<PathBuf>,

    /// The key of that certificate: a PEM file.
    #[arg(
        long = "ssl_keyfile_path",
        alias = "ssl-keyfile-path",
        env = "SSL_KEYFILE_PATH",
        value_name = "FILE"
    )]
    pub ssl_keyfile: Option<PathBuf>,

    /// Start although the master key is unset or well known. Then only this machine is served unless --host is given.
    #[arg(
        long = "dangerously_permit_weak_or_unset_master_key",
        alias = "dangerously-permit-weak-or-unset-master-key"
    )]
    pub permit_weak_master_key: bool,

    /// Only check the configuration given with --config, as `pointsman check` does.
    #[arg(
        long = "validate_config",
        alias = "validate-config",
        requires = "config"
    )]
    pub validate_config: bool,

    /// Bring the database up to date and end.
    #[arg(long = "skip_server_startup", alias = "skip-server-startup")]
    pub skip_server_startup: bool,

    /// Log what is decided (RUST_LOG gives finer control).
    #[arg(long)]
    pub debug: bool,

    /// Log everything.
    #[arg(long = "detailed_debug", alias = "detailed-debug")]
    pub detailed_debug: bool,
}

impl Options {
    /// The default log filter; `RUST_LOG` beats it. Flags beat the variables (`DETAILED_DEBUG`, `DEBUG`, `LITELLM_LOG`).
    pub fn log_filter(&self, env: &dyn Fn(&str) -> Option<String>) -> &'static str {
        const DETAILED: &str = "info,pointsman=trace";
        const DEBUG: &str = "info,pointsman=debug";
        const USUAL: &str = "info,actix_server=warn";
        // Other programs use DEBUG for lists of their modules, so only a plain yes counts.
        let on = |name| {
            env(name).is_some_and(|value| ["1", "true"].contains(&&*value.to_ascii_lowercase()))
        };
        if self.detailed_debug {
            return DETAILED;
        }
        if self.debug {
            return DEBUG;
        }
        if on("DETAILED_DEBUG") {
            return DETAILED;
        }
        if on("DEBUG") {
            return DEBUG;
        }
        match env("LITELLM_LOG")
            .map(|level| level.to_ascii_uppercase())
            .as_deref()
        {
            Some("DEBUG") => DEBUG,
            Some("WARNING" | "WARN") => "warn",
            Some("ERROR" | "CRITICAL") => "error",
            _ => USUAL,
        }
    }

    /// Worker threads to start.
    pub fn workers(&self) -> usize {
        match self.num_workers {
            Some(workers) => usize::from(workers.clamp(1, 512)),
            None => std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::Cli;

    #[test]
    fn log_levels() {
        for (arguments, variables, expected) in [
            (&[][..], &[][..], "info,actix_server=warn"),
            (&["--debug"], &[], "info,pointsman=debug"),
            (&["--detailed_debug"], &[], "info,pointsman=trace"),
            (
                &["--debug"],
                &[("DETAILED_DEBUG", "true")],
                "info,pointsman=debug",
            ),
            (&[], &[("DETAILED_DEBUG", "True")], "info,pointsman=trace"),
            (&[], &[("DEBUG", "1")], "info,pointsman=debug"),
            (&[], &[("DEBUG", "express:*")], "info,actix_server=warn"),
            (&[], &[("LITELLM_LOG", "debug")], "info,pointsman=debug"),
            (&[], &[("LITELLM_LOG", "ERROR")], "error"),
        ] {
            let cli = Cli::try_parse_from(["pointsman"].iter().chain(arguments)).unwrap();
            let env = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(
                cli.serve.log_filter(&env),
                expected,
                "{arguments:?} {variables:?}"
            );
        }
    }
}
