//! `GET /health/services`: whether a service that is told about calls and failures can be reached.

use actix_web::HttpResponse;
use utoipa::IntoParams;

use crate::http::error::ApiError;
use crate::http::query::Query;
use crate::http::route::Call;

/// LiteLLM's names. This gateway has none of them: it says so by name, where "healthy" would be believed.
const KNOWN: [&str; 22] = [
    "arize",
    "braintrust",
    "custom_callback_api",
    "datadog",
    "datadog_llm_observability",
    "datadog_metrics",
    "email",
    "galileo",
    "generic_api",
    "langfuse",
    "langfuse_otel",
    "langsmith",
    "ms_teams",
    "newrelic",
    "openmeter",
    "otel",
    "pointfive",
    "signoz",
    "slack",
    "slack_budget_alerts",
    "sqs",
    "webhook",
];

#[derive(IntoParams)]
#[expect(dead_code, reason = "the document's parameter; `Query` reads it")]
pub struct ServiceQuery {
    /// `slack`, `langfuse`, …
    service: String,
}

pub async fn services(call: Call) -> Result<HttpResponse, ApiError> {
    let query = Query::of(&call.request);
    let Some(service) = query.short_text("service")? else {
        return Err(ApiError::invalid_query("service", "Field required"));
    };
    let refused = |status, text: String| {
        // LiteLLM's kind of all errors of this route.
        ApiError::new(status, "auth_error", text, Some("service".to_owned()))
    };
    if KNOWN.contains(&service) {
        let text = format!(
            "`{service}` is not set up: this gateway tells no such service about calls or failures, so that there is nothing \
             to be tested. `/metrics` has what Prometheus reads"
        );
        return Err(refused(422, text));
    }
    let known = KNOWN.join(", ");
    let text = format!("Service must be in list. Service={service:.64} not in {known}");
    Err(refused(400, text))
}
