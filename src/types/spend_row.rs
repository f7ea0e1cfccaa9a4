//! One row of the spend log, as the journal and the store carry it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{KeyHash, LedgerId, NanoUsd, RowCost, Usage};

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallStatus {
    /// The whole answer was delivered.
    Success,
    /// The upstream, or the gateway on its behalf, answered with an error.
    Failure,
    /// The client left before the end; what was streamed is charged.
    ClientDisconnected,
    /// The gateway ended during the call: what was streamed is charged. Or it died: known from the journal alone.
    Interrupted,
}

impl CallStatus {
    /// The text in the database and in `GET /spend/logs`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::ClientDisconnected => "client_disconnected",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What one call cost and whose it was. Times are microseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpendRow {
    pub ledger_id: LedgerId,
    pub key_hash: KeyHash,
    pub user_id: Option<Arc<str>>,
    pub team_id: Option<Arc<str>>,
    /// The customer on whose behalf it was made.
    pub end_user: Option<Arc<str>>,
    pub started_at: i64,
    pub ended_at: i64,
    pub first_token_at: Option<i64>,
    /// `acompletion`, …: LiteLLM's names.
    pub call_type: Arc<str>,
    pub status: CallStatus,
    /// The provider-side model.
    pub model: Arc<str>,
    pub model_group: Arc<str>,
    /// The deployment's id; empty when none was chosen.
    pub model_id: Arc<str>,
    pub provider: Arc<str>,
    pub api_base: Arc<str>,
    pub spend: NanoUsd,
    /// What the spend is made of, and whether it is known at all.
    pub cost: RowCost,
    pub usage: Usage,
    /// Usage was estimated from bytes because the provider told none.
    pub usage_estimated: bool,
    /// The provider's id of its answer (`chatcmpl-…`); the call id when there is none.
    pub request_id: Arc<str>,
    pub call_id: Arc<str>,
    /// Upstream calls made beyond the first.
    pub retries: u16,
    /// HTTP status of the answer given.
    pub http_status: u16,
    /// The error class (`RateLimitError`, …) of a failure.
    pub error_class: Option<Arc<str>>,
    pub client_ip: Option<Arc<str>>,
    /// The caller's program, at most 256 bytes.
    pub user_agent: Option<Arc<str>>,
    /// JSON of what the request says for the books: `tags`, `session_id`, `spend_logs_metadata`, each only if there.
    pub labels: Option<Arc<str>>,
    /// What of its spend counts in budgets of providers, deployments and tags, by their keys (`policy::spends::key`): each of
    /// its calls in those of its own deployment. It is summed up as the row is booked, and no column of it.
    pub budgets: Vec<(Arc<str>, NanoUsd)>,
}

/// What a request says about itself for the books.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Labels {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// To which session of its program the call belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<Arc<str>>,
    /// A JSON object of the caller's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spend_logs_metadata: Option<Value>,
    /// The calls that failed before the one that the row is about: the last [`MOST_FAILED_CALLS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub previous_models: Vec<FailedCall>,
    /// A copy of another request, for `silent_model`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_silent_experiment: bool,
}

/// Whose the checks of deployments are in the books: the name of a key and of a team that nobody has, and the tag of their rows
/// (LiteLLM 1.106.2).
pub const HEALTH_CHECKER: &str = "litellm-internal-health-check";

/// Failed calls that a row names (LiteLLM 1.106.2).
pub const MOST_FAILED_CALLS: usize = 4;

/// A call whose failure another call of the same request made good, or tried to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedCall {
    pub model_group: Arc<str>,
    /// The deployment's id.
    pub model_id: Arc<str>,
    /// The error's class, such as `RateLimitError`.
    pub exception_type: Arc<str>,
    /// The HTTP status that it would have had as an answer.
    pub status: u16,
}

impl SpendRow {
    /// `labels`, as they are kept, with calls that failed before and the tags of the deployment that was chosen.
    pub fn completed_labels(
        labels: Option<&Arc<str>>,
        failed: &[FailedCall],
        tags: &[String],
    ) -> Option<Arc<str>> {
        if failed.is_empty() && tags.is_empty() {
            return labels.cloned();
        }
        let read = labels.and_then(|json| serde_json::from_str(json).ok());
        let mut labels: Labels = read.unwrap_or_default();
        labels.previous_models = failed.to_vec();
        for tag in tags {
            if !labels.tags.contains(tag) {
                labels.tags.push(tag.clone());
            }
        }
        // Texts and numbers always serialise.
        serde_json::to_string(&labels).ok().map(Arc::from)
    }

    /// It is a check of a deployment, and nobody's call.
    pub fn is_health_check(&self) -> bool {
        self.key_hash == KeyHash::of(HEALTH_CHECKER)
    }

    /// The labels as they were written; none where there are none.
    pub fn read_labels(&self) -> Labels {
        self.labels
            .as_deref()
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default()
    }

    /// The tags that LiteLLM makes of a user agent: `User-Agent: <product>`, and the whole.
    pub fn agent_tags(&self) -> impl Iterator<Item = String> {
        let agent = self.user_agent.as_deref();
        let product = agent
            .and_then(|agent| agent.split_once('/'))
            .map(|(product, _)| product);
        product
            .into_iter()
            .chain(agent)
            .map(|text| format!("User-Agent: {text}"))
    }
}
