//! What another configuration file would change, field by field: for people who look before they leap.
//!
//! `compare` finds what differs, `shown` says what a value may show of itself, `text` writes it all down. No secret is ever
//! shown, nor what a variable of the environment holds. Nothing here decides what a reload does: [`super::difference`] does.

mod compare;
mod shown;
mod text;

use super::model::ModelEntry;
use shown::Change;

/// See the module. Shows itself as text of several lines.
#[derive(Debug, Default)]
pub struct Plan {
    added: Vec<Deployment>,
    removed: Vec<Deployment>,
    changed: Vec<Changed>,
    groups_added: Vec<String>,
    groups_removed: Vec<String>,
    aliases: Vec<Change>,
    /// Fields that a reload puts in force.
    settings: Vec<Change>,
    /// Fields that hold from the next start on.
    at_next_start: Vec<Change>,
    /// The file of prices says something else.
    prices: bool,
}

/// A deployment in words.
#[derive(Debug)]
struct Deployment {
    group: String,
    id: String,
    /// `litellm_params.model`, and where it is called.
    calls: String,
}

/// A deployment that is called or chosen in another way.
#[derive(Debug)]
struct Changed {
    deployment: Deployment,
    /// It is another one to the gateway, because its id follows from what has changed.
    new_id: Option<String>,
    fields: Vec<Change>,
    /// It says the same, but a credential or a default that it has does not.
    refers_to_others: bool,
}

impl Plan {
    /// Nothing differs.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.removed.is_empty()
            && self.changed.is_empty()
            && self.groups_added.is_empty()
            && self.groups_removed.is_empty()
            && self.aliases.is_empty()
            && self.settings.is_empty()
            && self.at_next_start.is_empty()
            && !self.prices
    }
}

impl Deployment {
    fn of(entry: &ModelEntry) -> Self {
        let model = &entry.litellm_params.model;
        let calls = match shown::address(&entry.api_base) {
            Some(address) => format!("{model} at {address}"),
            None => model.clone(),
        };
        Self {
            group: entry.model_name.clone(),
            id: entry.id.to_string(),
            calls,
        }
    }
}
