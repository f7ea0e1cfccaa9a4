//! Which tier a text is in by its words alone.

use super::scorer::{Score, Scorer};
use super::tier::Tier;

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

impl Boundaries {
    /// How far a score is from the nearest of them.
    fn distance(&self, score: f64) -> f64 {
        let all = [
            self.simple_medium,
            self.medium_complex,
            self.complex_reasoning,
        ];
        all.iter()
            .map(|boundary| (score - boundary).abs())
            .fold(f64::INFINITY, f64::min)
    }
}

/// So many different phrases that ask for reasoning make a request one of reasoning, whatever it scores.
const REASONING_MARKERS: usize = 2;

/// How a text is put into a tier.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Classifier {
    pub scorer: Scorer,
    pub boundaries: Boundaries,
    /// Phrases that ask for reasoning decide only from this score on.
    pub least_for_markers: Option<f64>,
}

/// What the words of a text say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ByWords {
    pub tier: Tier,
    pub score: f64,
    /// The phrases that ask for reasoning have decided, not the score.
    pub by_markers: bool,
    /// Some word or length has said anything at all.
    pub has_signal: bool,
    /// How far the score is from the nearest boundary.
    pub distance: f64,
}

impl Classifier {
    pub fn judge(&self, text: &str) -> ByWords {
        let score = self.scorer.score(text);
        let Score {
            value,
            reasoning_markers,
            has_signal,
        } = score;
        let by_markers = reasoning_markers >= REASONING_MARKERS
            && self.least_for_markers.is_none_or(|least| value >= least);
        let boundaries = &self.boundaries;
        let tier = match value {
            _ if by_markers => Tier::Reasoning,
            value if value < boundaries.simple_medium => Tier::Simple,
            value if value < boundaries.medium_complex => Tier::Medium,
            value if value < boundaries.complex_reasoning => Tier::Complex,
            _ => Tier::Reasoning,
        };
        ByWords {
            tier,
            score: value,
            by_markers,
            has_signal,
            distance: boundaries.distance(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_may_need_a_score() {
        let text = "think through it step by step";
        let mut classifier = Classifier::default();
        let judged = classifier.judge(text);
        assert!(judged.by_markers && judged.tier == Tier::Reasoning);
        classifier.least_for_markers = Some(0.3);
        let judged = classifier.judge(text);
        assert!(
            !judged.by_markers && judged.tier < Tier::Reasoning,
            "{judged:?}"
        );
    }

    #[test]
    fn what_words_say_nothing_of() {
        let classifier = Classifier::default();
        let silent = "Tell me something nice about the weather in autumn, would you please do so";
        assert!(!classifier.judge(silent).has_signal);
        assert!(classifier.judge("hi").has_signal);
        // 0.15 from the first boundary.
        assert!((classifier.judge(silent).distance - 0.15).abs() < 1e-9);
    }
}
