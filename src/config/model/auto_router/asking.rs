//! `classifier_type` and `classifier_llm_config`: whether a model is asked how difficult a request is, and what it is shown.

use std::time::Duration;

use super::{inner, named_tier, unread};
use crate::config::read::Section;
use crate::policy::auto_router::asking::{
    Asking, Context, Labels, MOST_EXAMPLES, MOST_INSTRUCTIONS, PAUSE, Prompt, Rubric, TIMEOUT, When,
};
use crate::policy::auto_router::complexity::Tier;

/// No answer is waited for longer, in milliseconds.
const LONGEST: u32 = 60_000;
/// Turns and characters of a conversation that a model is shown at most.
const MOST_TURNS: u32 = 100;
const MOST_CHARS: u32 = 200_000;
/// Characters of `system_prompt`.
const MOST_PROMPT: usize = 64_000;

/// `None`: requests are judged by their words alone.
pub fn read(section: &Section<'_>) -> Option<Asking> {
    let labels = labels(section);
    let instructions = bounded(section, "classification_prompt", MOST_INSTRUCTIONS);
    let examples = bounded(section, "classification_examples", MOST_EXAMPLES);
    let context = context(section);
    let falls_to_default = falls_to_default(section);
    let when = when(section)?;
    const KEY: &str = "classifier_llm_config";
    let own = inner(section, KEY);
    let group = own.as_ref().and_then(|own| own.text("model"));
    let (Some(own), Some(group)) = (own, group.filter(|group| !group.is_empty())) else {
        let message = "expected `classifier_llm_config.model`, the group that is asked, found none";
        let pos = section
            .value("classifier_type")
            .map_or(section.node.pos, |node| node.pos);
        section.sink.error(pos, section.path_of(KEY), message);
        return None;
    };
    let prompt = Prompt {
        rubric: rubric(&own),
        instructions: instructions.as_deref(),
        examples: examples.as_deref(),
        labels: labels.clone(),
        shows_turns: context.turns > 0,
    };
    let system = match bounded(&own, "system_prompt", MOST_PROMPT) {
        Some(whole) => whole,
        None => prompt.text(),
    };
    let timeout = own.small("timeout_ms", LONGEST).filter(|ms| *ms > 0);
    let pauses = own.flag("circuit_breaker_enabled").unwrap_or(true);
    let pause = own.seconds("circuit_breaker_cooldown_seconds");
    let asking = Asking {
        group: group.into(),
        when,
        timeout: timeout.map_or(TIMEOUT, |ms| Duration::from_millis(u64::from(ms))),
        pause: pauses.then(|| pause.unwrap_or(PAUSE)),
        effort: own
            .text("reasoning_effort")
            .filter(|effort| !effort.is_empty()),
        system: system.into(),
        labels,
        context,
        falls_to_default,
    };
    unread(&own);
    Some(asking)
}

fn when(section: &Section<'_>) -> Option<When> {
    const KEY: &str = "classifier_type";
    let kind = section.text(KEY).unwrap_or_default();
    let node = section.value(KEY)?;
    match kind.as_str() {
        "heuristic" => None,
        "llm" => Some(When::Always),
        "heuristic_first" => {
            let tier = named_tier(section, "heuristic_first_max_tier", node.pos)?;
            if tier == Tier::Reasoning {
                let message = "expected SIMPLE, MEDIUM or COMPLEX: no request is harder than REASONING, so that nobody would be asked";
                let path = section.path_of("heuristic_first_max_tier");
                section.sink.error(node.pos, path, message);
            }
            Some(When::Above(tier))
        }
        "hybrid" => {
            const MARGIN: &str = "hybrid_boundary_margin";
            let margin = section.amount(MARGIN);
            if margin.is_none_or(|margin| margin > 1.0) {
                let message = "expected a number from 0 to 1: how near to where a tier begins a score must be for the model to be asked";
                section
                    .sink
                    .error(node.pos, section.path_of(MARGIN), message);
            }
            margin.map(When::Near)
        }
        _ => {
            let message = "not supported: requests are judged by their words (`heuristic`); `llm`, `heuristic_first` and `hybrid` ask a model";
            let path = section.path_of(KEY);
            section.sink.not_yet_because(node.pos, path, message);
            None
        }
    }
}

fn labels(section: &Section<'_>) -> Labels {
    let mut labels = Labels::default();
    let Some(own) = inner(section, "tier_labels") else {
        return labels;
    };
    for tier in Tier::ALL {
        let Some(label) = own.text(tier.as_str()) else {
            continue;
        };
        if let (false, Some(node)) = (labels.set(tier, &label), own.value(tier.as_str())) {
            own.expected(
                tier.as_str(),
                node,
                "a name of 1 to 64 characters that no other tier has",
            );
        }
    }
    unread(&own);
    labels
}

fn rubric(own: &Section<'_>) -> Rubric {
    const KEY: &str = "classification_rubric";
    let Some(name) = own.text(KEY) else {
        return Rubric::default();
    };
    Rubric::named(&name).unwrap_or_else(|| {
        if let Some(node) = own.value(KEY) {
            own.expected(KEY, node, "legacy, agentic, chat or business");
        }
        Rubric::default()
    })
}

fn context(section: &Section<'_>) -> Context {
    let usual = Context::default();
    let number = |key: &str, most| section.small(key, most).map(|number| number as usize);
    let own = Context {
        turns: number("classifier_context_window_size", MOST_TURNS).unwrap_or(usual.turns),
        chars: number("classifier_context_budget_chars", MOST_CHARS).unwrap_or(usual.chars),
        per_turn: number("classifier_context_per_turn_chars", MOST_CHARS),
        has_answers: section
            .flag("classifier_context_include_assistant_turns")
            .unwrap_or(usual.has_answers),
    };
    Context {
        per_turn: own.per_turn.filter(|most| *most > 0),
        ..own
    }
}

fn falls_to_default(section: &Section<'_>) -> bool {
    const KEY: &str = "classifier_fallback";
    match section.text(KEY).as_deref() {
        None | Some("heuristic") => false,
        Some("default_model") => true,
        Some(_) => {
            if let Some(node) = section.value(KEY) {
                section.expected(KEY, node, "heuristic or default_model");
            }
            false
        }
    }
}

/// A text that is not empty, and no longer than this, in characters.
fn bounded(section: &Section<'_>, key: &str, most: usize) -> Option<String> {
    let text = section.text(key)?;
    let text = text.trim();
    if text.is_empty() || text.chars().count() > most {
        let node = section.value(key)?;
        section.expected(key, node, &format!("a text of 1 to {most} characters"));
        return None;
    }
    Some(text.to_owned())
}
