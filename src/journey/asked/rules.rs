//! What the configuration says about requests' wishes, prepared once.

use actix_web::http::header::HeaderName;

use crate::config::Config;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Headers that name the end user: `user_header_mappings` of the role customer, else `user_header_name`.
    pub user_headers: Vec<HeaderName>,
    /// `litellm_settings.extra_spend_tag_headers`: their values become tags.
    pub tag_headers: Vec<HeaderName>,
    /// `litellm_settings.disable_add_user_agent_to_request_tags`.
    pub no_agent_tags: bool,
    /// `litellm_settings.disable_end_user_cost_tracking`.
    pub no_end_users: bool,
    /// `general_settings.reject_clientside_metadata_tags`.
    pub no_tags_by_metadata: bool,
    /// `general_settings.dangerously_allow_mock_testing_request_params`.
    pub mock_testing: bool,
}

impl Rules {
    pub fn of(config: &Config) -> Self {
        let general = &config.general_settings;
        let litellm = &config.litellm_settings;
        Self {
            user_headers: names(&general.user_headers),
            tag_headers: names(&litellm.extra_spend_tag_headers),
            no_agent_tags: litellm.disable_add_user_agent_to_request_tags,
            no_end_users: litellm.disable_end_user_cost_tracking,
            no_tags_by_metadata: general.reject_clientside_metadata_tags,
            mock_testing: general.dangerously_allow_mock_testing_request_params,
        }
    }
}

/// Names that can be header names; the others never arrive.
fn names(texts: &[String]) -> Vec<HeaderName> {
    texts
        .iter()
        .filter_map(|text| text.trim().to_ascii_lowercase().parse().ok())
        .collect()
}
