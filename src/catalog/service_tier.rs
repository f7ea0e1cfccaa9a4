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

    /// The tier of a `service_tier` text, any case. `fast` is billed as priority; `default`, `standard`, `auto`, nothing
    /// and what is not known are the standard price.
    pub fn of(text: Option<&str>) -> Self {
        let named = |name: &str| text.is_some_and(|text| text.eq_ignore_ascii_case(name));
        if named("priority") || named("fast") {
            Self::Priority
        } else if named("flex") {
            Self::Flex
        } else if named("batch") {
            Self::Batch
        } else if named("ultrafast") {
            Self::Ultrafast
        } else if named("balanced") {
            Self::Balanced
        } else if named("decisions") {
            Self::Decisions
        } else {
            Self::Standard
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
