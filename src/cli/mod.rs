//! The command line: what may be written there, and nothing of what it does.
//!
//! `pointsman` alone serves; `check` looks a configuration over, `plan` compares two; `master-key rotate` makes another
//! administrator's key, `ledger verify` looks the books over; `explain` and `chaos` speak to a running gateway; `launch` starts a
//! coding agent.
//! LiteLLM's spellings of flags work, with underscores or dashes; those without a meaning here are listed in `litellm`.
//! `main` reads a [`Cli`] and hands it on. Reads arguments and the environment, never a file.

mod console;
mod environment;
mod litellm;
mod models;
mod options;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

pub use console::{Chaos, Explain};
pub use environment::{DotEnv, adopt, export};
pub use litellm::{Flag, Lack};
pub use models::{ModelOptions, ModelsError, SOURCE as COMMAND_LINE};
pub use options::{Options, Place};

/// An LLM gateway: one OpenAI-compatible address in front of many providers, with keys, limits and spend.
#[derive(Debug, Parser)]
#[command(name = "pointsman", version, about, long_about = None, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, disable_version_flag = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,

    #[command(flatten)]
    pub serve: Options,

    /// Print the version.
    #[arg(short = 'v', short_alias = 'V', long, action = ArgAction::Version)]
    version: Option<bool>,

    /// LiteLLM's flags that were given and do not have LiteLLM's effect.
    #[arg(skip)]
    pub without_effect: Vec<&'static Flag>,
}

/// What else than serving there is to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look a configuration over: every problem with its line, what was expected and what was probably meant.
    Check(Check),
    /// What another configuration file would change where this one is in force: deployments field by field, groups, aliases,
    /// settings, and what of it takes a restart. No secret is shown.
    Plan(Plan),
    /// The administrator's key of a data directory.
    #[command(subcommand, name = "master-key", alias = "master_key")]
    MasterKey(MasterKey),
    /// The books: what was spent, by whom.
    #[command(subcommand)]
    Ledger(Ledger),
    /// Tell which deployment of a running gateway would take a request, and why each of the others is passed over.
    Explain(Explain),
    /// Rehearse failures: delay or fail a share of one deployment's calls at a running gateway for a while.
    Chaos(Chaos),
    /// Start a coding agent that calls a running gateway. Your own configuration of it stays as it is.
    Launch(Launch),
}

/// A running gateway.
#[derive(Debug, Args)]
pub struct Gateway {
    /// The gateway's address.
    #[arg(
        long,
        env = "POINTSMAN_URL",
        default_value = "http://localhost:4000",
        value_name = "URL"
    )]
    pub url: String,

    /// The key to call it with. The variable keeps it out of what others see of this process.
    #[arg(
        long,
        env = "POINTSMAN_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub key: Option<String>,
}

/// `launch`.
#[derive(Debug, Args)]
pub struct Launch {
    /// The agent.
    #[arg(value_enum)]
    pub agent: Agent,

    #[command(flatten)]
    pub gateway: Gateway,

    /// The model that it works with; its own choice when not given.
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,

    /// The model for what it does in the background (claude, opencode).
    #[arg(long = "small-model", alias = "small_model", value_name = "MODEL")]
    pub small_model: Option<String>,

    /// What the agent itself is given, behind `--`.
    #[arg(last = true, value_name = "ARGS")]
    pub arguments: Vec<OsString>,
}

/// The agents that `launch` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Agent {
    /// Claude Code.
    Claude,
    /// OpenAI's Codex.
    Codex,
    /// opencode.
    Opencode,
}

/// `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Configuration files; `-` is the standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// The configuration file in force.
    #[arg(value_name = "OLD")]
    pub old: PathBuf,

    /// The one that shall take its place.
    #[arg(value_name = "NEW")]
    pub new: PathBuf,

    /// End with 2 when they differ: 0 means that nothing does, 1 that one of them cannot be used.
    #[arg(long = "detailed-exitcode", alias = "detailed_exitcode")]
    pub detailed_exitcode: bool,
}

/// `master-key`.
#[derive(Debug, Subcommand)]
pub enum MasterKey {
    /// Make another key and print it; the one before is void from the next start on.
    Rotate(Place),
}

/// `ledger`.
#[derive(Debug, Subcommand)]
pub enum Ledger {
    /// Look the books over: every call is there once, and all sums are the same. Changes nothing; a gateway may run
    /// meanwhile. Ends with 0 when all is well, 1 when something is wrong, 2 when it could not be looked at.
    Verify(Verify),
}

/// `ledger verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The configuration file whose `database_url` counts.
    #[arg(short, long, env = "CONFIG_FILE_PATH", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The database, instead of the configuration's; SQLite in the data directory when neither names one.
    #[arg(long = "database-url", alias = "database_url", value_name = "URL")]
    pub database_url: Option<String>,

    #[command(flatten)]
    pub place: Place,

    /// Print one JSON object, for programs.
    #[arg(long)]
    pub json: bool,
}

const EXAMPLES: &str = "\
Examples:
  pointsman                                 # a demo model, SQLite, a new master key
  OPENAI_API_KEY=... pointsman --model openai/gpt-4o
  pointsman check config.yaml
  pointsman plan config.yaml new.yaml
  pointsman --config config.yaml
  pointsman ledger verify --config config.yaml
  POINTSMAN_KEY=sk-... pointsman explain gpt-4o
  POINTSMAN_KEY=sk-... pointsman chaos <deployment id> --fail 503 --share 0.5 --seconds 60
  POINTSMAN_KEY=sk-... pointsman launch claude --model claude-sonnet -- --continue
";

impl Cli {
    /// Reads the process's arguments; help, version and mistakes end the process here.
    pub fn read() -> Self {
        let mut matches = litellm::add(Self::command()).get_matches();
        let without_effect = litellm::given(&matches);
        match Self::from_arg_matches_mut(&mut matches) {
            Ok(cli) => Self {
                without_effect,
                ..cli
            },
            Err(error) => error.exit(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        litellm::add(Cli::command()).debug_assert();
    }
}
