//! What the tools of a request are called by other models, and what their calls are to the client.

use std::collections::HashMap;

use super::local_tools::LocalTool;

/// A tool's name with its namespace before it: other protocols have none. LiteLLM 1.106.2 joins them so.
pub fn flat_name(namespace: Option<&str>, name: &str) -> String {
    match namespace.filter(|namespace| !namespace.is_empty()) {
        Some(namespace) => format!("{namespace}__{name}"),
        None => name.to_owned(),
    }
}

/// What a call is to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Called {
    /// A function of a namespace, or a custom tool of one.
    Within {
        namespace: String,
        name: String,
    },
    Local(LocalTool),
}

/// Tools whose calls are not simply those of a function of this name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallNames(HashMap<String, Called>);

impl CallNames {
    pub fn insert(&mut self, flat: String, called: Called) {
        self.0.insert(flat, called);
    }

    pub fn get(&self, flat: &str) -> Option<&Called> {
        self.0.get(flat)
    }
}
