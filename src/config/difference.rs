//! What changes when one configuration takes the place of another while the gateway runs.

use std::collections::HashMap;
use std::fmt;

use crate::types::DeploymentId;

use super::load::Loaded;
use super::model::ModelEntry;
use super::outline::Outline;

/// Fields of `general_settings` that a running gateway takes up. The others belong to what is made once: the listening
/// socket, the database, the threads.
const TAKEN_UP: [&str; 33] = [
    "allow_client_side_credentials",
    "allow_public_health_readiness_details",
    "always_include_stream_usage",
    "auto_mode",
    "background_health_check_model_groups",
    "background_health_checks",
    "client_body_timeout",
    "config_watch_interval",
    "configurable_clientside_auth_params",
    "dangerously_allow_mock_testing_request_params",
    "disable_responses_id_security",
    "drain_endpoint_token",
    "enable_drain_endpoint",
    "enable_health_check_routing",
    "global_max_parallel_requests",
    "health_check_concurrency",
    "health_check_details",
    "health_check_ignore_transient_errors",
    "health_check_interval",
    "health_check_skip_disabled_background_models",
    "health_check_staleness_threshold",
    "include_call_id_in_error_body",
    "max_request_size_mb",
    "model_list_healthy_only",
    "proxy_config_reload_interval_seconds",
    "reject_clientside_metadata_tags",
    "response_retention",
    "responses_websocket_session_limit_seconds",
    "store_model_in_db",
    "supported_db_objects",
    "use_shared_health_check",
    "user_header_mappings",
    "user_header_name",
];

/// A deployment, as people know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedDeployment {
    pub group: String,
    pub id: DeploymentId,
}

/// A deployment that is called or chosen in another way from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedDeployment {
    pub deployment: NamedDeployment,
    /// Names, never values.
    pub fields: Vec<String>,
}

/// See the module. Holds names only, never values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    pub added: Vec<NamedDeployment>,
    pub changed: Vec<ChangedDeployment>,
    pub removed: Vec<NamedDeployment>,
    /// Fields that hold from now on.
    pub settings: Vec<String>,
    /// Fields that are otherwise than at the start, and hold from the next start on.
    pub at_next_start: Vec<String>,
    /// Rows laid over the catalogue.
    pub prices: bool,
}

impl Difference {
    /// From `before`, which is in force, to `after`. `started` is what the process was started with.
    pub fn between(started: &Outline, before: &Loaded, after: &Loaded) -> Self {
        let mut difference = Self {
            prices: !before.own_models.are(&after.own_models),
            ..Self::default()
        };
        let mut old = by_identity(&before.config.model_list);
        for (identity, entry) in identities(&after.config.model_list) {
            match old.remove(&identity) {
                None => difference.added.push(named(entry)),
                Some(known) if known.is_same_as(entry) => {}
                Some(known) => difference.changed.push(ChangedDeployment {
                    deployment: named(entry),
                    fields: changed_fields(known, entry),
                }),
            }
        }
        // In the order of the file.
        for (identity, entry) in identities(&before.config.model_list) {
            if old.contains_key(&identity) {
                difference.removed.push(named(entry));
            }
        }
        let of = |earlier: &Outline, taken_up: bool| {
            let paths = earlier.differing(&after.outline).into_iter();
            let paths = paths.filter(|path| is_taken_up(path) == taken_up);
            paths.map(str::to_owned).collect()
        };
        difference.settings = of(&before.outline, true);
        difference.at_next_start = of(started, false);
        difference
    }

    /// Nothing is otherwise than before.
    pub fn is_empty(&self) -> bool {
        let nothing = Self {
            at_next_start: self.at_next_start.clone(),
            ..Self::default()
        };
        *self == nothing
    }

    /// Nothing but deployments differ.
    pub fn keeps_settings(&self) -> bool {
        self.settings.is_empty() && !self.prices
    }
}

fn is_taken_up(path: &str) -> bool {
    match path.split_once('.') {
        Some(("general_settings", field)) => TAKEN_UP.contains(&field),
        _ => true,
    }
}

/// Equal entries share an id.
pub(super) type Identity<'a> = (&'a DeploymentId, usize);

pub(super) fn identities(list: &[ModelEntry]) -> impl Iterator<Item = (Identity<'_>, &ModelEntry)> {
    let mut counts: HashMap<&DeploymentId, usize> = HashMap::new();
    list.iter().map(move |entry| {
        let count = counts.entry(&entry.id).or_default();
        *count += 1;
        ((&entry.id, *count), entry)
    })
}

fn by_identity(list: &[ModelEntry]) -> HashMap<Identity<'_>, &ModelEntry> {
    identities(list).collect()
}

fn named(entry: &ModelEntry) -> NamedDeployment {
    NamedDeployment {
        group: entry.model_name.clone(),
        id: entry.id.clone(),
    }
}

fn changed_fields(before: &ModelEntry, after: &ModelEntry) -> Vec<String> {
    let written = before.outline.differing(&after.outline);
    if written.is_empty() {
        // The entry says the same, but what it refers to (a credential, a variable of the file) does not.
        return vec!["what it refers to".to_owned()];
    }
    written.into_iter().map(str::to_owned).collect()
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.is_empty() {
            parts.push("nothing has changed".to_owned());
        }
        for (what, count) in [
            ("added", self.added.len()),
            ("changed", self.changed.len()),
            ("removed", self.removed.len()),
        ] {
            match count {
                0 => {}
                1 => parts.push(format!("1 deployment {what}")),
                _ => parts.push(format!("{count} deployments {what}")),
            }
        }
        if !self.settings.is_empty() {
            parts.push(format!("in force: {}", self.settings.join(", ")));
        }
        if self.prices {
            parts.push("the file of prices has changed".to_owned());
        }
        if !self.at_next_start.is_empty() {
            let fields = self.at_next_start.join(", ");
            parts.push(format!("takes effect at the next start: {fields}"));
        }
        f.write_str(&parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn loaded(text: &str) -> Loaded {
        Config::from_text("c.yaml", text, &|_| None).unwrap()
    }

    fn entry(id: &str, more: &str) -> String {
        format!(
            "- {{model_name: m, litellm_params: {{model: openai/m, api_key: sk-secret{more}}}, model_info: {{id: {id}}}}}\n"
        )
    }

    #[test]
    fn it_names_what_changes_and_no_value() {
        let before = loaded(&format!(
            "model_list:\n{}{}{}general_settings: {{master_key: sk-old, max_request_size_mb: 1}}\nrouter_settings: {{num_retries: 1}}\n",
            entry("stays", ""),
            entry("changes", ", rpm: 1"),
            entry("goes", "")
        ));
        let after = loaded(&format!(
            "# moved\nmodel_list:\n{}{}{}general_settings: {{master_key: sk-new, max_request_size_mb: 2}}\nrouter_settings: {{num_retries: 1, timeout: 5}}\n",
            entry("comes", ""),
            entry("changes", "2, rpm: 2"),
            entry("stays", "")
        ));
        let difference = Difference::between(&before.outline, &before, &after);
        let named = |id: &str| NamedDeployment {
            group: "m".into(),
            id: id.into(),
        };
        assert_eq!(difference.added, [named("comes")]);
        assert_eq!(difference.removed, [named("goes")]);
        assert_eq!(
            difference.changed,
            [ChangedDeployment {
                deployment: named("changes"),
                fields: vec!["litellm_params.api_key".into(), "litellm_params.rpm".into()],
            }]
        );
        assert_eq!(
            difference.to_string(),
            "1 deployment added; 1 deployment changed; 1 deployment removed; in force: \
             general_settings.max_request_size_mb, router_settings.timeout; takes effect at the next start: \
             general_settings.master_key"
        );
        assert!(!format!("{difference:?}").contains("sk-"));
        let later = Difference::between(&before.outline, &after, &after);
        assert_eq!(
            later.to_string(),
            "nothing has changed; takes effect at the next start: general_settings.master_key"
        );
    }

    #[test]
    fn what_an_entry_refers_to_may_change_alone() {
        let file = |key: &str| {
            loaded(&format!(
                "model_list: [{{model_name: m, litellm_params: {{model: openai/m, litellm_credential_name: c}}}}]\n\
                 credential_list: [{{credential_name: c, credential_values: {{api_key: {key}}}}}]\n"
            ))
        };
        let (before, after) = (file("sk-1"), file("sk-2"));
        let difference = Difference::between(&before.outline, &before, &after);
        assert_eq!(difference.changed[0].fields, ["what it refers to"]);
        assert_eq!(difference.settings, ["credential_list"]);
    }

    /// What this room promises others must know.
    #[test]
    fn the_fields_that_are_taken_up_are_fields() {
        use crate::config::fields::{Place, Status, find};
        for field in TAKEN_UP {
            let known = find(Place::GeneralSettings, field);
            assert_eq!(
                known.map(|field| field.status),
                Some(Status::Obeyed),
                "{field}"
            );
        }
    }
}
