//! By how difficult a request is: four tiers, each with its groups.

use std::sync::Arc;
use std::time::Duration;

use super::any_of;
use super::scorer::{Score, Scorer};
use super::words::{Words, searched};
use crate::policy::fallback::Target;

/// How difficult, easiest first.
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
        all.find(|tier| tier.as_str().eq_ignore_ascii_case(name))
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

/// Where one tier ends and the next begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Boundaries {
    pub simple_medium: f64,
    pub medium_complex: f64,
    pub complex_reasoning: f64,
}

impl Default for Boundaries {
    fn default() -> Self {
        Self {
            simple_medium: 0.15,
            medium_complex: 0.35,
            complex_reasoning: 0.60,
        }
    }
}

/// So many different phrases that ask for reasoning make a request one of reasoning, whatever it scores.
const REASONING_MARKERS: usize = 2;

/// How a text is put into a tier.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Classifier {
    pub scorer: Scorer,
    pub boundaries: Boundaries,
}

impl Classifier {
    /// The tier of a text by its words alone.
    pub fn tier(&self, text: &str) -> (Tier, Score, Cause) {
        let score = self.scorer.score(text);
        if score.reasoning_markers >= REASONING_MARKERS {
            return (Tier::Reasoning, score, Cause::ReasoningMarkers);
        }
        let boundaries = &self.boundaries;
        let tier = match score.value {
            value if value < boundaries.simple_medium => Tier::Simple,
            value if value < boundaries.medium_complex => Tier::Medium,
            value if value < boundaries.complex_reasoning => Tier::Complex,
            _ => Tier::Reasoning,
        };
        (tier, score, Cause::Score)
    }
}

/// Why a request is in its tier, as `x-litellm-complexity-router-cause` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Score,
    ReasoningMarkers,
    KeywordRule,
    /// The user asked for more.
    Escalated,
    /// The session is in this tier.
    Session,
    /// There is no text to judge by.
    NoText,
}

impl Cause {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Score => "heuristic",
            Self::ReasoningMarkers => "reasoning_override",
            Self::KeywordRule => "keyword_rule",
            Self::Escalated => "escalation",
            Self::Session => "session_affinity",
            Self::NoText => "default_model",
        }
    }
}

/// Words that put a request into a tier before it is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub words: Words,
    pub tier: Tier,
}

/// `complexity_router_config`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    pub classifier: Classifier,
    /// By tier: one of them at random.
    pub tiers: [Vec<Target>; 4],
    pub rules: Vec<Rule>,
    /// What a user writes to get the next tier, exactly so.
    pub escalations: Vec<String>,
    /// Where there is no text, and for tiers without a group.
    pub default: Option<Arc<str>>,
    /// A session stays in the tier of its first request for as long as it is used within this time.
    pub session_affinity: Option<Duration>,
}

/// What a user writes to get the next tier, unless the configuration says otherwise (LiteLLM 1.106.2).
pub const ESCALATE: &str = "LITELLM ESCALATE";

/// Where a request goes, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub tier: Tier,
    pub cause: Cause,
    /// None where it was not judged.
    pub score: Option<f64>,
    pub target: Target,
}

impl Settings {
    /// Where a text goes; `random` is uniform in `[0, 1)`. `None`: the configuration names no group at all.
    pub fn decide(&self, text: &str, random: f64) -> Option<Decision> {
        if text.trim().is_empty() {
            let target = self.default.clone().map(Target::plain);
            let target = target.or_else(|| self.target(Tier::Simple, random))?;
            return Some(Decision {
                tier: Tier::Simple,
                cause: Cause::NoText,
                score: None,
                target,
            });
        }
        let (tier, score, cause) = match self.rule(text) {
            Some(tier) => (tier, None, Cause::KeywordRule),
            None => {
                let (tier, score, cause) = self.classifier.tier(text);
                (tier, Some(score.value), cause)
            }
        };
        let (tier, cause) = match self.asks_for_more(text) {
            true => (tier.up(), Cause::Escalated),
            false => (tier, cause),
        };
        let target = self.target(tier, random)?;
        Some(Decision {
            tier,
            cause,
            score,
            target,
        })
    }

    /// Where a session goes that is in `tier`, now that it says `text`.
    pub fn stay(&self, tier: Tier, text: &str, random: f64) -> Option<Decision> {
        let (tier, cause) = match self.asks_for_more(text) {
            true => (tier.up(), Cause::Escalated),
            false => (tier, Cause::Session),
        };
        let target = self.target(tier, random)?;
        Some(Decision {
            tier,
            cause,
            score: None,
            target,
        })
    }

    /// Whether the user wants the next tier.
    pub fn asks_for_more(&self, text: &str) -> bool {
        self.escalations
            .iter()
            .any(|phrase| text.contains(phrase.as_str()))
    }

    /// Of the rules that fit, the hardest tier.
    fn rule(&self, text: &str) -> Option<Tier> {
        if self.rules.is_empty() {
            return None;
        }
        let lower = searched(text);
        let fitting = self
            .rules
            .iter()
            .filter(|rule| rule.words.first(&lower).is_some());
        fitting.map(|rule| rule.tier).max()
    }

    /// One of the tier's groups; where it has none, the default, then the next harder tier's, then the next easier one's.
    fn target(&self, tier: Tier, random: f64) -> Option<Target> {
        let of = |tier: Tier| any_of(&self.tiers[tier as usize], random).cloned();
        let default = || self.default.clone().map(Target::plain);
        let harder = || {
            Tier::ALL
                .into_iter()
                .filter(|other| *other > tier)
                .find_map(of)
        };
        let easier = || {
            Tier::ALL
                .into_iter()
                .rev()
                .filter(|other| *other < tier)
                .find_map(of)
        };
        of(tier).or_else(default).or_else(harder).or_else(easier)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings() -> Settings {
        Settings {
            tiers: ["s", "m", "c", "r"].map(|name| vec![Target::plain(name)]),
            escalations: vec![ESCALATE.to_owned()],
            rules: vec![
                Rule {
                    words: Words::of(["invoice"]),
                    tier: Tier::Medium,
                },
                Rule {
                    words: Words::of(["lawsuit", "invoice fraud"]),
                    tier: Tier::Complex,
                },
            ],
            ..Settings::default()
        }
    }

    #[test]
    fn tiers_of_texts() {
        let settings = settings();
        for (text, tier, cause) in [
            ("Hello there", Tier::Simple, Cause::Score),
            (
                "Please have a look at this python function, it does not do what I want it to",
                Tier::Medium,
                Cause::Score,
            ),
            (
                "Implement a distributed cache with replication in python: what about latency and performance of the api?",
                Tier::Complex,
                Cause::Score,
            ),
            (
                "Think step by step and show your work",
                Tier::Reasoning,
                Cause::ReasoningMarkers,
            ),
            ("an Invoice", Tier::Medium, Cause::KeywordRule),
            (
                "an invoice and a lawsuit",
                Tier::Complex,
                Cause::KeywordRule,
            ),
            ("Hello LITELLM ESCALATE", Tier::Medium, Cause::Escalated),
            (
                "a lawsuit, LITELLM ESCALATE",
                Tier::Reasoning,
                Cause::Escalated,
            ),
            ("litellm escalate", Tier::Simple, Cause::Score),
            (" ", Tier::Simple, Cause::NoText),
        ] {
            let decided = settings.decide(text, 0.5).unwrap();
            assert_eq!(
                (decided.tier, decided.cause),
                (tier, cause),
                "{text}: {decided:?}"
            );
            assert_eq!(
                *decided.target.model,
                *["s", "m", "c", "r"][tier as usize],
                "{text}"
            );
        }
        let stays = settings.stay(Tier::Complex, "Hello", 0.0).unwrap();
        assert_eq!((stays.tier, stays.cause), (Tier::Complex, Cause::Session));
        let more = settings.stay(Tier::Complex, ESCALATE, 0.0).unwrap();
        assert_eq!((more.tier, more.cause), (Tier::Reasoning, Cause::Escalated));
    }

    #[test]
    fn tiers_without_groups() {
        let mut settings = settings();
        settings.tiers[0].clear();
        let group = |settings: &Settings| {
            settings
                .decide("hi", 0.0)
                .map(|decided| decided.target.model)
        };
        assert_eq!(
            group(&settings).as_deref(),
            Some("m"),
            "the next harder one"
        );
        settings.default = Some("d".into());
        assert_eq!(group(&settings).as_deref(), Some("d"));
        settings.default = None;
        settings.tiers = [vec![Target::plain("s")], vec![], vec![], vec![]];
        let hard = settings
            .decide("think through it step by step", 0.0)
            .unwrap();
        assert_eq!(&*hard.target.model, "s", "the next easier one");
        settings.tiers = Default::default();
        assert_eq!(settings.decide("hi", 0.0), None);
    }

    proptest! {
        /// Every text leads somewhere, and the same text and chance to the same place.
        #[test]
        fn decisions_are_functions(text in "\\PC{0,300}", random in 0.0..1.0f64) {
            let settings = settings();
            let decided = settings.decide(&text, random);
            prop_assert!(decided.is_some());
            prop_assert_eq!(decided, settings.decide(&text, random));
        }

        /// A tier's groups share its requests evenly.
        #[test]
        fn groups_of_a_tier_take_turns_by_chance(count in 1usize..6, random in 0.0..1.0f64) {
            let targets: Vec<Target> = (0..count).map(|n| Target::plain(n.to_string())).collect();
            let expected = ((random * count as f64) as usize).min(count - 1).to_string();
            prop_assert_eq!(&*any_of(&targets, random).unwrap().model, expected.as_str());
        }
    }
}
