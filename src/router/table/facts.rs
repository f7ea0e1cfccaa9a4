//! What a request may choose the deployments of a group by, from what the configuration says of them.

use std::sync::Arc;

use super::Deployment;
use crate::config::Config;
use crate::policy::shortlist::{GroupFacts, MemberFacts, TagRules, Traits};

/// The facts of a group with these members, by number, in its order.
pub(super) fn group<'d>(
    config: &Config,
    tag_rules: &Arc<TagRules>,
    members: impl Iterator<Item = (u32, &'d Deployment)>,
) -> GroupFacts {
    let members = members.map(|(number, deployment)| member(config, number, deployment));
    let filters_tags = config.router_settings.tag_filtering;
    GroupFacts::new(members.collect(), tag_rules, filters_tags)
}

/// One member. What the catalogue knows counts only where requests are looked at before a call.
fn member(config: &Config, number: u32, deployment: &Deployment) -> MemberFacts {
    let (params, info) = (
        &deployment.entry.litellm_params,
        &deployment.entry.model_info,
    );
    let looks = config.router_settings.enable_pre_call_checks;
    let row = looks.then(|| deployment.listed()).flatten();
    let schema = info.supports_response_schema;
    let schema = schema.or(row
        .as_ref()
        .and_then(|row| row.flag("supports_response_schema")));
    let drops = params
        .drop_params
        .unwrap_or(config.litellm_settings.drop_params);
    let is_taken = || {
        deployment
            .plan
            .supported()
            .any(|name| name == "response_format")
    };
    MemberFacts {
        deployment: number,
        is_paused: deployment.is_paused(),
        window: deployment.window.filter(|_| looks),
        region: params.region_name.as_deref().map(Arc::from),
        reservations: info.access_windows.as_slice().into(),
        traits: Traits {
            searches_web: info.supports_web_search != Some(false),
            takes_response_format: !looks || drops || (schema != Some(false) && is_taken()),
            tags: params.tags.clone(),
            tag_patterns: params.tag_regex.clone(),
            tag_filtering: info.tag_filtering,
            fails_open: info.allow_fail_open,
        },
    }
}
