//! `router_settings.default_litellm_params`: parameters under those of every deployment.

use super::diagnostic::{Severity, Sink};
use super::fields::Place;
use super::read::Section;
use super::review::review;
use super::yaml::{Entry, Node, Value};

const KEY: &str = "default_litellm_params";

/// What makes a deployment that deployment: a key that stood here would be sent to every provider.
const OWN: [&str; 18] = [
    "api_base",
    "api_key",
    "api_version",
    "base_model",
    "base_url",
    "client_id",
    "client_secret",
    "configurable_clientside_auth_params",
    "custom_llm_provider",
    "extra_headers",
    "headers",
    "litellm_credential_name",
    "model",
    "organization",
    "region_name",
    "tag_regex",
    "tags",
    "tenant_id",
];
/// The same of clouds.
const OWN_OF_CLOUDS: [&str; 5] = ["aws_", "azure_", "gcs_", "vertex_", "watsonx_"];

/// See the module.
#[derive(Clone, Default)]
pub struct DefaultParams(Vec<Entry>);

impl DefaultParams {
    /// Of the node of `router_settings`.
    pub fn read(router_settings: Option<&Node>, sink: &Sink) -> Self {
        let node = router_settings.and_then(|node| node.get(KEY));
        let path = format!("router_settings.{KEY}");
        let section =
            node.and_then(|entry| Section::open(&entry.value, path, sink, Severity::Error));
        let Some(section) = section else {
            return Self::default();
        };
        review(Place::LitellmParams, &section);
        let is_common = |entry: &&Entry| {
            let key = entry.key.as_str();
            let is_own =
                OWN.contains(&key) || OWN_OF_CLOUDS.iter().any(|start| key.starts_with(start));
            if is_own {
                let message =
                    "is no default: it belongs to one deployment or one provider, write it there";
                sink.error(entry.key_pos, section.path_of(key), message);
            }
            !is_own && !entry.value.is_null()
        };
        Self(
            section
                .entries()
                .iter()
                .filter(is_common)
                .cloned()
                .collect(),
        )
    }

    /// `params` of an entry with those that it does not have itself; `None` when there is nothing to add.
    pub fn under(&self, params: &Node) -> Option<Node> {
        let Value::Map(own) = &params.value else {
            return None;
        };
        let lacks = |default: &&Entry| {
            let written = own.iter().find(|entry| entry.key == default.key);
            written.is_none_or(|entry| entry.value.is_null())
        };
        let added: Vec<Entry> = self.0.iter().filter(lacks).cloned().collect();
        if added.is_empty() {
            return None;
        }
        let is_replaced = |entry: &&Entry| !added.iter().any(|default| default.key == entry.key);
        let kept = own.iter().filter(is_replaced).cloned();
        let entries = kept.chain(added.iter().cloned()).collect();
        Some(Node::new(params.pos, Value::Map(entries)))
    }
}
