//! Tells about the keys of a section that have no effect: unknown ones, and those this version does not support yet.

use super::diagnostic::Severity;
use super::fields::{self, Place, Status};
use super::read::Section;
use super::suggest::nearest;
use super::yaml::{Entry, Node, Value};

/// Reviews every key of `section`, whose fields are those of `place`.
pub fn review(place: Place, section: &Section<'_>) {
    for entry in section.entries() {
        match fields::find(place, &entry.key) {
            Some(field) => {
                if field.status == Status::NotYet
                    && asks_for_something(&entry.value, field.on_by_default())
                {
                    section
                        .sink
                        .not_yet(entry.key_pos, section.path_of(&entry.key));
                }
            }
            None => unknown(place, section, entry),
        }
    }
}

/// A switch that is off, an empty list: the user loses nothing when the field is ignored.
fn asks_for_something(node: &Node, on_by_default: bool) -> bool {
    match &node.value {
        Value::Null => false,
        Value::Bool(value) => *value != on_by_default,
        Value::Text(text) => !text.is_empty(),
        Value::List(items) => !items.is_empty(),
        Value::Map(entries) => !entries.is_empty(),
        Value::Int { .. } | Value::Float { .. } => true,
    }
}

fn unknown(place: Place, section: &Section<'_>, entry: &Entry) {
    // Looking for similar names is the slow part of reading a file that is all wrong.
    if section.sink.is_full() {
        return;
    }
    let near = nearest(&entry.key, fields::names(place));
    let (message, suggestion) = match (near, place) {
        (Some(near), Place::LitellmParams) => {
            let message = "unknown field, sent to the provider as a parameter";
            (message, Some(format!("did you mean `{near}`?")))
        }
        (Some(near), Place::ModelInfo) => (
            "unknown field, only shown in model lists",
            Some(format!("did you mean `{near}`?")),
        ),
        // Providers have parameters we cannot know, and `model_info` is the user's own.
        (None, Place::LitellmParams | Place::ModelInfo) => return,
        (Some(near), _) => (
            "unknown field, ignored",
            Some(format!("did you mean `{near}`?")),
        ),
        (None, _) => {
            let home = place
                .neighbours()
                .iter()
                .find(|place| fields::find(**place, &entry.key).is_some());
            (
                "unknown field, ignored",
                home.map(|home| format!("it belongs under `{}`", home.section_name())),
            )
        }
    };
    let path = section.path_of(&entry.key);
    section.sink.push(
        Severity::Warning,
        entry.key_pos,
        path,
        message.to_owned(),
        suggestion,
    );
}
