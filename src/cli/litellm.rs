//! Flags of LiteLLM's command that mean something else here, or nothing: known, so that no start script breaks silently.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

/// One of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Flag {
    /// Without the dashes, as LiteLLM writes it.
    pub name: &'static str,
    takes_value: bool,
    variable: Option<&'static str>,
    pub lack: Lack,
}

/// What is missing. The texts end a sentence that names the flag.
#[derive(Debug, PartialEq, Eq)]
pub enum Lack {
    /// Nothing: a matter of LiteLLM's own process.
    Needless,
    /// The gateway works without what was asked for.
    NotYet(&'static str),
    /// Starting would not be what was asked for.
    Refused(&'static str),
}

const fn needless(name: &'static str, takes_value: bool) -> Flag {
    Flag {
        name,
        takes_value,
        variable: None,
        lack: Lack::Needless,
    }
}

const fn not_yet(name: &'static str, takes_value: bool, why: &'static str) -> Flag {
    Flag {
        name,
        takes_value,
        variable: None,
        lack: Lack::NotYet(why),
    }
}

const fn refused(name: &'static str, takes_value: bool, why: &'static str) -> Flag {
    Flag {
        name,
        takes_value,
        variable: None,
        lack: Lack::Refused(why),
    }
}

const CIPHERS: &str = "TLS 1.2 and 1.3 are spoken with today's ciphers";
const NO_IAM: &str =
    "database tokens of a cloud are not supported yet: give a password in DATABASE_URL";

const FLAGS: &[Flag] = &[
    refused("ciphers", true, CIPHERS),
    refused("iam_token_db_auth", false, NO_IAM),
    refused("azure_postgresql_auth", false, NO_IAM),
    refused(
        "health",
        false,
        "ask a running gateway: `curl localhost:4000/health/readiness`",
    ),
    refused(
        "test",
        false,
        "send a request to a running gateway: `pointsman --help` names one",
    ),
    refused("test_async", false, "send requests to a running gateway"),
    refused("num_requests", true, "it belongs to --test_async"),
    refused("setup", false, "nothing has to be set up: start it"),
    not_yet(
        "limit_concurrency",
        true,
        "calls at the same time are not bounded by it",
    ),
    not_yet(
        "max_budget",
        true,
        "there is no budget for all callers together",
    ),
    not_yet(
        "add_function_to_prompt",
        false,
        "tools go to the provider as they are",
    ),
    not_yet(
        "save",
        false,
        "nothing is saved; write a configuration file",
    ),
    not_yet(
        "add_key",
        true,
        "give provider keys in the environment or a configuration file",
    ),
    not_yet("log_config", true, "set RUST_LOG instead"),
    not_yet(
        "prometheus_metrics_port",
        true,
        "metrics are at /metrics of the gateway's own port",
    ),
    needless("max_requests_before_restart", true),
    needless("max_requests_before_restart_jitter", true),
    needless("timeout_worker_healthcheck", true),
    needless("run_gunicorn", false),
    needless("run_hypercorn", false),
    needless("run_granian", false),
    needless("granian_threads", true),
    needless("use_prisma_db_push", false),
    needless("enforce_prisma_migration_check", false),
    needless("use_v2_migration_resolver", false),
    needless("use_legacy_migration_resolver", false),
    needless("reload", false),
    needless("local", false),
    needless("use_queue", false),
    needless("telemetry", true),
];

/// Lets `command` take them; `--help` does not show them.
pub fn add(command: Command) -> Command {
    let arg = |flag: &Flag| {
        let action = if flag.takes_value {
            ArgAction::Append
        } else {
            ArgAction::SetTrue
        };
        let arg = Arg::new(flag.name)
            .long(flag.name)
            .hide(true)
            .action(action);
        match flag.variable {
            Some(variable) => arg.env(variable),
            None => arg,
        }
    };
    command.args(FLAGS.iter().map(arg))
}

/// Those that were given, by argument or variable.
pub fn given(matches: &ArgMatches) -> Vec<&'static Flag> {
    let is_given = |flag: &&Flag| {
        matches!(
            matches.value_source(flag.name),
            Some(ValueSource::CommandLine | ValueSource::EnvVariable)
        )
    };
    FLAGS.iter().filter(is_given).collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn start_scripts_of_litellm_are_understood() {
        let line = "pointsman --port 8000 --num_workers 4 --run_gunicorn --max_requests_before_restart 100 --telemetry False \
                    --ciphers TLSv1.2 --ssl_keyfile_path k --detailed_debug --drop_params --request_timeout 30 --use_prisma_db_push --model openai/gpt-4o";
        let matches = add(Cli::command())
            .try_get_matches_from(line.split_whitespace())
            .unwrap();
        let names: Vec<&str> = given(&matches).iter().map(|flag| flag.name).collect();
        assert_eq!(
            names,
            [
                "ciphers",
                "max_requests_before_restart",
                "run_gunicorn",
                "use_prisma_db_push",
                "telemetry"
            ]
        );
        assert!(
            add(Cli::command())
                .try_get_matches_from(["pointsman", "--nonsense"])
                .is_err()
        );
    }
}
