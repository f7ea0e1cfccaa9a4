//! What a request may choose the deployments of a group by, from what the configuration says of them.

use std::sync::Arc;

use super::Deployment;
use crate::config::Config;
use crate::policy::shortlist::{GroupFacts, MemberFacts, TagRules, Traits};

/// What the configuration says of all groups.
#[derive(Clone, Debug, Default)]
pub(super) struct FactRules {
    /// Requests are looked at before a call.
    looks: bool,
    drops_params: bool,
    filters_tags: bool,
    tags: Arc<TagRules>,
}

impl FactRules {
    pub fn of(config: &Config) -> Self {
        let router = &config.router_settings;
        Self {
            looks: router.enable_pre_call_checks,
            drops_params: config.litellm_settings.drop_params,
            filters_tags: router.tag_filtering,
            tags: Arc::new(router.tag_rules.clone()),
        }
    }

    /// The facts of a group with these members, by number, in its order; without a deployment where the name that is asked for
    /// is no model of its provider.
    pub fn group<D: AsRef<Deployment>>(
        &self,
        members: impl Iterator<Item = (u32, Option<D>)>,
    ) -> GroupFacts {
        let members = members.map(|(number, deployment)| match deployment {
            Some(deployment) => self.member(number, deployment.as_ref()),
            None => MemberFacts {
                deployment: number,
                is_no_model: true,
                traits: Traits {
                    searches_web: true,
                    takes_response_format: true,
                    ..Traits::default()
                },
                ..MemberFacts::default()
            },
        });
        GroupFacts::new(members.collect(), &self.tags, self.filters_tags)
    }

    /// One member. What the catalogue knows counts only where requests are looked at before a call.
    fn member(&self, number: u32, deployment: &Deployment) -> MemberFacts {
        let (params, info) = (
            &deployment.entry.litellm_params,
            &deployment.entry.model_info,
        );
        let row = self.looks.then(|| deployment.listed()).flatten();
        let schema = info.supports_response_schema;
        let schema = schema.or(row
            .as_ref()
            .and_then(|row| row.flag("supports_response_schema")));
        let drops = params.drop_params.unwrap_or(self.drops_params);
        let is_taken = || {
            deployment
                .plan
                .supported()
                .any(|name| name == "response_format")
        };
        // Of one that stands for many only what it says itself is known.
        let is_known = self.looks && !deployment.stands_for_many();
        MemberFacts {
            deployment: number,
            is_paused: deployment.is_paused(),
            is_no_model: false,
            access_groups: deployment.access_groups.clone(),
            window: deployment.window.filter(|_| self.looks),
            region: params.region_name.as_deref().map(Arc::from),
            reservations: info.access_windows.as_slice().into(),
            traits: Traits {
                searches_web: info.supports_web_search != Some(false),
                takes_response_format: !is_known || drops || (schema != Some(false) && is_taken()),
                tags: params.tags.clone(),
                tag_patterns: params.tag_regex.clone(),
                tag_filtering: info.tag_filtering,
                fails_open: info.allow_fail_open,
            },
        }
    }
}
