//! How a deployment is asked whether it works.

use std::time::Duration;

use crate::config::ModelEntry;
use crate::protocol::json;
use crate::types::Operation;

/// LiteLLM's `HEALTH_CHECK_TIMEOUT_SECONDS`.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Tokens of an answer, LiteLLM's bound.
const MAX_TOKENS: u64 = 5;

/// See the module.
#[derive(Clone, Debug)]
pub struct HealthCheck {
    pub operation: Operation,
    /// The model that is asked for, as a JSON string, quotes included: the deployment's own, or the one that
    /// `health_check_model` names.
    pub model_json: Vec<u8>,
    pub max_tokens: u64,
    pub timeout: Duration,
    /// The rounds of the background come here.
    pub in_background: bool,
}

impl HealthCheck {
    /// `mode` is what the model is for; a chat is asked by another operation where the deployment `serves` none; calls may take `timeout`.
    pub fn of(
        entry: &ModelEntry,
        mode: Option<&str>,
        serves: impl Fn(Operation) -> bool,
        timeout: Duration,
    ) -> Self {
        let check = &entry.model_info.health_check;
        let model = check
            .model
            .as_deref()
            .map_or(&*entry.upstream_model, |model| {
                let own = model.strip_prefix(&*entry.provider);
                own.and_then(|model| model.strip_prefix('/'))
                    .unwrap_or(model)
            });
        Self {
            operation: match mode {
                Some("embedding") => Operation::Embedding,
                Some("completion") => Operation::Completion,
                _ => [Operation::Chat, Operation::Messages, Operation::Responses]
                    .into_iter()
                    .find(|operation| serves(*operation))
                    .unwrap_or(Operation::Chat),
            },
            model_json: json::quoted(model),
            max_tokens: check.max_tokens.unwrap_or(MAX_TOKENS),
            timeout: check.timeout.unwrap_or(timeout.min(TIMEOUT)),
            in_background: !check.not_in_background,
        }
    }
}
