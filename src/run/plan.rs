//! `pointsman plan`: what another configuration would change, before anybody is told to use it.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::config::{Config, Plan, Severity, Source};

/// The files differ, where that is asked for.
const DIFFERENT: u8 = 2;

/// Prints what `new` would change where `old` is in force. Fails when one of them could not be used; with `detailed` a
/// difference is the status 2.
pub fn plan(
    old: &Path,
    new: &Path,
    detailed: bool,
    env: &dyn Fn(&str) -> Option<String>,
) -> ExitCode {
    let (old, new) = match (read(old, env), read(new, env)) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => {
            for error in [old.err(), new.err()].into_iter().flatten() {
                eprintln!("{error}");
            }
            return ExitCode::FAILURE;
        }
    };
    let plan = Plan::between(&old, &new);
    // Nobody reads on: nothing to do about it.
    let _ = write!(std::io::stdout().lock(), "{plan}");
    match detailed && !plan.is_empty() {
        true => ExitCode::from(DIFFERENT),
        false => ExitCode::SUCCESS,
    }
}

/// A file that a gateway would start with, or why not.
fn read(file: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Source, String> {
    let source = Config::load_source(file, env).map_err(|error| error.to_string())?;
    let errors = source.loaded.diagnostics.iter();
    let errors = errors.filter(|told| told.severity == Severity::Error);
    let errors: Vec<String> = errors.map(ToString::to_string).collect();
    if errors.is_empty() {
        Ok(source)
    } else {
        Err(errors.join("\n"))
    }
}
