//! How a deployment is asked whether it works.

mod mode;
mod stars;

pub use mode::{Errand, Mode};

use std::sync::Arc;
use std::time::Duration;

use crate::config::{HealthChecks, ModelEntry};
use crate::providers::{self, Provider};
use crate::types::Operation;

/// Tokens of an answer (LiteLLM 1.106.2), and where there must be room for more: Anthropic's Messages, and models that are
/// not known before, which may think first.
const MAX_TOKENS: u64 = 5;
const MORE_TOKENS: u64 = 16;
/// Who speaks where nobody is named (LiteLLM 1.106.2).
const VOICE: &str = "alloy";

/// See the module.
#[derive(Clone, Debug)]
pub struct HealthCheck {
    pub mode: Mode,
    /// Where it is asked what clients cannot ask; `None` where its provider has no such thing.
    pub url: Option<String>,
    /// The models that are asked for, one after the other until one answers: the deployment's own, the one that
    /// `health_check_model` names, or where a star stands for many the cheapest of them. Empty: nobody knows one.
    pub models: Vec<String>,
    /// What is said.
    pub prompt: Arc<str>,
    pub max_tokens: u64,
    /// Of speech.
    pub voice: Arc<str>,
    pub timeout: Duration,
    /// The rounds of the background come here.
    pub in_background: bool,
}

impl HealthCheck {
    /// `mode` is what the model is for; a conversation is asked by another operation where the deployment `serves` none such;
    /// calls may take `timeout`.
    pub fn of(
        entry: &ModelEntry,
        checks: &HealthChecks,
        mode: Option<&str>,
        serves: impl Fn(Operation) -> bool,
        timeout: Duration,
    ) -> Self {
        let check = &entry.model_info.health_check;
        let provider = providers::or_generic(&entry.provider);
        let way = Mode::of(mode, serves);
        let models = models(entry, way);
        let needs_room = way == Mode::Served(Operation::Messages)
            || (entry.upstream_model.contains('*') && check.model.is_none());
        let usual = if needs_room { MORE_TOKENS } else { MAX_TOKENS };
        Self {
            mode: way,
            url: url(entry, provider, way, &models),
            models,
            prompt: checks.prompt.clone(),
            max_tokens: check.max_tokens.or(checks.max_tokens).unwrap_or(usual),
            voice: check.voice.as_deref().unwrap_or(VOICE).into(),
            timeout: check.timeout.unwrap_or(timeout.min(checks.timeout)),
            in_background: !check.not_in_background,
        }
    }
}

fn models(entry: &ModelEntry, mode: Mode) -> Vec<String> {
    if let Some(model) = entry.model_info.health_check.model.as_deref() {
        let own = model.strip_prefix(&*entry.provider);
        let own = own.and_then(|model| model.strip_prefix('/'));
        return vec![own.unwrap_or(model).to_owned()];
    }
    if !entry.upstream_model.contains('*') {
        return vec![entry.upstream_model.clone()];
    }
    let mode = match mode {
        Mode::Served(Operation::Embedding) => "embedding",
        Mode::Served(Operation::Completion) => "completion",
        Mode::Served(_) => "chat",
        Mode::Plain(_) | Mode::Realtime => return Vec::new(),
    };
    stars::cheapest(&entry.provider, &entry.upstream_model, mode)
}

fn url(entry: &ModelEntry, provider: &Provider, mode: Mode, models: &[String]) -> Option<String> {
    let (base, model) = (&entry.api_base, &entry.upstream_model);
    let version = entry.litellm_params.api_version.as_deref();
    match mode {
        Mode::Served(_) => None,
        Mode::Plain(errand) => errand.url(provider, base, model, version),
        Mode::Realtime => mode::realtime_url(provider, base, models.first()?),
    }
}
