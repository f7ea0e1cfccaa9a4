//! The service class a call is billed at.

/// What a provider was asked for, or says it served (`service_tier`), as far as prices differ by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ServiceTier {
    #[default]
    Standard,
    /// The batch API: half the standard price where none is stated.
    Batch,
    Priority,
    Flex,
    Ultrafast,
    Balanced,
    Decisions,
}

impl ServiceTier {
    pub const ALL: [Self; 7] = [
        Self::Standard,
        Self::Batch,
        Self::Priority,
        Self::Flex,
        Self::Ultrafast,
        Self::Balanced,
        Self::Decisions,
    ];

    /// The tier that a `service_tier` text names, in any case; `None` when it leaves the choice to the provider: `auto`, or
    /// nothing at all. `fast` is billed as priority; `default`, `standard` and what is not known are the standard price.
    pub fn named(text: Option<&str>) -> Option<Self> {
        const NAMES: [(&str, ServiceTier); 7] = [
            ("priority", ServiceTier::Priority),
            ("fast", ServiceTier::Priority),
            ("flex", ServiceTier::Flex),
            ("batch", ServiceTier::Batch),
            ("ultrafast", ServiceTier::Ultrafast),
            ("balanced", ServiceTier::Balanced),
            ("decisions", ServiceTier::Decisions),
        ];
        let text = text.filter(|text| !text.is_empty() && !text.eq_ignore_ascii_case("auto"))?;
        let tier = NAMES
            .iter()
            .find(|(name, _)| text.eq_ignore_ascii_case(name))
            .map_or(Self::Standard, |(_, tier)| *tier);
        Some(tier)
    }

    /// The tier a call is billed at: the one its answer says it was served at, else the one asked for.
    pub fn billed(served: Option<&str>, asked: Option<Self>) -> Self {
        Self::named(served).or(asked).unwrap_or_default()
    }

    /// Its name in answers of the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "default",
            Self::Batch => "batch",
            Self::Priority => "priority",
            Self::Flex => "flex",
            Self::Ultrafast => "ultrafast",
            Self::Balanced => "balanced",
            Self::Decisions => "decisions",
        }
    }

    /// Suffix of the price fields (`input_cost_per_token_priority`).
    pub const fn field_suffix(self) -> &'static str {
        match self {
            Self::Standard => "",
            Self::Batch => "_batches",
            Self::Priority => "_priority",
            Self::Flex => "_flex",
            Self::Ultrafast => "_ultrafast",
            Self::Balanced => "_balanced",
            Self::Decisions => "_decisions",
        }
    }

    /// Suffix of the catalogue's price codes (`in@prio`).
    pub const fn code_suffix(self) -> &'static str {
        match self {
            Self::Standard => "",
            Self::Batch => "@batch",
            Self::Priority => "@prio",
            Self::Flex => "@flex",
            Self::Ultrafast => "@ultra",
            Self::Balanced => "@bal",
            Self::Decisions => "@dec",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_served_beats_what_was_asked() {
        use ServiceTier::{Flex, Priority, Standard};
        for (served, asked, billed) in [
            (None, None, Standard),
            (None, Some(Flex), Flex),
            (Some("Priority"), None, Priority),
            (Some("fast"), Some(Flex), Priority),
            (Some("default"), Some(Priority), Standard),
            (Some("standard"), Some(Priority), Standard),
            (Some("on_demand"), Some(Priority), Standard),
            (Some("auto"), Some(Priority), Priority),
            (Some(""), Some(Flex), Flex),
        ] {
            assert_eq!(
                ServiceTier::billed(served, asked),
                billed,
                "{served:?} {asked:?}"
            );
        }
        assert_eq!(ServiceTier::named(Some("AUTO")), None);
        for tier in ServiceTier::ALL {
            assert_eq!(ServiceTier::named(Some(tier.name())), Some(tier));
        }
    }
}
