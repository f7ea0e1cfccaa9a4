//! What is known of a group's deployments, compiled once.

use std::sync::Arc;

use super::reservation::Reservation;
use super::tags::{MemberTags, TagIndex, TagRules};

/// What is said of one deployment.
#[derive(Clone, Debug, Default)]
pub struct Traits {
    /// Not `model_info.supports_web_search: false`.
    pub searches_web: bool,
    /// Its model takes a `response_format`, or it is left out for it.
    pub takes_response_format: bool,
    /// `litellm_params.tags` and `tag_regex`.
    pub tags: Vec<String>,
    pub tag_patterns: Vec<String>,
    /// `model_info.enable_tag_filtering`.
    pub tag_filtering: Option<bool>,
    /// `model_info.allow_fail_open`.
    pub fails_open: bool,
}

/// One member of a group.
#[derive(Clone, Debug, Default)]
pub struct MemberFacts {
    /// Its number.
    pub deployment: u32,
    /// `model_info.blocked`.
    pub is_paused: bool,
    /// The name that is asked for is no model of its provider: a star stands for many.
    pub is_no_model: bool,
    /// `model_info.access_groups`.
    pub access_groups: Vec<Arc<str>>,
    /// The most tokens its model reads, where prompts are looked at before a call.
    pub window: Option<u64>,
    /// `litellm_params.region_name`.
    pub region: Option<Arc<str>>,
    /// `model_info.access_windows`.
    pub reservations: Arc<[Reservation]>,
    pub traits: Traits,
}

/// The members of a group, in its order.
#[derive(Clone, Debug, Default)]
pub struct GroupFacts {
    pub(super) members: Box<[MemberFacts]>,
    pub(super) tags: Box<[MemberTags]>,
    pub(super) tag_index: TagIndex,
    pub(super) tag_rules: Arc<TagRules>,
    pub(super) fails_open: bool,
    /// Not all members are in the same access groups.
    pub splits_access: bool,
    /// Requests are chosen for by tags, whatever they say.
    pub filters_tags: bool,
    /// A member's model does not search the web.
    pub minds_web_search: bool,
    /// A member's model takes no `response_format`, and requests are looked at before a call.
    pub minds_response_format: bool,
    /// A request that wants nothing of its own may still not go to all members.
    pub concern_everybody: bool,
}

impl GroupFacts {
    /// `filters_tags` is `router_settings.enable_tag_filtering`; what a deployment says of its group wins, and that it is on
    /// more than that it is off.
    pub fn new(members: Vec<MemberFacts>, tag_rules: &Arc<TagRules>, filters_tags: bool) -> Self {
        let all = || members.iter().map(|member| &member.traits);
        let said = |filters| all().any(|own| own.tag_filtering == Some(filters));
        let filters_tags = said(true) || (filters_tags && !said(false));
        let fails_open = all().any(|own| own.fails_open);
        let minds_web_search = all().any(|own| !own.searches_web);
        let minds_response_format = all().any(|own| !own.takes_response_format);
        let concerns = |member: &MemberFacts| {
            member.window.is_some() || !member.reservations.is_empty() || member.is_no_model
        };
        let access = |member: &MemberFacts| member.access_groups.clone();
        let first = members.first().map(access).unwrap_or_default();
        let splits_access = members.iter().any(|member| member.access_groups != first);
        let mut tag_index = TagIndex::default();
        let tags = members.iter().map(|member| {
            let traits = &member.traits;
            MemberTags::new(&mut tag_index, &traits.tags, &traits.tag_patterns)
        });
        Self {
            tags: tags.collect(),
            concern_everybody: filters_tags
                || minds_web_search
                || minds_response_format
                || members.iter().any(concerns),
            members: members.into(),
            tag_index,
            tag_rules: tag_rules.clone(),
            fails_open,
            splits_access,
            filters_tags,
            minds_web_search,
            minds_response_format,
        }
    }
}
