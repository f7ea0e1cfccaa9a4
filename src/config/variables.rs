//! `environment_variables`: what the file adds to the process environment.

use crate::types::Secret;

use super::diagnostic::{Severity, Sink};
use super::read::{Section, scalar_text};
use super::yaml::Node;

/// Names a configuration may not set: they change how programs are found, loaded or reached (LiteLLM refuses the same).
const BLOCKED: [&str; 11] = [
    "PATH",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONHOME",
    "HOME",
    "USER",
    "SHELL",
    "LOGNAME",
    "NO_PROXY",
];

/// Name and value of each entry, in order; null ones are left out.
pub fn read(node: &Node, sink: &Sink) -> Vec<(String, Secret)> {
    let Some(section) = Section::open(node, "environment_variables", sink, Severity::Error) else {
        return Vec::new();
    };
    let mut variables = Vec::new();
    for entry in section.entries() {
        let name = entry.key.as_str();
        if BLOCKED.contains(&name) || name.starts_with("DYLD_") {
            sink.warning(
                entry.key_pos,
                section.path_of(name),
                "this variable cannot be set by a configuration file; ignored",
            );
        } else if name.is_empty() || name.contains(['=', '\0']) {
            sink.error(
                entry.key_pos,
                section.path_of(name),
                "expected the name of a variable, without `=`",
            );
        } else {
            // The value is not shown.
            match scalar_text(&entry.value) {
                Some(value) => variables.push((name.to_owned(), Secret::new(value))),
                None if entry.value.is_null() => {}
                None => sink.error(entry.value.pos, section.path_of(name), "expected text"),
            }
        }
    }
    variables
}

/// What a variable holds once `variables` are exported: theirs, the last one of a name, else what `env` answers.
pub fn exported(
    variables: &[(String, Secret)],
    name: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<String> {
    let own = variables.iter().rev().find(|(own, _)| own == name);
    own.map(|(_, value)| value.expose().to_owned())
        .or_else(|| env(name))
}
