//! What answers tell of an auto router's decision: headers with LiteLLM's names (1.106.2).

use std::fmt::Display;

use actix_web::http::header::{HeaderName, HeaderValue};

use crate::policy::auto_router::{complexity, quality};
use crate::policy::fallback::Target;
use crate::types::NanoUsd;

/// A header with its value.
pub type Header = (HeaderName, HeaderValue);

fn header(name: &'static str, value: impl Display) -> Option<Header> {
    let value = HeaderValue::from_str(&value.to_string()).ok()?;
    Some((HeaderName::from_static(name), value))
}

/// `cost`: of asking a model, in dollars.
pub fn of_complexity(decision: &complexity::Decision, cost: Option<NanoUsd>) -> Vec<Header> {
    let score = decision.score.map(|score| format!("{score:.3}"));
    [
        header("x-litellm-complexity-router-tier", decision.tier.as_str()),
        header("x-litellm-complexity-router-cause", decision.cause.as_str()),
        score.and_then(|score| header("x-litellm-complexity-router-score", score)),
        effort(&decision.target)
            .and_then(|effort| header("x-litellm-complexity-router-reasoning-effort", effort)),
        cost.and_then(|cost| header("x-litellm-classifier-cost", cost)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The effort that a tier asks of its group.
fn effort(target: &Target) -> Option<String> {
    let mut overrides = target.overrides.iter();
    let (_, value) = overrides.find(|(name, _)| name == "reasoning_effort")?;
    serde_json::from_slice(value).ok()
}

pub fn of_quality(decision: &quality::Decision) -> Vec<Header> {
    [
        header("x-litellm-quality-router-model", &decision.group),
        decision
            .quality
            .and_then(|quality| header("x-litellm-quality-router-tier", quality)),
        header("x-litellm-quality-router-via", decision.via.as_str()),
        decision
            .keyword
            .as_ref()
            .and_then(|word| header("x-litellm-quality-router-keyword", word)),
        header(
            "x-litellm-quality-router-complexity",
            decision.complexity.as_str(),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

pub fn of_adaptive(group: &str) -> Vec<Header> {
    header("x-litellm-adaptive-router-model", group)
        .into_iter()
        .collect()
}
