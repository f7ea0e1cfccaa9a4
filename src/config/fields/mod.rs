//! Every field name of the configuration, what it means and what this version does with it.
//!
//! One table, a file a section (`*.tsv`: name, status, tier, default, meaning). The loader draws its warnings from it
//! ("unknown field", "not supported yet"), `docs/configuration.md` and `config/reference.yaml` are checked against it.
//! A feature that begins to obey a field changes the word `not yet` of its line to `obeyed`. Nothing here reads a value.

mod table;

pub use table::Row as Variable;

use std::collections::HashMap;
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

impl Status {
    /// The word of the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Obeyed => "obeyed",
            Self::NotYet => "not yet",
            Self::Accepted => "accepted",
        }
    }
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

    const fn text(self) -> &'static str {
        match self {
            Self::Top => include_str!("top.tsv"),
            Self::ModelEntry => include_str!("model_list.tsv"),
            Self::LitellmParams => include_str!("litellm_params.tsv"),
            Self::ModelInfo => include_str!("model_info.tsv"),
            Self::LitellmSettings => include_str!("litellm_settings.tsv"),
            Self::RouterSettings => include_str!("router_settings.tsv"),
            Self::GeneralSettings => include_str!("general_settings.tsv"),
        }
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
    /// What counts when the field is absent; `None` when that is nothing, off or zero.
    pub default: Option<&'static str>,
    /// One sentence without a full stop.
    pub meaning: &'static str,
}

impl KnownField {
    fn new(place: Place, row: table::Row) -> Self {
        let table::Row {
            name,
            status,
            tier,
            default,
            meaning,
        } = row;
        Self {
            place,
            name,
            status,
            tier,
            default,
            meaning,
        }
    }

    /// A switch that is on unless the file says otherwise.
    pub fn on_by_default(&self) -> bool {
        self.default == Some("true")
    }
}

const ENVIRONMENT: &str = include_str!("environment.tsv");

/// Variables of the environment: ours, and LiteLLM's that people set. Those of providers are not among them.
pub fn known_variables() -> impl Iterator<Item = Variable> {
    table::rows(ENVIRONMENT)
}

struct Table {
    all: Vec<KnownField>,
    /// Places of `all`.
    by_name: HashMap<(Place, &'static str), usize>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let all: Vec<KnownField> = Place::ALL
        .into_iter()
        .flat_map(|place| table::rows(place.text()).map(move |row| KnownField::new(place, row)))
        .collect();
    let by_name = all
        .iter()
        .enumerate()
        .map(|(index, field)| ((field.place, field.name), index))
        .collect();
    Table { all, by_name }
});

/// Prices have too many names for rows of their own.
const PRICES: &str = "*_cost_per_*";

/// The whole table.
pub fn known_fields() -> impl Iterator<Item = KnownField> {
    TABLE.all.iter().copied()
}

/// The row of one field. Price fields are known wherever a model is described, under every name of [`is_price_field`].
pub fn find(place: Place, name: &str) -> Option<KnownField> {
    if let Some(index) = TABLE.by_name.get(&(place, name)) {
        return TABLE.all.get(*index).copied();
    }
    if matches!(place, Place::LitellmParams | Place::ModelInfo) && is_price_field(name) {
        return Some(KnownField {
            place,
            name: PRICES,
            status: Status::Obeyed,
            tier: 1,
            default: Some("the catalogue's"),
            meaning: "A price in dollars a unit, any price field of the model catalogue",
        });
    }
    known_fields()
        .filter(|field| field.place == place)
        .find(|field| {
            field
                .name
                .strip_suffix('*')
                .is_some_and(|start| name.starts_with(start))
        })
}

/// The full names a field of `place` can have, without families.
pub(super) fn names(place: Place) -> impl Iterator<Item = &'static str> {
    known_fields()
        .filter(move |field| field.place == place && !field.name.ends_with('*'))
        .map(|field| field.name)
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

    /// A line that cannot be read would be a field that nobody knows.
    #[test]
    fn every_line_is_a_row() {
        for place in Place::ALL {
            let lines = place.text().lines().count() - 1;
            let rows = known_fields().filter(|field| field.place == place).count();
            assert_eq!(rows, lines, "{place:?}");
        }
    }

    #[test]
    fn every_line_is_a_variable() {
        assert_eq!(known_variables().count(), ENVIRONMENT.lines().count() - 1);
        let names: std::collections::HashSet<_> = known_variables().map(|v| v.name).collect();
        assert_eq!(names.len(), known_variables().count());
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
