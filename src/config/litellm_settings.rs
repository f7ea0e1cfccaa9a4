//! `litellm_settings`.

use std::time::Duration;

use crate::policy::cost::Adjustments;
use crate::policy::fallback::{Fallbacks, Targets};
use crate::policy::spends::BudgetRule;

use super::cost_adjustments;
use super::diagnostic::{Severity, Sink};
use super::fallbacks;
use super::fields::Place;
use super::model::MAX_RETRIES;
use super::provider_budgets;
use super::read::Section;
use super::review::review;
use super::yaml::Node;

#[derive(Clone, Debug)]
pub struct LitellmSettings {
    /// LiteLLM uses it only when the router's `timeout` is set as well.
    pub request_timeout: Option<Duration>,
    /// `router_settings.num_retries` wins.
    pub num_retries: Option<u32>,
    /// `router_settings.allowed_fails` wins.
    pub allowed_fails: Option<u32>,
    /// HTTP status of a refusal for want of budget, 400 to 599; 422 unless set, as in LiteLLM 1.106.2.
    pub budget_exceeded_status_code: u16,
    /// Leave out parameters a provider does not know instead of refusing the call.
    pub drop_params: bool,
    /// Mend conversations that a provider would refuse.
    pub modify_params: bool,
    /// `cost_discount_config` and `cost_margin_config`.
    pub cost_adjustments: Adjustments,
    /// `block_requests_for_models_without_pricing`: calls whose price nobody knows are refused.
    pub block_unpriced: bool,
    /// `tag_budget_config`, in the order written.
    pub tag_budgets: Vec<(String, BudgetRule)>,
    /// Headers whose values become tags in the spend log.
    pub extra_spend_tag_headers: Vec<String>,
    /// No tags are made of the caller's `user-agent`.
    pub disable_add_user_agent_to_request_tags: bool,
    /// End users do not come into the books.
    pub disable_end_user_cost_tracking: bool,
    /// Addresses that callers give must be public ones.
    pub user_url_validation: bool,
    /// Hosts that callers' addresses may name although they are not public: `user_url_allowed_hosts` and
    /// `provider_url_destination_allowed_hosts`, in small letters.
    pub user_url_allowed_hosts: Vec<String>,
    /// Without `default_fallbacks`; each list counts where `router_settings` has none.
    pub fallbacks: Fallbacks,
    pub default_fallbacks: Option<Targets>,
    pub max_fallbacks: Option<u32>,
    /// Upstream calls of one request beyond its first, over all groups.
    pub num_retries_per_request: Option<u32>,
    /// Errors tell which groups were tried.
    pub expose_router_debug_in_errors: bool,
    /// Time between comments in a stream that says nothing.
    pub sse_keepalive_ping_interval: Option<Duration>,
    /// Every deployment answers with a canned text and calls nobody, for measurements.
    pub network_mock: bool,
}

impl Default for LitellmSettings {
    fn default() -> Self {
        Self {
            request_timeout: None,
            num_retries: None,
            allowed_fails: None,
            budget_exceeded_status_code: 422,
            drop_params: false,
            modify_params: false,
            cost_adjustments: Adjustments::default(),
            block_unpriced: false,
            tag_budgets: Vec::new(),
            extra_spend_tag_headers: Vec::new(),
            disable_add_user_agent_to_request_tags: false,
            disable_end_user_cost_tracking: false,
            user_url_validation: true,
            user_url_allowed_hosts: Vec::new(),
            fallbacks: Fallbacks::default(),
            default_fallbacks: None,
            max_fallbacks: None,
            num_retries_per_request: None,
            expose_router_debug_in_errors: true,
            sse_keepalive_ping_interval: None,
            network_mock: false,
        }
    }
}

pub fn read(node: &Node, sink: &Sink) -> LitellmSettings {
    let default = LitellmSettings::default();
    let Some(section) = Section::open(node, "litellm_settings", sink, Severity::Error) else {
        return default;
    };
    review(Place::LitellmSettings, &section);
    LitellmSettings {
        request_timeout: section.timeout("request_timeout"),
        num_retries: section.small("num_retries", MAX_RETRIES),
        allowed_fails: section
            .count("allowed_fails")
            .map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
        budget_exceeded_status_code: status_code(&section)
            .unwrap_or(default.budget_exceeded_status_code),
        drop_params: section.flag("drop_params").unwrap_or(default.drop_params),
        modify_params: section
            .flag("modify_params")
            .unwrap_or(default.modify_params),
        cost_adjustments: cost_adjustments::read(&section),
        block_unpriced: section
            .flag("block_requests_for_models_without_pricing")
            .unwrap_or(default.block_unpriced),
        tag_budgets: provider_budgets::by_name(&section, "tag_budget_config"),
        extra_spend_tag_headers: section.texts("extra_spend_tag_headers"),
        disable_add_user_agent_to_request_tags: section
            .flag("disable_add_user_agent_to_request_tags")
            .unwrap_or(false),
        disable_end_user_cost_tracking: section
            .flag("disable_end_user_cost_tracking")
            .unwrap_or(false),
        user_url_validation: section.flag("user_url_validation").unwrap_or(true),
        user_url_allowed_hosts: [
            "user_url_allowed_hosts",
            "provider_url_destination_allowed_hosts",
        ]
        .into_iter()
        .flat_map(|key| section.texts(key))
        .map(|host| host.to_ascii_lowercase())
        .collect(),
        fallbacks: fallbacks::read(&section),
        default_fallbacks: fallbacks::read_default(&section),
        max_fallbacks: section.small("max_fallbacks", 100),
        num_retries_per_request: section.small("num_retries_per_request", MAX_RETRIES),
        expose_router_debug_in_errors: section
            .flag("expose_router_debug_in_errors")
            .unwrap_or(true),
        sse_keepalive_ping_interval: section.timeout("sse_keepalive_ping_interval_seconds"),
        network_mock: section.flag("network_mock").unwrap_or(false),
    }
}

fn status_code(section: &Section<'_>) -> Option<u16> {
    const KEY: &str = "budget_exceeded_status_code";
    let code = section.small(KEY, 599)?;
    if code < 400 {
        section.expected(
            KEY,
            section.value(KEY)?,
            "an HTTP error status from 400 to 599",
        );
        return None;
    }
    u16::try_from(code).ok()
}
