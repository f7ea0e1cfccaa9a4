//! `quality_router_config`.

use super::words::{classifier, classifier_type};
use super::{groups, inner, unknown_tier, unread};
use crate::config::read::Section;
use crate::policy::auto_router::complexity::Tier;
use crate::policy::auto_router::quality;

pub fn read(
    section: Option<&Section<'_>>,
    default: Option<String>,
) -> Result<quality::Settings, &'static str> {
    let mut settings = quality::Settings::default();
    let mut own_default = None;
    if let Some(section) = section {
        settings.classifier = classifier(section);
        settings.available = groups(section);
        if let Some(wanted) = inner(section, "complexity_to_quality") {
            for entry in wanted.entries() {
                match Tier::named(&entry.key) {
                    Some(tier) => {
                        if let Some(quality) = wanted.small(&entry.key, 255) {
                            settings.wanted[tier as usize] =
                                u8::try_from(quality).unwrap_or(u8::MAX);
                        }
                    }
                    None => unknown_tier(&wanted, &entry.key, entry.key_pos),
                }
            }
        }
        own_default = section.text("default_model");
        classifier_type(section);
        unread(section);
    }
    settings.default = default.or(own_default).map(Into::into);
    if settings.default.is_none() && settings.available.is_empty() {
        return Err(
            "expected `quality_router_config.available_models`, the groups to choose from, found none",
        );
    }
    Ok(settings)
}
