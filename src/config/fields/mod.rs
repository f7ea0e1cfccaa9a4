//! Every field name of the configuration and what this version does with it.
//!
//! One table, a file per section. The loader draws its warnings from it ("unknown field", "not supported yet") and
//! documentation can list it ([`known_fields`]). A feature that starts to obey a field moves its name to another group.

mod general_settings;
mod litellm_params;
mod litellm_settings;
mod model_info;
mod router_settings;
mod top;

use std::sync::LazyLock;

use crate::catalog::PriceKey;

/// What this version does with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Has its effect.
    Obeyed,
    /// Known, without effect in this version; reported at the start.
    NotYet,
    /// Has nothing to do here, without loss: matters of LiteLLM's own process.
    Accepted,
}

/// A map of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    Top,
    ModelEntry,
    LitellmParams,
    ModelInfo,
    LitellmSettings,
    RouterSettings,
    GeneralSettings,
}

impl Place {
    pub const ALL: [Self; 7] = [
        Self::Top,
        Self::ModelEntry,
        Self::LitellmParams,
        Self::ModelInfo,
        Self::LitellmSettings,
        Self::RouterSettings,
        Self::GeneralSettings,
    ];

    /// As users write it.
    pub const fn section_name(self) -> &'static str {
        match self {
            Self::Top => "the top level",
            Self::ModelEntry => "model_list[]",
            Self::LitellmParams => "litellm_params",
            Self::ModelInfo => "model_info",
            Self::LitellmSettings => "litellm_settings",
            Self::RouterSettings => "router_settings",
            Self::GeneralSettings => "general_settings",
        }
    }

    /// Where a field that is unknown here may have been meant to stand.
    pub(super) const fn neighbours(self) -> &'static [Self] {
        match self {
            Self::Top => &[
                Self::GeneralSettings,
                Self::RouterSettings,
                Self::LitellmSettings,
            ],
            Self::ModelEntry => &[Self::LitellmParams, Self::ModelInfo],
            Self::LitellmSettings => &[Self::GeneralSettings, Self::RouterSettings, Self::Top],
            Self::RouterSettings => &[Self::GeneralSettings, Self::LitellmSettings, Self::Top],
            Self::GeneralSettings => &[Self::RouterSettings, Self::LitellmSettings, Self::Top],
            Self::LitellmParams | Self::ModelInfo => &[],
        }
    }

    const fn groups(self) -> &'static [Group] {
        match self {
            Self::Top => top::GROUPS,
            Self::ModelEntry => top::ENTRY_GROUPS,
            Self::LitellmParams => litellm_params::GROUPS,
            Self::ModelInfo => model_info::GROUPS,
            Self::LitellmSettings => litellm_settings::GROUPS,
            Self::RouterSettings => router_settings::GROUPS,
            Self::GeneralSettings => general_settings::GROUPS,
        }
    }
}

/// Names that share their status. A name that ends in `*` stands for all that begin like it.
struct Group {
    status: Status,
    /// 1 everyone uses it, 2 common, 3 rare.
    tier: u8,
    /// The fields are switches that are on unless the file says otherwise.
    on_by_default: bool,
    names: &'static [&'static str],
}

const fn obeyed(tier: u8, names: &'static [&'static str]) -> Group {
    Group {
        status: Status::Obeyed,
        tier,
        on_by_default: false,
        names,
    }
}

const fn not_yet(tier: u8, names: &'static [&'static str]) -> Group {
    Group {
        status: Status::NotYet,
        tier,
        on_by_default: false,
        names,
    }
}

const fn not_yet_on(tier: u8, names: &'static [&'static str]) -> Group {
    Group {
        status: Status::NotYet,
        tier,
        on_by_default: true,
        names,
    }
}

const fn accepted(tier: u8, names: &'static [&'static str]) -> Group {
    Group {
        status: Status::Accepted,
        tier,
        on_by_default: false,
        names,
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownField {
    pub place: Place,
    /// Ends in `*` when it stands for all names that begin like it.
    pub name: &'static str,
    pub status: Status,
    /// 1 everyone uses it, 2 common, 3 rare.
    pub tier: u8,
    pub on_by_default: bool,
}

fn rows(place: Place) -> impl Iterator<Item = KnownField> {
    place.groups().iter().flat_map(move |group| {
        let Group {
            status,
            tier,
            on_by_default,
            names,
        } = *group;
        names.iter().map(move |name| KnownField {
            place,
            name,
            status,
            tier,
            on_by_default,
        })
    })
}

/// The whole table.
pub fn known_fields() -> impl Iterator<Item = KnownField> {
    Place::ALL.into_iter().flat_map(rows)
}

/// The row of one field. Price fields are known wherever a model is described, under every name of [`is_price_field`].
pub fn find(place: Place, name: &str) -> Option<KnownField> {
    static EXACT: LazyLock<std::collections::HashMap<(Place, &'static str), KnownField>> =
        LazyLock::new(|| {
            known_fields()
                .map(|field| ((field.place, field.name), field))
                .collect()
        });
    if let Some(field) = EXACT.get(&(place, name)) {
        return Some(*field);
    }
    if matches!(place, Place::LitellmParams | Place::ModelInfo) && is_price_field(name) {
        let (name, status) = ("*_cost_per_*", Status::Obeyed);
        return Some(KnownField {
            place,
            name,
            status,
            tier: 1,
            on_by_default: false,
        });
    }
    rows(place).find(|field| {
        field
            .name
            .strip_suffix('*')
            .is_some_and(|start| name.starts_with(start))
    })
}

/// The full names a field of `place` can have, without families.
pub(super) fn names(place: Place) -> impl Iterator<Item = &'static str> {
    rows(place)
        .map(|field| field.name)
        .filter(|name| !name.ends_with('*'))
}

/// Whether this is a price of the model catalogue, or looks like one: dollars for one token, second, image, page, query …
pub fn is_price_field(name: &str) -> bool {
    // A map by context size, not a number.
    if name == "search_context_cost_per_query" {
        return false;
    }
    let like_one = name.contains("cost_per_")
        || name.ends_with("_token_cost")
        || name.contains("_token_cost_");
    like_one || PriceKey::of_field(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_is_listed_twice() {
        let mut seen = std::collections::HashSet::new();
        for field in known_fields() {
            assert!(seen.insert((field.place, field.name)), "{field:?}");
            assert!((1..=3).contains(&field.tier), "{field:?}");
        }
        assert!(seen.len() > 300);
    }

    #[test]
    fn families_and_prices() {
        let status = |place, name| find(place, name).map(|field| field.status);
        assert_eq!(
            status(Place::GeneralSettings, "mcp_trusted_proxy_ranges"),
            Some(Status::NotYet)
        );
        assert_eq!(
            status(Place::LitellmParams, "output_cost_per_image_4K"),
            Some(Status::Obeyed)
        );
        assert_eq!(
            status(Place::GeneralSettings, "output_cost_per_image"),
            None
        );
        for (name, price) in [
            ("input_cost_per_token", true),
            ("cost_per_second", true),
            ("cache_creation_input_token_cost_above_1hr", true),
            ("cache_read_input_token_cost_priority", true),
            ("cache_read_input_audio_token_cost", true),
            ("input_dbu_cost_per_token", true),
            ("regional_processing_uplift_multiplier_eu", true),
            ("search_context_cost_per_query", false),
            ("cost_discount_config", false),
            ("max_tokens", false),
        ] {
            assert_eq!(is_price_field(name), price, "{name}");
        }
    }
}
