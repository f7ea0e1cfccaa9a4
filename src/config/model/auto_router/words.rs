//! How a text is judged: words, weights and boundaries, of complexity and quality routers alike.

use super::{inner, unread};
use crate::config::read::Section;
use crate::policy::auto_router::Words;
use crate::policy::auto_router::classifier::{Boundaries, Classifier};
use crate::policy::auto_router::scorer::{OwnWords, Scorer, Weights};

pub fn classifier(section: &Section<'_>) -> Classifier {
    let usual = Boundaries::default();
    let boundaries = inner(section, "tier_boundaries").map_or(usual, |own| {
        let of = |key: &str, usual: f64| own.amount(key).unwrap_or(usual);
        let boundaries = Boundaries {
            simple_medium: of("simple_medium", usual.simple_medium),
            medium_complex: of("medium_complex", usual.medium_complex),
            complex_reasoning: of("complex_reasoning", usual.complex_reasoning),
        };
        unread(&own);
        boundaries
    });
    let words = |key: &str| Words::of(section.texts(key));
    let mut scorer = Scorer {
        weights: weights(section),
        words: OwnWords {
            code: words("code_keywords"),
            reasoning: words("reasoning_keywords"),
            technical: words("technical_keywords"),
            simple: words("simple_keywords"),
            more_technical: words("custom_technical_keywords"),
        },
        ..Scorer::default()
    };
    if let Some(own) = inner(section, "token_thresholds") {
        scorer.short = own.amount("simple").unwrap_or(scorer.short);
        scorer.long = own.amount("complex").unwrap_or(scorer.long);
        unread(&own);
    }
    Classifier {
        scorer,
        boundaries,
        least_for_markers: section.amount("reasoning_override_min_score"),
    }
}

/// As written: a weight that is left out counts nothing.
fn weights(section: &Section<'_>) -> Weights {
    let mut weights = Weights::default();
    let Some(own) = inner(section, "dimension_weights") else {
        return weights;
    };
    let names = [
        "tokenCount",
        "codePresence",
        "reasoningMarkers",
        "technicalTerms",
        "simpleIndicators",
        "multiStepPatterns",
        "questionComplexity",
    ];
    for name in names {
        if let Some(weight) = weights.named(name) {
            *weight = own.amount(name).unwrap_or(0.0);
        }
    }
    unread(&own);
    weights
}

/// Quality routers judge by words alone.
pub fn classifier_type(section: &Section<'_>) {
    const KEY: &str = "classifier_type";
    if let (Some(kind), Some(node)) = (section.text(KEY), section.value(KEY))
        && kind != "heuristic"
    {
        let message = "not supported here: requests are judged by their words (`heuristic`)";
        section
            .sink
            .not_yet_because(node.pos, section.path_of(KEY), message);
    }
}
