//! `pointsman check`: everything that is to be said about configuration files, for people and for CI.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config::{Config, LoadError, Loaded, MAX_FILE_BYTES, MasterKeyProblem, Severity};

/// The name that stands for the standard input.
const STDIN: &str = "-";

/// Checks each file and prints what there is to say. Fails when a gateway would not start with one of them.
pub fn check(files: &[PathBuf], env: &dyn Fn(&str) -> Option<String>) -> ExitCode {
    let mut out = std::io::stdout().lock();
    let mut failed = false;
    for file in files {
        let (report, is_bad) = match load(file, env) {
            Ok(loaded) => report(file, &loaded),
            Err(error) => (error.to_string(), true),
        };
        failed |= is_bad;
        // Nobody reads on: nothing to do about it.
        let _ = writeln!(out, "{report}");
    }
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn load(file: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, LoadError> {
    if file != Path::new(STDIN) {
        return Config::load(file, None, env);
    }
    const NAME: &str = "(standard input)";
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| LoadError::Unreadable {
            file: NAME.into(),
            source,
        })?;
    let text = String::from_utf8(bytes).map_err(|_| LoadError::NotText { file: NAME.into() })?;
    Config::from_text(NAME, &text, env)
}

/// One line a problem and one of the sum; whether there are errors.
fn report(file: &Path, loaded: &Loaded) -> (String, bool) {
    let mut lines: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
    let count = |severity| {
        let of_it = loaded.diagnostics.iter().filter(|d| d.severity == severity);
        of_it.count()
    };
    let general = &loaded.config.general_settings;
    // The machine that checks need not have the key that the machine that serves has.
    match general.master_key_refusal() {
        Some(MasterKeyProblem::Unset) => lines.push(format!(
            "{}: note: no master key is set here; the gateway starts with one only",
            file.display()
        )),
        Some(problem) => lines.push(format!("{}: error: {problem}", file.display())),
        None => {}
    }
    let bad_key =
        matches!(general.master_key_refusal(), Some(problem) if problem != MasterKeyProblem::Unset);
    let errors = count(Severity::Error) + usize::from(bad_key);
    let plural = |count: usize, word: &str| match count {
        0 => format!("no {word}s"),
        1 => format!("1 {word}"),
        _ => format!("{count} {word}s"),
    };
    lines.push(format!(
        "{}: {}, {}; {} in use",
        file.display(),
        plural(errors, "error"),
        plural(count(Severity::Warning), "warning"),
        plural(loaded.config.model_list.len(), "deployment"),
    ));
    (lines.join("\n"), errors > 0)
}
