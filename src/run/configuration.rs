//! The configuration, and what is said about it: read at the start, and again for each reload.

use std::fmt::Write;

use std::collections::HashMap;

use super::{DEMO, RunError};
use crate::cli::{self, Options};
use crate::config::fields::{Status, known_variables};
use crate::config::{Config, Diagnostic, Loaded, Severity};

/// The environment as it was before the configuration's own variables were added to it. A reload looks names up here, so
/// that a file means the same as at a start.
pub struct Environment(HashMap<String, String>);

impl Environment {
    /// That of the process. Variables that are no text are nobody's.
    pub fn capture() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    pub fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

/// Reads the file, the models of the command line or the demo.
pub fn read(options: &Options, environment: &Environment) -> Result<Loaded, RunError> {
    let env = |name: &str| environment.get(name);
    let models = options.models.as_config()?;
    let named = models.as_deref().map(|text| (cli::COMMAND_LINE, text));
    let mut loaded = match (&options.config, named) {
        (Some(path), named) => Config::load(path, named, &env)?,
        (None, Some((name, text))) if options.models.is_any() => {
            Config::from_text(name, text, &env)?
        }
        (None, named) => Config::from_text_with(DEMO, named, &env)?,
    };
    let general = &mut loaded.config.general_settings;
    general.dangerously_permit_weak_or_unset_master_key |= options.permit_weak_master_key;
    Ok(loaded)
}

/// Reads it for a start, and reports each problem; fails when one is an error.
pub fn load(options: &Options, environment: &Environment) -> Result<Loaded, RunError> {
    let loaded = read(options, environment)?;
    report(&loaded.diagnostics, environment);
    if loaded.has_errors() {
        Err(RunError::ConfigHasErrors)
    } else {
        Ok(loaded)
    }
}

/// Writes to the log what there is to say about a configuration.
pub fn report(diagnostics: &[Diagnostic], environment: &Environment) {
    let (not_yet, others): (Vec<_>, Vec<_>) = diagnostics
        .iter()
        .partition(|diagnostic| diagnostic.not_yet);
    for diagnostic in others {
        match diagnostic.severity {
            Severity::Note => log::info!("{diagnostic}"),
            Severity::Warning => log::warn!("{diagnostic}"),
            Severity::Error => log::error!("{diagnostic}"),
        }
    }
    if let Some(text) = without_effect(&not_yet, &|name| environment.get(name)) {
        log::warn!("{text}");
    }
}

/// What the block says of all of them anyway.
const IGNORED: &str = "not supported yet: it is ignored";

/// One block about all that was asked for and has no effect in this version.
fn without_effect(not_yet: &[&Diagnostic], env: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let asks_for_something =
        |value: &str| !["", "false", "0"].contains(&&*value.trim().to_ascii_lowercase());
    let variables: Vec<&str> = known_variables()
        .filter(|variable| variable.status == Status::NotYet)
        .map(|variable| variable.name)
        .filter(|name| env(name).is_some_and(|value| asks_for_something(&value)))
        .collect();
    let count = not_yet.len() + variables.len();
    if count == 0 {
        return None;
    }
    let mut text = match count {
        1 => "1 setting has no effect in this version yet:".to_owned(),
        _ => format!("{count} settings have no effect in this version yet:"),
    };
    for Diagnostic {
        file,
        line,
        path,
        message,
        ..
    } in not_yet
    {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {path} ({file}:{line})");
        if !message.starts_with(IGNORED) {
            let _ = write!(text, ": {message}");
        }
    }
    for name in variables {
        let _ = write!(text, "\n  {name} (environment)");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_block_tells_what_has_no_effect() {
        let file =
            "general_settings: {alerting: [slack], enforce_user_param: false}\nguardrails: [a]\n";
        let loaded = Config::from_text("c.yaml", file, &|_| None).unwrap();
        let env = |name: &str| match name {
            "REDIS_HOST" => Some("redis".to_owned()),
            "DISABLE_ADMIN_UI" => Some("False".to_owned()),
            _ => None,
        };
        assert_eq!(
            without_effect(&loaded.diagnostics.iter().collect::<Vec<_>>(), &env).as_deref(),
            Some(
                "3 settings have no effect in this version yet:\n  general_settings.alerting (c.yaml:1)\n  guardrails (c.yaml:2)\n  REDIS_HOST (environment)"
            )
        );
        assert_eq!(without_effect(&[], &|_| None), None);
    }
}
