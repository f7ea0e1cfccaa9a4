//! `credential_list`: credentials under a name, which deployments use by `litellm_credential_name`.

use super::diagnostic::{Severity, Sink};
use super::read::Section;
use super::suggest::nearest;
use super::yaml::{Entry, Node, Value};

/// What deployments may refer to.
#[derive(Clone, Default)]
pub struct Credentials {
    list: Vec<Credential>,
}

#[derive(Clone)]
struct Credential {
    name: String,
    values: Vec<Entry>,
}

/// There is no such credential. Ends a sentence that names the entry.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no entry of `credential_list` has this `credential_name`{}", suggestion(.0.as_deref()))]
pub struct UnknownCredential(Option<String>);

fn suggestion(near: Option<&str>) -> String {
    near.map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default()
}

impl Credentials {
    /// Reads the list; what is wrong in it is an error.
    pub fn read(node: &Node, sink: &Sink) -> Self {
        const PATH: &str = "credential_list";
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            Value::Null => &[],
            _ => {
                // The value is not shown.
                let message = "expected a list of `credential_name` and `credential_values`";
                sink.error(node.pos, PATH, message);
                &[]
            }
        };
        let mut list: Vec<Credential> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{PATH}[{index}]");
            let Some(section) = Section::open(item, path, sink, Severity::Error) else {
                continue;
            };
            let Some(name) = section
                .text("credential_name")
                .filter(|name| !name.is_empty())
            else {
                let message = "expected `credential_name`, by which deployments refer to it";
                sink.error(item.pos, section.path.clone(), message);
                continue;
            };
            if list.iter().any(|other| other.name == name) {
                let message = "another entry has the same `credential_name`; the first one counts";
                sink.warning(item.pos, section.path.clone(), message);
            }
            let values = match section.value("credential_values") {
                Some(node) => {
                    let path = section.path_of("credential_values");
                    Section::open(node, path, sink, Severity::Error)
                        .map(|values| values.entries().to_vec())
                        .unwrap_or_default()
                }
                None => Vec::new(),
            };
            for known in ["credential_info", "description"] {
                section.raw(known);
            }
            for entry in section.unread() {
                let near = nearest(
                    &entry.key,
                    ["credential_name", "credential_values", "credential_info"].into_iter(),
                );
                sink.push(
                    Severity::Warning,
                    entry.key_pos,
                    section.path_of(&entry.key),
                    "unknown field, ignored".to_owned(),
                    near.map(|near| format!("did you mean `{near}`?")),
                );
            }
            list.push(Credential { name, values });
        }
        Self { list }
    }

    /// `params` with the values of the credential it names, where it has none of its own; `None` when it names none.
    pub fn fill(&self, params: &Node) -> Result<Option<Node>, UnknownCredential> {
        let named = params.get("litellm_credential_name");
        let Some(Value::Text(name)) = named.map(|entry| &entry.value.value) else {
            return Ok(None);
        };
        let Some(credential) = self.list.iter().find(|credential| credential.name == *name) else {
            let names = self.list.iter().map(|credential| credential.name.as_str());
            return Err(UnknownCredential(nearest(name, names).map(str::to_owned)));
        };
        let mut filled = params.clone();
        if let Value::Map(entries) = &mut filled.value {
            for value in &credential.values {
                match entries.iter_mut().find(|entry| entry.key == value.key) {
                    Some(own) if own.value.is_null() => own.value = value.value.clone(),
                    Some(_) => {}
                    None => entries.push(value.clone()),
                }
            }
        }
        Ok(Some(filled))
    }
}
