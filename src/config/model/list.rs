//! The list as a whole.

use std::collections::HashMap;

use crate::config::credentials::Credentials;
use crate::config::default_params::DefaultParams;
use crate::config::diagnostic::Sink;
use crate::config::redact::found;
use crate::config::yaml::{Node, Value};
use crate::types::DeploymentId;

use super::ModelEntry;
use super::entry;

/// Reads `model_list`. `env` also knows what the file's `environment_variables` set.
pub fn read(
    node: &Node,
    credentials: &Credentials,
    defaults: &DefaultParams,
    env: &dyn Fn(&str) -> Option<String>,
    sink: &Sink,
) -> Vec<ModelEntry> {
    let items = match &node.value {
        Value::List(items) => items,
        Value::Null => return Vec::new(),
        _ => {
            let message = format!(
                "expected a list (lines that begin with `- `), found {}",
                found(node, "model_list")
            );
            sink.error(node.pos, "model_list", message);
            return Vec::new();
        }
    };
    let mut models: Vec<ModelEntry> = Vec::new();
    let mut owners: HashMap<DeploymentId, usize> = HashMap::new();
    for (index, item) in items.iter().enumerate() {
        let path = format!("model_list[{index}]");
        let mut new = entry::read(item, &path, credentials, defaults, env, sink);
        for entry in &mut new {
            entry.position = Some(index);
        }
        if let Some(first) = new.first() {
            let given = first.model_info.id.is_some();
            match owners.get(&first.id) {
                None => {
                    owners.insert(first.id.clone(), index);
                }
                Some(owner) if given => sink.warning(
                    item.pos,
                    path,
                    format!("has the same `model_info.id` as model_list[{owner}]; give each deployment an id of its own"),
                ),
                Some(owner) => sink.note(
                    item.pos,
                    path,
                    format!("equals model_list[{owner}] and shares its deployment id; set `model_info.id` to tell them apart"),
                ),
            }
        }
        models.extend(new);
    }
    models
}
