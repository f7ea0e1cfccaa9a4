//! A deployment's plan: what its provider makes of parameters, and what its entry says of them.

use serde_json::Value as Json;

use super::RoutingTable;
use crate::catalog::ModelEntry as CatalogEntry;
use crate::config::ModelEntry;
use crate::providers;
use crate::providers::parameters::{Model, Plan, Settings};
use crate::router::price_list::listed;

/// Fields that a request decides alone.
const NO_DEFAULT: [&str; 4] = ["model", "messages", "stream", "stream_options"];

/// Compiles the plan of an entry; `row` is the catalogue's row of its model, `drop_params` what holds where it says nothing.
pub fn compile(drop_params: bool, entry: &ModelEntry, row: Option<&CatalogEntry>) -> Plan {
    let params = &entry.litellm_params;
    let model = Model {
        name: &entry.upstream_model,
        base: entry.base_model(),
        hint: hint(&params.model),
        ..known(row)
    };
    let settings = Settings {
        drop_params: params.drop_params.unwrap_or(drop_params),
        additional_drop_params: params.additional_drop_params.clone(),
        allowed_openai_params: params.allowed_openai_params.clone(),
        defaults: defaults(entry),
    };
    let provider = providers::or_generic(&entry.provider);
    Plan::compile(provider, &entry.provider, &model, settings)
}

/// What the catalogue's row says of a model.
fn known<'a>(row: Option<&CatalogEntry>) -> Model<'a> {
    let flag = |name| row.and_then(|row| row.flag(name));
    Model {
        is_known: row.is_some(),
        reasons: flag("supports_reasoning") == Some(true),
        may_not_reason: flag("supports_none_reasoning_effort"),
        calls_functions: flag("supports_function_calling") == Some(true),
        takes_sampling: flag("supports_sampling_params"),
        ..Model::default()
    }
}

impl RoutingTable {
    /// OpenAI's parameters that reach the provider: of a group's or an alias's first deployment, of any other name by the
    /// catalogue; `None` when neither knows the name.
    pub fn supported_params(&self, name: &str) -> Option<Vec<&'static str>> {
        let of = |plan: &Plan| ["stream"].into_iter().chain(plan.supported()).collect();
        if let Some(deployment) = self.first_deployment(name) {
            return Some(of(&deployment.plan));
        }
        let row = listed(name)?;
        let model = Model {
            name: row.key,
            ..known(Some(&row))
        };
        let provider = providers::or_generic(row.provider);
        let plan = Plan::compile(provider, row.provider, &model, Settings::default());
        Some(of(&plan))
    }
}

/// Parameters written at the deployment; the fields of `extra_body` stand beside them.
fn defaults(entry: &ModelEntry) -> Vec<(String, Vec<u8>)> {
    let mut defaults = Vec::new();
    let mut add = |name: &str, value: &Json| {
        if NO_DEFAULT.contains(&name) {
            log::warn!(
                "deployment {}: `{name}` is no default for requests, it is left out",
                entry.id
            );
        } else {
            defaults.push((name.to_owned(), value.to_string().into_bytes()));
        }
    };
    for (name, value) in &entry.litellm_params.other {
        match value {
            Json::Object(fields) if name == "extra_body" => {
                fields.iter().for_each(|(name, value)| add(name, value));
            }
            _ => add(name, value),
        }
    }
    defaults
}

/// The family that somebody wrote before an Azure deployment's name.
fn hint(model: &str) -> Option<&str> {
    let (_, rest) = model.split_once('/')?;
    rest.split_once('/').map(|(hint, _)| hint)
}
