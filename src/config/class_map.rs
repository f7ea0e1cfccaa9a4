//! A map of numbers by class of error, as `retry_policy` and `allowed_fails_policy` are.

use super::diagnostic::Severity;
use super::read::Section;
use super::suggest::nearest;
use super::yaml::Node;

/// Hands each number, `most` at most, to `set`, which answers whether it knows the field. `fields` are those that it knows.
pub fn read(
    node: &Node,
    path: String,
    within: &Section<'_>,
    most: u32,
    fields: &[String],
    mut set: impl FnMut(&str, u32) -> bool,
) {
    let Some(map) = Section::open(node, path, within.sink, Severity::Error) else {
        return;
    };
    for entry in map.entries() {
        let Some(number) = map.small(&entry.key, most) else {
            continue;
        };
        if !set(&entry.key, number) {
            let near = nearest(&entry.key, fields.iter().map(String::as_str));
            map.sink.push(
                Severity::Warning,
                entry.key_pos,
                map.path_of(&entry.key),
                "no class of errors has this name: it is ignored".to_owned(),
                near.map(|near| format!("did you mean `{near}`?")),
            );
        }
    }
}
