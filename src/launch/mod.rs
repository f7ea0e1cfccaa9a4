//! `pointsman launch`: a coding agent started against a running gateway.
//!
//! The gateway is asked whether it is there and takes the key; `agent` knows what each agent has to be told, by its
//! environment and its arguments. The agent takes this process's place. No file of the user's is read or written.

mod agent;

use std::convert::Infallible;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::cli::Launch;
use crate::console::gateway::{self, GatewayError, Place};
use crate::types::Secret;
use agent::{Found, Start, start};

/// What an agent that insists on a key is given where the gateway wants none.
const NO_KEY: &str = "sk-none";

/// Nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    #[error("`{program}` is not installed, or not on the PATH: {hint}")]
    NoAgent {
        program: &'static str,
        hint: &'static str,
    },
    #[error("`{program}` cannot be started: {source}")]
    Unstartable {
        program: &'static str,
        source: io::Error,
    },
}

/// Starts the agent in the place of this process; comes back only with the reason why not. `env` reads a variable.
pub fn launch(
    wanted: &Launch,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Infallible, LaunchError> {
    let key = wanted.gateway.key.as_deref().map(Secret::new);
    let place = Place {
        url: &wanted.gateway.url,
        key: key.as_ref(),
    };
    let models = gateway::models(place, env)?;
    for asked in wanted.model.iter().chain(&wanted.small_model) {
        if !models.iter().any(|model| model.id == *asked) {
            let names: Vec<&str> = models.iter().map(|model| &*model.id).collect();
            log::warn!(
                "the gateway does not list `{asked}` for this key, which lists: {}",
                names.join(", ")
            );
        }
    }
    let found = Found {
        url: gateway::base(&wanted.gateway.url),
        key: key.as_ref().map_or(NO_KEY, Secret::expose),
        models: &models,
        model: wanted.model.as_deref(),
        small_model: wanted.small_model.as_deref(),
    };
    let Start {
        program,
        arguments,
        set,
        unset,
        hint,
    } = start(wanted.agent, &found, env);
    let mut command = Command::new(program);
    command.args(arguments).args(&wanted.arguments).envs(set);
    for name in unset {
        command.env_remove(name);
    }
    let source = command.exec();
    Err(match source.kind() {
        io::ErrorKind::NotFound => LaunchError::NoAgent { program, hint },
        _ => LaunchError::Unstartable { program, source },
    })
}
