//! How difficult a request is: four tiers.

/// Easiest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    Simple,
    Medium,
    Complex,
    Reasoning,
}

impl Tier {
    pub const ALL: [Self; 4] = [Self::Simple, Self::Medium, Self::Complex, Self::Reasoning];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "SIMPLE",
            Self::Medium => "MEDIUM",
            Self::Complex => "COMPLEX",
            Self::Reasoning => "REASONING",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|tier| tier.as_str().eq_ignore_ascii_case(name.trim()))
    }

    /// The next harder one.
    pub const fn up(self) -> Self {
        match self {
            Self::Simple => Self::Medium,
            Self::Medium => Self::Complex,
            Self::Complex | Self::Reasoning => Self::Reasoning,
        }
    }
}
