//! `model_info` of one entry.

use serde_json::Value as Json;

use crate::config::cooldown;
use crate::config::diagnostic::Severity;
use crate::config::health_checks::HealthCheckInfo;
use crate::config::read::Section;
use crate::config::yaml::Value;
use crate::policy::cooldown::Limits;
use crate::policy::cost::OffPeak;
use crate::policy::shortlist::Reservation;
use crate::policy::strategies::lar1;

use super::access_windows;
use super::auto_router::{self, AdaptivePreferences, QualityPreferences};
use super::price::{PriceField, read_all as read_prices};

/// What is told about a deployment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelInfo {
    /// As written; [`ModelEntry::id`](super::ModelEntry::id) is the effective one.
    pub id: Option<String>,
    /// The catalogue's name of the model, for price and limits.
    pub base_model: Option<String>,
    /// `chat`, `completion`, `embedding`, `image_generation`, …
    pub mode: Option<String>,
    pub max_tokens: Option<u64>,
    pub max_input_tokens: Option<u64>,
    pub max_output_tokens: Option<u64>,
    /// Prices that replace the catalogue's, in the order written.
    pub prices: Vec<PriceField>,
    /// Hours with other prices.
    pub off_peak: Option<OffPeak>,
    pub access_groups: Vec<String>,
    /// Where it is served, by `LITELLM_ENVIRONMENT`; everywhere if there are none.
    pub supported_environments: Vec<String>,
    /// Only this team may call it.
    pub team_id: Option<String>,
    /// What the team calls it.
    pub team_public_model_name: Option<String>,
    /// When failures keep it away, and for how long.
    pub cooldown: Limits,
    /// How it is asked whether it works.
    pub health_check: HealthCheckInfo,
    /// As `order` of `litellm_params`, which wins.
    pub order: Option<i64>,
    /// Times that some teams have it to themselves.
    pub access_windows: Vec<Reservation>,
    /// Whether its group is chosen from by tags.
    pub tag_filtering: Option<bool>,
    /// Requests of its group that no tag fits go to the defaults.
    pub allow_fail_open: bool,
    pub supports_web_search: Option<bool>,
    pub supports_response_schema: Option<bool>,
    /// What quality routers are told of it.
    pub quality: Option<QualityPreferences>,
    /// What adaptive routers are told of it.
    pub adaptive: Option<AdaptivePreferences>,
    /// Paused: no call is sent to it.
    pub blocked: bool,
    /// `type`, where it is one that the strategy `lar1` knows. In `other`, too.
    pub kind: Option<lar1::Kind>,
    /// Everything else, in the order written; shown in model lists. Maps inside a value come in the order of `serde_json`.
    pub other: Vec<(String, Json)>,
}

pub fn read(section: &Section<'_>) -> ModelInfo {
    let (prices, off_peak) = read_prices(section);
    let mut info = ModelInfo {
        id: section.text("id").filter(|id| !id.is_empty()),
        base_model: section.text("base_model"),
        mode: section.text("mode"),
        max_tokens: section.count("max_tokens"),
        max_input_tokens: section.count("max_input_tokens"),
        max_output_tokens: section.count("max_output_tokens"),
        prices,
        off_peak,
        access_groups: section.texts("access_groups"),
        supported_environments: beside(section, |own| own.texts("supported_environments")),
        team_id: beside(section, |own| {
            own.text("team_id").filter(|id| !id.is_empty())
        }),
        team_public_model_name: beside(section, |own| {
            own.text("team_public_model_name")
                .filter(|name| !name.is_empty())
        }),
        cooldown: beside(section, cooldown::read),
        health_check: beside(section, HealthCheckInfo::read),
        order: beside(section, |own| own.integer("order")),
        access_windows: beside(section, access_windows::read),
        tag_filtering: beside(section, |own| own.flag("enable_tag_filtering")),
        allow_fail_open: beside(section, |own| own.flag("allow_fail_open")).unwrap_or(false),
        supports_web_search: stated(section, "supports_web_search"),
        supports_response_schema: stated(section, "supports_response_schema"),
        quality: beside(section, auto_router::quality_preferences),
        adaptive: beside(section, auto_router::adaptive_preferences),
        kind: kind(section),
        blocked: section.flag("blocked").unwrap_or(false),
        other: Vec::new(),
    };
    for entry in section.unread() {
        match entry.value.to_json() {
            Some(value) => info.other.push((entry.key.clone(), value)),
            None => section.expected(&entry.key, &entry.value, "finite numbers only"),
        }
    }
    info
}

fn kind(section: &Section<'_>) -> Option<lar1::Kind> {
    match &section.node.get("type")?.value.value {
        Value::Text(name) => lar1::Kind::named(name),
        _ => None,
    }
}

/// What is said of a model: anything but true and false says nothing.
fn stated(section: &Section<'_>, key: &str) -> Option<bool> {
    match section.node.get(key)?.value.value {
        Value::Bool(stated) => Some(stated),
        _ => None,
    }
}

/// Read beside the section, so that it stays among what model lists show.
fn beside<T: Default>(section: &Section<'_>, read: impl Fn(&Section<'_>) -> T) -> T {
    let path = section.path.clone();
    Section::open(section.node, path, section.sink, Severity::Warning)
        .map(|own| read(&own))
        .unwrap_or_default()
}
