//! `GET /health`: asks every deployment a question of a few tokens.

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, web};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::http::error::ApiError;
use crate::http::route::Call;
use crate::journey::{Probe, Routes, probe};
use crate::policy::access;
use crate::policy::cooldown::State;
use crate::router::{Deployment, DeploymentReport, DescribeDeployment, clock};
use crate::types::Role;

/// LiteLLM's header for what is left out.
const NOTICE: HeaderName = HeaderName::from_static("litellm-health-field-notice");
const NOTICE_TEXT: HeaderValue =
    HeaderValue::from_static("api_base and other details are shown to administrators only");
/// Deployments of one request; a model or an id narrows it down.
const MOST: usize = 500;

/// Which deployments are asked.
#[derive(Deserialize, IntoParams)]
pub struct HealthQuery {
    /// Those of one model group only.
    model: Option<String>,
    /// One deployment only.
    model_id: Option<String>,
}

/// Who answers and who does not.
#[derive(Serialize, ToSchema)]
pub struct Health {
    #[schema(value_type = Vec<Object>)]
    healthy_endpoints: Vec<Value>,
    /// With `error`.
    #[schema(value_type = Vec<Object>)]
    unhealthy_endpoints: Vec<Value>,
    healthy_count: usize,
    unhealthy_count: usize,
}

/// Asks the deployments that the caller may call. One that answers itself, without a provider, is left out.
pub async fn health(call: Call) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    let query = web::Query::<HealthQuery>::from_query(call.request.query_string())
        .map_err(|error| ApiError::invalid_query("query", error.to_string()))?
        .into_inner();
    let routes = call.worker.routes();
    let table = routes.table();
    let is_asked = |deployment: &Deployment| {
        let named =
            |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|w| w == name);
        deployment.mock.is_none()
            && named(&query.model, &deployment.group)
            && named(&query.model_id, &deployment.id)
            && access::check_with_groups(caller.principal(), &deployment.group, |model| {
                table.access_groups(model)
            })
            .is_ok()
    };
    let asked: Vec<u32> = table
        .deployments()
        .filter(|(_, deployment)| is_asked(deployment))
        .map(|(index, _)| index)
        .take(MOST)
        .collect();
    let is_targeted = query.model.is_some() || query.model_id.is_some();
    if is_targeted && asked.is_empty() {
        let text = "there is no deployment of this name that the caller may call";
        return Err(ApiError::detail(404, json!({"error": text})));
    }
    let sees_all = matches!(caller.role(), Role::ProxyAdmin | Role::ProxyAdminViewer);
    let checks = asked
        .into_iter()
        .map(|index| check(&call, &routes, index, sees_all));
    let checked: Vec<_> = join_all(checks).await.into_iter().flatten().collect();
    let (healthy, unhealthy): (Vec<_>, Vec<_>) =
        checked.into_iter().partition(|(is_healthy, _)| *is_healthy);
    let endpoints = |all: Vec<(bool, Value)>| all.into_iter().map(|(_, shown)| shown).collect();
    let health = Health {
        healthy_count: healthy.len(),
        unhealthy_count: unhealthy.len(),
        healthy_endpoints: endpoints(healthy),
        unhealthy_endpoints: endpoints(unhealthy),
    };
    let mut response = if is_targeted && health.unhealthy_count > 0 {
        HttpResponse::ServiceUnavailable()
    } else {
        HttpResponse::Ok()
    };
    if !sees_all {
        response.insert_header((NOTICE, NOTICE_TEXT));
    }
    Ok(response.json(health))
}

/// Whether a deployment answers, and how it is shown.
async fn check(call: &Call, routes: &Routes, index: u32, sees_all: bool) -> Option<(bool, Value)> {
    let prepared = routes.deployment(index)?;
    let found = probe(&call.worker, prepared).await?;
    let router = call.worker.shared.control.router();
    let report = router.send(DescribeDeployment(index)).await.ok().flatten();
    let shown = shown(&prepared.deployment, &found, report, sees_all);
    Some((found.failure.is_none(), shown))
}

/// LiteLLM's fields, and what the deployment's own account adds for administrators.
fn shown(
    deployment: &Deployment,
    probe: &Probe,
    report: Option<DeploymentReport>,
    sees_all: bool,
) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("model", json!(deployment.litellm_model));
    put("model_name", json!(deployment.group));
    put("model_id", json!(&*deployment.id));
    put("custom_llm_provider", json!(deployment.provider));
    put("response_time_ms", json!(probe.took.as_millis() as u64));
    if let Some(failure) = &probe.failure {
        put("error", json!(failure.message));
        put("status_code", json!(failure.status));
    }
    if sees_all {
        put("api_base", json!(deployment.api_base));
        for (name, value) in &probe.rate_limits {
            put(name, json!(value));
        }
        if let Some(report) = report {
            put("in_flight_requests", json!(report.in_flight));
            put("successful_calls", json!(report.successes));
            put("failed_calls", json!(report.failures));
            put("average_latency_ms", json!(report.latency_ms));
        }
    }
    let now = clock::now();
    put("state", json!(state(deployment.gauges.state(now))));
    if let Some(left) = deployment.gauges.cooling_for(now) {
        put("cooldown_seconds_left", json!(left as f64 / 1e3));
    }
    Value::Object(fields)
}

/// By the calls of clients: whether the last one failed, and whether it takes any.
fn state(state: State) -> &'static str {
    match state {
        State::Healthy => "healthy",
        State::Failing => "failing",
        State::Cooling => "cooling",
    }
}
