//! A journey's failure as an error: statuses, types, texts and headers are LiteLLM's, because clients match on them.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde_json::json;
use time::OffsetDateTime;
use time::macros::format_description;

use super::error::ApiError;
use crate::journey::{Failure, NoDeployment, ReferenceError, Refused, Seconds, Unfit};
use crate::limits::{Limited, Refusal, ScopeKind};
use crate::policy::selection::Passed;
use crate::policy::upstream_error::{self, ErrorClass, type_of_status};
use crate::protocol::openai::request::RequestError;
use crate::router::Nobody;
use crate::types::{DeploymentId, Operation, Principal};

/// The error for a refused request.
pub fn refusal(
    refused: Refused,
    principal: &Principal,
    operation: Operation,
    budget_status: u16,
) -> ApiError {
    let route = route(operation);
    let mut error = match refused.failure {
        Failure::Request(error) => request(&error, route),
        Failure::Reference(ReferenceError::Unavailable) => {
            ApiError::unavailable(ReferenceError::Unavailable.to_string())
        }
        Failure::Reference(error) => {
            let param = Some("previous_response_id".to_owned());
            let kind = "invalid_request_error";
            ApiError::new(error.status(), kind, error.to_string(), param).code(error.code())
        }
        Failure::Errand(error) => {
            let kind = "invalid_request_error";
            ApiError::new(error.status(), kind, error.to_string(), None)
        }
        Failure::UnknownModel(model) => {
            let model = model.as_deref().unwrap_or("None");
            let text = format!(
                "{route}: Invalid model name passed in model={model}. Call `/v1/models` to view available models for your key."
            );
            ApiError::bad_request(text, None)
        }
        Failure::NoDeploymentOfName(model) => {
            let text = format!(
                "You passed in model={model}. There are no healthy deployments for this model: no name of the configuration \
                 fits it. Call `/v1/models` to view available models for your key."
            );
            ApiError::bad_request(text, None)
        }
        Failure::OfSeveralTeams(model) => {
            let text = format!(
                "Several teams have a model called '{model}': use a key of the team whose model is meant, or the deployment's id."
            );
            ApiError::bad_request(text, Some("model"))
        }
        Failure::Unforeseen { model, group } => {
            let text = format!(
                "Where '{model}' leads this request depends on what a call of '{group}' answers, and no call is made to explain \
                 a decision: ask for a group that it may lead to."
            );
            ApiError::bad_request(text, Some("model"))
        }
        Failure::LedNowhere(model) => {
            let text = format!(
                "The model group '{model}' has no deployment that could answer: it is an auto router, and no deployment of \
                 `model_list` serves any of the groups that it leads to. Call another model, or add one of them."
            );
            ApiError::bad_request(text, Some("model"))
        }
        Failure::ModelDenied { by, model } => {
            let text = format!(
                "The requested model '{model}' is not available for this API key, or the model name is invalid. \
                 Check the models available to you and try again."
            );
            ApiError::new(403, by.error_type(), text, Some("model".to_owned()))
        }
        Failure::Paused(model) => {
            let text = format!(
                "Model '{model}' is currently paused: an administrator has blocked all its deployments. \
                 Call another model, or try again when it has been resumed."
            );
            ApiError::new(503, "service_unavailable", text, Some("model".to_owned()))
        }
        Failure::Unpriced(model) => {
            let text = format!(
                "No price is known for the model '{model}', and `block_requests_for_models_without_pricing` is on. \
                 Set its prices or its `base_model`."
            );
            ApiError::new(
                403,
                "model_cost_map_missing",
                text,
                Some("model".to_owned()),
            )
        }
        Failure::Limited(refusal) => limited(&refusal, principal, budget_status),
        Failure::Crowded { limit } => {
            let text = format!(
                "Max parallel request limit reached Hit Global Limit: Limit={limit}, current: {limit}"
            );
            ApiError::new(429, "throttling_error", text, None)
                .header("retry-after", "1")
                .header("rate_limit_type", "max_parallel_requests")
        }
        Failure::NoDeployment(why) => no_deployment(&why),
        Failure::Unfit(unfit) => unfitting(&unfit),
        Failure::WaitedTooLong => ApiError::new(
            408,
            "timeout_error",
            "Request timed out while polling queue",
            None,
        ),
        Failure::LedgerClosed => ApiError::unavailable(
            "spend cannot be recorded at the moment (journal not writable, or full), so no call may begin; try again later",
        ),
        Failure::ControlFailed => {
            ApiError::unavailable("this request could not be admitted; try again")
        }
        Failure::Panicked => ApiError::broken(),
        Failure::Ending => ApiError::unavailable(
            "the gateway is shutting down and could not wait for this call any longer; try again",
        ),
        Failure::Upstream { failure, headers } => {
            let mut error = upstream(&failure);
            for (name, value) in headers {
                error.headers_mut().append(name, value);
            }
            error.header("x-litellm-response-cost", "0")
        }
    };
    if let Some(spend) = refused.key_spend {
        error = error.header("x-litellm-key-spend", spend.to_string());
    }
    if let Some(timeout) = refused.timeout {
        error = error.header("x-litellm-timeout", Seconds(timeout).to_string());
    }
    error
        .header("x-litellm-call-id", &refused.call_id)
        .header("x-litellm-version", env!("CARGO_PKG_VERSION"))
}

/// What LiteLLM's messages call the operation: its path without `/v1`, but for Anthropic's.
fn route(operation: Operation) -> &'static str {
    match operation {
        Operation::Messages => operation.call_type(),
        _ => operation.path(),
    }
}

/// LiteLLM tells its status as the code; clients of OpenAI know a prompt that is too long by this one alone.
fn overflowing(error: ApiError) -> ApiError {
    error.overflowing().code(Some("context_length_exceeded"))
}

fn unfitting(unfit: &Unfit) -> ApiError {
    let text = unfit.message();
    match unfit.class() {
        ErrorClass::AuthenticationError => ApiError::new(401, "auth_error", text, None),
        ErrorClass::ContextWindowExceededError => overflowing(ApiError::bad_request(text, None)),
        _ => ApiError::bad_request(text, None),
    }
}

/// LiteLLM's words, but the time is the one that is left, and what is listed are this group's deployments alone, each with
/// what keeps it from the call.
fn no_deployment(no: &NoDeployment) -> ApiError {
    let group = &no.group;
    let seconds = |ms: u64| ms.div_ceil(1000).max(1);
    let checks = if no.checks_windows { "True" } else { "False" };
    let told = PassedOver(if no.tells { &no.passed } else { &[] });
    let (kind, text, wait) = match no.why {
        Nobody::Busy { slots, .. } => {
            let deployment = no.deployment.as_deref().unwrap_or_default();
            let text = format!(
                "Deployment has all max_parallel_requests slots in use. Deployment model_group={group}, id={deployment} \
                 already has max_parallel_requests={slots} requests in flight.{told}"
            );
            ("throttling_error", text, 1)
        }
        Nobody::Cooling { returns_in_ms } => {
            let seconds = seconds(returns_in_ms);
            let cooling = no
                .passed
                .iter()
                .filter(|(_, why)| matches!(why, Passed::Cooling { .. }));
            let listed: Vec<String> = cooling.map(|(id, _)| format!("'{id}'")).collect();
            let text = format!(
                "No deployments available for selected model, Try again in {seconds} seconds. All deployments for selected \
                 model are in cooldown. Passed model={group}. pre-call-checks={checks}, cooldown_list=[{}]{told}",
                listed.join(", ")
            );
            ("all_deployments_in_cooldown", text, seconds)
        }
        Nobody::Limited { resets_in_ms } => {
            let seconds = seconds(resets_in_ms);
            let text = format!(
                "No deployments available for selected model, Try again in {seconds} seconds. Passed model={group}. \
                 pre-call-checks={checks}, cooldown_list=[]{told}"
            );
            ("rate_limit_error", text, seconds)
        }
        Nobody::OverBudget { .. } => {
            let text =
                format!("No deployments available - crossed budget: Passed model={group}.{told}");
            ("rate_limit_error", text, 1)
        }
        Nobody::Exhausted => {
            let text =
                format!("No deployments available for selected model. Passed model={group}.{told}");
            ("rate_limit_error", text, 1)
        }
    };
    ApiError::new(429, kind, text, None).header("retry-after", wait.to_string())
}

/// Deployments and what keeps each from the call, behind a message.
struct PassedOver<'a>(&'a [(DeploymentId, Passed)]);

impl fmt::Display for PassedOver<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (id, passed)) in self.0.iter().enumerate() {
            let before = if at == 0 { " Passed over: " } else { "; " };
            write!(f, "{before}{id} ({passed})")?;
        }
        Ok(())
    }
}

fn request(error: &RequestError, route: &str) -> ApiError {
    let param = error.param().map(str::to_owned);
    match error {
        RequestError::Missing(_) => ApiError::new(
            400,
            "invalid_request_error",
            format!("{route}: {error}"),
            param,
        ),
        RequestError::ModelNotText => {
            ApiError::new(400, "bad_request_error", error.to_string(), param)
        }
        RequestError::Refused(_) => {
            let text = format!(
                "Authentication Error, {error} Clientside passthrough requires explicit admin opt-in, which this deployment \
                 does not have."
            );
            ApiError::new(401, "auth_error", text, Some("None".to_owned()))
        }
        _ => ApiError::new(400, "invalid_request_error", error.to_string(), param),
    }
}

fn limited(refusal: &Refusal, principal: &Principal, budget_status: u16) -> ApiError {
    let (kind, limit, remaining) = match refusal.limited {
        Limited::Budget {
            spend, max_budget, ..
        } => {
            let key = || {
                principal
                    .key_alias
                    .as_deref()
                    .or(principal.key_name.as_deref())
                    .unwrap_or("None")
                    .to_owned()
            };
            let text = match refusal.kind {
                ScopeKind::Key => {
                    format!(
                        "Budget has been exceeded! Key={} Current cost: {spend}, Max budget: {max_budget}",
                        key()
                    )
                }
                ScopeKind::Team => format!(
                    "Budget has been exceeded! Team={} Current cost: {spend}, Max budget: {max_budget}",
                    refusal.id
                ),
                ScopeKind::User => {
                    format!(
                        "ExceededBudget: User={} over budget. Spend={spend}, Budget={max_budget}",
                        refusal.id
                    )
                }
            };
            return ApiError::new(budget_status, "budget_exceeded", text, None);
        }
        Limited::Requests { limit } => ("requests", limit, 0),
        Limited::Parallel { limit } => ("max_parallel_requests", limit, 0),
        Limited::Tokens { limit, remaining } => ("tokens", limit, remaining),
    };
    // A slot may be free any moment; windows tell when they end. What is left of a second counts as one.
    let wait = if kind == "max_parallel_requests" {
        1
    } else {
        refusal.resets_in_ms.div_ceil(1000).max(1)
    };
    let reset_at = reset_text(wait);
    let descriptor = refusal.kind.descriptor();
    let text = format!(
        "Rate limit exceeded for {descriptor}: {}. Limit type: {kind}. Current limit: {limit}, Remaining: {remaining}. \
         Limit resets at: {reset_at}",
        refusal.id
    );
    ApiError::new(429, "throttling_error", text, None)
        .header("retry-after", wait.to_string())
        .header("rate_limit_type", kind)
        .header("reset_at", reset_at)
}

fn reset_text(wait: u64) -> String {
    let at = OffsetDateTime::from(SystemTime::now() + Duration::from_secs(wait));
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    at.format(&form).unwrap_or_default()
}

fn upstream(failure: &upstream_error::Failure) -> ApiError {
    let kind = failure
        .error_type
        .as_deref()
        .unwrap_or_else(|| type_of_status(failure.status));
    let mut error = ApiError::new(
        failure.status,
        kind,
        failure.message.clone(),
        failure.param.clone(),
    );
    if failure.class == ErrorClass::ContextWindowExceededError {
        error = overflowing(error);
    }
    if failure.is_overloaded {
        error = error.overloaded();
    }
    if let Some(found) = &failure.inner_error {
        error = error.provider_fields(json!({"innererror": found}));
    }
    match failure.retry_after {
        // The SDKs' own retry loops look for these two, and for the finer one first.
        Some(wait) => error
            .header("retry-after", wait.as_millis().div_ceil(1000).to_string())
            .header("retry-after-ms", wait.as_millis().to_string()),
        None => error,
    }
}
