//! `lar1`: by how sure an agent is of what it says (`metadata.lar1` of its request; the LAR-1 protocol as LiteLLM 1.106.2 has it).
//!
//! What is doubtful goes to the best model that can be called, what comes from memory or is nearly sure to cheaper ones. A
//! deployment says what it is in `model_info.type`; of those of the wanted kind the first takes the call, and where none is
//! there the first of all.

use super::{Candidates, Strategy};

/// What a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    CloudSmart,
    CloudFast,
    Local,
    Deep,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::CloudSmart, Self::CloudFast, Self::Local, Self::Deep];

    /// As `model_info.type` has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CloudSmart => "cloud-smart",
            Self::CloudFast => "cloud-fast",
            Self::Local => "local",
            Self::Deep => "deep",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// What a request says of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Said {
    /// How sure the agent is, from 0 to 1.
    pub confidence: f32,
    /// Nothing proves it.
    pub is_unverified: bool,
    /// The agent remembers it.
    pub is_memory: bool,
}

impl Default for Said {
    /// Of a request that says nothing.
    fn default() -> Self {
        Self {
            confidence: 0.5,
            is_unverified: false,
            is_memory: false,
        }
    }
}

/// Where one kind ends and the next begins; `0 < low < medium < high < 1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    low: f32,
    medium: f32,
    high: f32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            low: 0.3,
            medium: 0.5,
            high: 0.7,
        }
    }
}

impl Thresholds {
    /// `None`: they are not in order.
    pub fn new(low: f32, medium: f32, high: f32) -> Option<Self> {
        let in_order = 0.0 < low && low < medium && medium < high && high < 1.0;
        in_order.then_some(Self { low, medium, high })
    }

    pub fn low(&self) -> f32 {
        self.low
    }

    pub fn medium(&self) -> f32 {
        self.medium
    }

    pub fn high(&self) -> f32 {
        self.high
    }

    /// The kind of deployment that a request is for.
    pub fn wanted(&self, said: &Said) -> Kind {
        match said.confidence {
            _ if said.is_unverified => Kind::CloudSmart,
            _ if said.is_memory => Kind::CloudFast,
            confidence if confidence < self.low => Kind::CloudSmart,
            confidence if confidence < self.medium => Kind::CloudFast,
            confidence if confidence < self.high => Kind::Local,
            _ => Kind::Deep,
        }
    }
}

/// See the module.
pub struct Lar1 {
    pub thresholds: Thresholds,
}

impl Strategy for Lar1 {
    fn pick(&self, candidates: &Candidates<'_>, _: f64) -> Option<usize> {
        let wanted = self.thresholds.wanted(&candidates.lar1);
        let takes = |position: &usize| (candidates.eligible)(*position);
        let positions = || 0..candidates.members.len();
        let is_of_kind = |position: &usize| {
            let member = candidates.members.get(*position);
            member.is_some_and(|member| member.kind == Some(wanted))
        };
        let of_kind = positions().filter(is_of_kind).find(takes);
        of_kind.or_else(|| positions().find(takes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::strategies::testing::Fleet;

    fn said(confidence: f32) -> Said {
        Said {
            confidence,
            ..Said::default()
        }
    }

    #[test]
    fn kinds_of_requests() {
        let thresholds = Thresholds::default();
        let unverified = Said {
            is_unverified: true,
            is_memory: true,
            confidence: 0.9,
        };
        let memory = Said {
            is_memory: true,
            ..said(0.1)
        };
        for (said, kind) in [
            (unverified, Kind::CloudSmart),
            (memory, Kind::CloudFast),
            (said(0.0), Kind::CloudSmart),
            (said(0.3), Kind::CloudFast),
            (Said::default(), Kind::Local),
            (said(0.7), Kind::Deep),
            (said(1.0), Kind::Deep),
        ] {
            assert_eq!(thresholds.wanted(&said), kind, "{said:?}");
        }
        assert_eq!(Thresholds::new(0.5, 0.4, 0.7), None);
        assert_eq!(Thresholds::new(0.0, 0.4, 0.7), None);
        assert_eq!(Thresholds::new(0.3, 0.5, f32::NAN), None);
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.as_str()), Some(kind));
        }
    }

    proptest! {
        /// The first of the wanted kind that may be chosen; without one the first that may; the same each time.
        #[test]
        fn the_first_of_its_kind(
            kinds in proptest::collection::vec(0usize..5, 1..12),
            out in any::<u16>(),
            confidence in 0.0..=1.0f32,
            random in 0.0..1.0f64,
        ) {
            let mut fleet = Fleet::of(kinds.len());
            for (member, kind) in fleet.members.iter_mut().zip(&kinds) {
                member.kind = Kind::ALL.get(*kind).copied();
            }
            fleet.out = out;
            fleet.lar1 = said(confidence);
            let strategy = Lar1 { thresholds: Thresholds::default() };
            let wanted = strategy.thresholds.wanted(&fleet.lar1);
            let eligible: Vec<usize> = (0..kinds.len()).filter(|position| fleet.is_in(*position)).collect();
            let of_kind = eligible.iter().copied().find(|position| fleet.members[*position].kind == Some(wanted));
            prop_assert_eq!(fleet.pick(&strategy, random), of_kind.or(eligible.first().copied()));
        }
    }
}
