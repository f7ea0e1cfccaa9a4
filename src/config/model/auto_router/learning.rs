//! `adaptive_router_config`.

use super::{groups, inner, unread};
use crate::config::read::Section;
use crate::policy::auto_router::adaptive;

pub fn read(
    section: Option<&Section<'_>>,
    default: Option<String>,
) -> Result<adaptive::Settings, &'static str> {
    let mut settings = adaptive::Settings::default();
    let mut own_default = None;
    if let Some(section) = section {
        settings.available = groups(section);
        if let Some(weights) = inner(section, "weights") {
            let own = &mut settings.weights;
            own.quality = weights.amount("quality").unwrap_or(own.quality);
            own.cost = weights.amount("cost").unwrap_or(own.cost);
            unread(&weights);
        }
        own_default = section.text("default_model");
        unread(section);
    }
    settings.default = default.or(own_default).map(Into::into);
    if settings.default.is_none() && settings.available.is_empty() {
        return Err(
            "expected `adaptive_router_config.available_models`, the groups to choose from, found none",
        );
    }
    Ok(settings)
}
