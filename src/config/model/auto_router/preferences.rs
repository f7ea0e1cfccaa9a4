//! What a deployment says of its group to the routers that choose among groups (`model_info`).

use super::{inner, unread};
use crate::config::read::{Section, number, whole_number};
use crate::policy::auto_router::Words;
use crate::policy::auto_router::request_type::RequestType;

/// What a deployment says of its group to quality routers (`model_info.litellm_routing_preferences`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QualityPreferences {
    pub quality: u8,
    pub words: Words,
    pub order: Option<i64>,
}

/// What a deployment says of its group to adaptive routers (`model_info.adaptive_router_preferences`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AdaptivePreferences {
    /// 1 to 3.
    pub tier: u8,
    pub strengths: Vec<RequestType>,
}

fn strengths(section: &Section<'_>) -> Vec<RequestType> {
    const KEY: &str = "strengths";
    let known = |name: String| {
        let kind = RequestType::named(&name);
        if let (None, Some(node)) = (kind, section.value(KEY)) {
            let names: Vec<&str> = RequestType::ALL.iter().map(|kind| kind.as_str()).collect();
            let message = format!("of these only {} are known", names.join(", "));
            section
                .sink
                .warning(node.pos, section.path_of(KEY), message);
        }
        kind
    };
    section.texts(KEY).into_iter().filter_map(known).collect()
}

/// `model_info.litellm_routing_preferences`.
pub fn quality_preferences(section: &Section<'_>) -> Option<QualityPreferences> {
    let own = inner(section, "litellm_routing_preferences")?;
    let read = QualityPreferences {
        quality: u8::try_from(own.small("quality_tier", 255)?).ok()?,
        words: Words::of(own.texts("keywords")),
        order: own
            .value("order")
            .and_then(whole_number)
            .and_then(|n| i64::try_from(n).ok()),
    };
    unread(&own);
    Some(read)
}

/// `model_info.adaptive_router_preferences`.
pub fn adaptive_preferences(section: &Section<'_>) -> Option<AdaptivePreferences> {
    let own = inner(section, "adaptive_router_preferences")?;
    let tier = own.value("quality_tier").and_then(number);
    if let (Some(node), None | Some(..1.0) | Some(4.0..)) = (own.value("quality_tier"), tier) {
        own.expected("quality_tier", node, "1, 2 or 3");
    }
    let read = AdaptivePreferences {
        tier: tier.map_or(1, |tier| tier.clamp(1.0, 3.0) as u8),
        strengths: strengths(&own),
    };
    unread(&own);
    Some(read)
}
