//! By the quality that a request's difficulty asks for: each group says how good it is, and of the good enough the first counts.

use std::cmp::Ordering;
use std::sync::Arc;

use super::classifier::Classifier;
use super::tier::Tier;
use super::words::{Words, searched};

/// `quality_router_config`.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub classifier: Classifier,
    /// Groups that may be chosen.
    pub available: Vec<Arc<str>>,
    pub default: Option<Arc<str>>,
    /// The quality that each tier of difficulty asks for.
    pub wanted: [u8; 4],
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            classifier: Classifier::default(),
            available: Vec::new(),
            default: None,
            wanted: [1, 2, 3, 4],
        }
    }
}

/// A group as its deployments describe it (`model_info.litellm_routing_preferences`).
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub group: Arc<str>,
    pub quality: u8,
    /// A request with one of these goes there, whatever it asks for.
    pub words: Words,
    /// Lower first.
    pub order: Option<i64>,
    /// Dollars an input token; unknown is dearest.
    pub cost: Option<f64>,
}

/// How a group was found, as `x-litellm-quality-router-via` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    Quality,
    Keyword,
    Default,
}

impl Via {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quality => "quality_tier",
            Self::Keyword => "keyword",
            Self::Default => "default_model",
        }
    }
}

/// Where a request goes, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub group: Arc<str>,
    /// The group's quality; none of a default that says nothing.
    pub quality: Option<u8>,
    pub via: Via,
    pub keyword: Option<String>,
    pub complexity: Tier,
}

/// A quality router with the groups it chooses from.
#[derive(Clone, Debug)]
pub struct Router {
    pub settings: Settings,
    /// Best first among equals: by order, then cost, then name.
    candidates: Vec<Candidate>,
}

impl Router {
    pub fn new(settings: Settings, mut candidates: Vec<Candidate>) -> Self {
        candidates.sort_by(before);
        Self {
            settings,
            candidates,
        }
    }

    /// Where a text goes: by its words, else to the quality that it asks for, else to the next better, else to the next worse,
    /// else to the default. `None`: nobody is there.
    pub fn decide(&self, text: &str) -> Option<Decision> {
        let complexity = self.settings.classifier.judge(text).tier;
        let decision = |candidate: &Candidate, via, keyword: Option<&str>| Decision {
            group: candidate.group.clone(),
            quality: Some(candidate.quality),
            via,
            keyword: keyword.map(str::to_owned),
            complexity,
        };
        let lower = searched(text);
        let named = self.candidates.iter().filter_map(|candidate| {
            let word = candidate.words.first(&lower)?;
            Some((candidate, word))
        });
        // Of those that are named the best one; of equally good ones the first.
        let named = named.reduce(|best, other| match other.0.quality > best.0.quality {
            true => other,
            false => best,
        });
        if let Some((candidate, word)) = named {
            return Some(decision(candidate, Via::Keyword, Some(word)));
        }
        let wanted = self.settings.wanted[complexity as usize];
        if let Some(candidate) = self.of_quality(wanted) {
            return Some(decision(candidate, Via::Quality, None));
        }
        let group = self.settings.default.clone()?;
        let known = self
            .candidates
            .iter()
            .find(|candidate| candidate.group == group);
        Some(Decision {
            quality: known.map(|candidate| candidate.quality),
            group,
            via: Via::Default,
            keyword: None,
            complexity,
        })
    }

    fn of_quality(&self, wanted: u8) -> Option<&Candidate> {
        let qualities = || self.candidates.iter().map(|candidate| candidate.quality);
        let up = qualities().filter(|quality| *quality >= wanted).min();
        let down = || qualities().filter(|quality| *quality < wanted).max();
        let found = up.or_else(down)?;
        self.candidates
            .iter()
            .find(|candidate| candidate.quality == found)
    }
}

fn before(one: &Candidate, other: &Candidate) -> Ordering {
    let order = |candidate: &Candidate| candidate.order.unwrap_or(i64::MAX);
    let cost = |candidate: &Candidate| candidate.cost.unwrap_or(f64::INFINITY);
    order(one)
        .cmp(&order(other))
        .then_with(|| cost(one).total_cmp(&cost(other)))
        .then_with(|| one.group.cmp(&other.group))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HARD: &str = "think through it step by step";

    fn candidate(
        group: &str,
        quality: u8,
        order: Option<i64>,
        cost: Option<f64>,
        words: &[&str],
    ) -> Candidate {
        Candidate {
            group: group.into(),
            quality,
            words: Words::of(words),
            order,
            cost,
        }
    }

    fn decided(
        candidates: &[Candidate],
        default: Option<&str>,
        text: &str,
    ) -> Option<(String, Via)> {
        let settings = Settings {
            default: default.map(Into::into),
            ..Settings::default()
        };
        let decided = Router::new(settings, candidates.to_vec()).decide(text)?;
        Some((decided.group.to_string(), decided.via))
    }

    #[test]
    fn the_quality_that_is_asked_for_and_the_first_of_it() {
        let of = |name: &str, via| Some((name.to_owned(), via));
        let (cheap, dear) = (
            candidate("cheap", 1, None, Some(1.0), &[]),
            candidate("dear", 4, None, Some(9.0), &[]),
        );
        let both = [dear.clone(), cheap.clone()];
        assert_eq!(decided(&both, None, "hi"), of("cheap", Via::Quality));
        assert_eq!(decided(&both, None, HARD), of("dear", Via::Quality));
        // No quality 4: the next worse. No quality 1: the next better.
        assert_eq!(decided(&[cheap], None, HARD), of("cheap", Via::Quality));
        assert_eq!(decided(&[dear], None, "hi"), of("dear", Via::Quality));
        assert_eq!(decided(&[], Some("d"), "hi"), of("d", Via::Default));
        assert_eq!(decided(&[], None, "hi"), None);
        let equals = [
            candidate("z", 1, None, None, &[]),
            candidate("b", 1, None, Some(2.0), &[]),
            candidate("a", 1, None, Some(2.0), &[]),
            candidate("y", 1, Some(1), Some(5.0), &[]),
        ];
        assert_eq!(
            decided(&equals, None, "hi"),
            of("y", Via::Quality),
            "order first"
        );
        assert_eq!(
            decided(&equals[..3], None, "hi"),
            of("a", Via::Quality),
            "then cost, then name"
        );
    }

    #[test]
    fn words_lead_to_the_best_that_has_them() {
        let candidates = [
            candidate("one", 1, Some(0), None, &["tax"]),
            candidate("two", 3, None, Some(1.0), &["tax", "law"]),
            candidate("three", 3, None, Some(2.0), &["tax"]),
        ];
        let settings = Settings::default();
        let decided = Router::new(settings, candidates.to_vec())
            .decide("my Tax return")
            .unwrap();
        assert_eq!(
            (&*decided.group, decided.via, decided.keyword.as_deref()),
            ("two", Via::Keyword, Some("tax"))
        );
    }

    proptest! {
        /// Somebody is chosen wherever there is anybody, and never one worse than wanted while one is good enough.
        #[test]
        fn never_worse_than_needed(qualities in proptest::collection::vec(1u8..5, 1..8), text in "[a-z ]{0,80}") {
            let candidates: Vec<Candidate> = qualities.iter().enumerate()
                .map(|(n, quality)| candidate(&n.to_string(), *quality, None, None, &[])).collect();
            let router = Router::new(Settings::default(), candidates);
            let decided = router.decide(&text).unwrap();
            let wanted = router.settings.wanted[decided.complexity as usize];
            let good_enough = qualities.iter().any(|quality| *quality >= wanted);
            prop_assert_eq!(decided.quality.unwrap() >= wanted, good_enough);
        }
    }
}
