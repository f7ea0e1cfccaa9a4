//! What no section can see alone: names that must exist in another one.

use super::ModelEntry;
use super::diagnostic::{Severity, Sink};
use super::router_settings::GroupAlias;
use super::suggest::nearest;
use super::yaml::Node;

/// Warns about aliases of groups that nobody serves. `aliases` is the node of `model_group_alias`.
pub fn aliases(aliases: Option<&Node>, read: &[GroupAlias], models: &[ModelEntry], sink: &Sink) {
    let Some(node) = aliases else {
        return;
    };
    // What a wildcard serves is not known here.
    let is_served = |name: &str| {
        models
            .iter()
            .any(|model| model.model_name == name || model.model_name.contains('*'))
    };
    for GroupAlias { alias, model, .. } in read {
        if is_served(model) {
            continue;
        }
        let Some(entry) = node.get(alias) else {
            continue;
        };
        let near = nearest(model, models.iter().map(|model| model.model_name.as_str()));
        sink.push(
            Severity::Warning,
            entry.value.pos,
            format!(
                "router_settings.model_group_alias.{}",
                super::redact::key_in_path(alias)
            ),
            "no entry of `model_list` serves the group it stands for".to_owned(),
            near.map(|near| format!("did you mean `{near}`?")),
        );
    }
}
