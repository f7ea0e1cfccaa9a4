//! `GET /health`: asks every deployment a question of a few tokens, or tells what the background has found last.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use utoipa::{IntoParams, ToSchema};

use super::history::time;
use crate::health::{Finding, GetLatest, Post, keep};
use crate::http::error::ApiError;
use crate::http::route::{Call, now_ms};
use crate::journey::{Prepared, probe_all};
use crate::policy::cooldown::State;
use crate::router::{Deployment, DeploymentReport, DescribeDeployment, clock};
use crate::types::Role;

/// LiteLLM's header for what is left out.
const NOTICE: HeaderName = HeaderName::from_static("litellm-health-field-notice");
const NOTICE_TEXT: HeaderValue =
    HeaderValue::from_static("api_base and other details are shown to administrators only");
/// Deployments of one request; a model or an id narrows it down.
const MOST: usize = 500;

/// What others have found counts so long for callers who are no administrators, in milliseconds.
const YOUNG_MS: i64 = 30_000;
/// One of them after another.
static SPARING: Semaphore = Semaphore::const_new(1);

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

/// What a caller gets to see of a deployment.
#[derive(Clone, Copy)]
struct Sees {
    /// Where it is, and how it is doing: administrators.
    all: bool,
    /// More than who works and who does not: unless `health_check_details` is off.
    details: bool,
}

/// Asks the deployments that the caller may call. One that answers itself, without a provider, is left out.
pub async fn health(call: Call) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    let query = web::Query::<HealthQuery>::from_query(call.request.query_string())
        .map_err(|error| ApiError::invalid_query("query", error.to_string()))?
        .into_inner();
    let routes = call.worker.routes();
    let table = routes.table();
    let is_targeted = query.model.is_some() || query.model_id.is_some();
    let skips = routes.settings().health_checks.skips_disabled;
    let is_asked = |deployment: &Deployment| {
        let named =
            |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|w| w == name);
        deployment.mock.is_none()
            // One that is paused is asked by its name alone: whether it may be resumed.
            && (is_targeted || !deployment.is_paused())
            && (deployment.health_check.in_background || !skips)
            && named(&query.model, &deployment.group)
            && named(&query.model_id, &deployment.id)
            && table.shows(caller.principal(), deployment)
    };
    let asked: Vec<(u32, Rc<Prepared>)> = table
        .deployments()
        .filter(|(_, deployment)| is_asked(deployment))
        .filter_map(|(number, _)| Some((number, routes.deployment(number)?.clone())))
        .take(MOST)
        .collect();
    if is_targeted && asked.is_empty() {
        let text = "there is no deployment of this name that the caller may call";
        return Err(ApiError::detail(404, json!({"error": text})));
    }
    let checks = &routes.settings().health_checks;
    let sees = Sees {
        all: matches!(caller.role(), Role::ProxyAdmin | Role::ProxyAdminViewer),
        details: checks.details,
    };
    let findings = match (checks.in_background, sees.all) {
        (true, _) => known(&call, &asked).await,
        (false, true) => ask(&call, &asked, checks.concurrency).await,
        (false, false) => ask_sparingly(&call, &asked, checks.concurrency).await,
    };
    let (mut healthy, mut unhealthy) = (Vec::new(), Vec::new());
    for ((number, prepared), finding) in asked.iter().zip(findings) {
        let Some(finding) = finding else {
            continue;
        };
        let report = match sees {
            Sees {
                all: true,
                details: true,
            } => report(&call, *number).await,
            _ => None,
        };
        let shown = shown(&prepared.deployment, &finding, report, sees);
        match finding.problem {
            None => healthy.push(shown),
            Some(_) => unhealthy.push(shown),
        }
    }
    let health = Health {
        healthy_count: healthy.len(),
        unhealthy_count: unhealthy.len(),
        healthy_endpoints: healthy,
        unhealthy_endpoints: unhealthy,
    };
    let mut response = if is_targeted && health.unhealthy_count > 0 {
        HttpResponse::ServiceUnavailable()
    } else {
        HttpResponse::Ok()
    };
    if !sees.all {
        response.insert_header((NOTICE, NOTICE_TEXT));
    }
    Ok(response.json(health))
}

/// Asks them now, and leaves what was found on the board.
async fn ask(
    call: &Call,
    asked: &[(u32, Rc<Prepared>)],
    concurrency: usize,
) -> Vec<Option<Arc<Finding>>> {
    let deployments: Vec<Rc<Prepared>> =
        asked.iter().map(|(_, prepared)| prepared.clone()).collect();
    let findings = probe_all(
        &call.worker.client,
        &call.worker.desk,
        &deployments,
        concurrency,
        false,
    )
    .await;
    let shared = &call.worker.shared;
    keep(&shared.store, &findings).await;
    shared.health.do_send(Post(findings.clone()));
    findings
        .into_iter()
        .map(|finding| Some(Arc::new(finding)))
        .collect()
}

/// The same for those who are no administrators: who was asked a moment ago is not asked again, whoever asked, and of what is
/// found nothing is written down. So they can neither spend a provider's money at will nor push out the history.
async fn ask_sparingly(
    call: &Call,
    asked: &[(u32, Rc<Prepared>)],
    concurrency: usize,
) -> Vec<Option<Arc<Finding>>> {
    // Never closed. Whoever comes meanwhile finds what the one before has found.
    let _turn = SPARING.acquire().await.ok();
    let young_since = now_ms() - YOUNG_MS;
    let mut findings = known(call, asked).await;
    let mut missing = Vec::new();
    for (finding, (_, prepared)) in findings.iter_mut().zip(asked) {
        if finding.as_ref().is_none_or(|own| own.at < young_since) {
            *finding = None;
            missing.push(prepared.clone());
        }
    }
    let found = probe_all(
        &call.worker.client,
        &call.worker.desk,
        &missing,
        concurrency,
        false,
    )
    .await;
    call.worker.shared.health.do_send(Post(found.clone()));
    let mut found = found.into_iter().map(Arc::new).peekable();
    for (finding, (_, prepared)) in findings.iter_mut().zip(asked) {
        let is_its = |own: &Arc<Finding>| own.deployment == prepared.deployment.id;
        if finding.is_none() {
            *finding = found.next_if(is_its);
        }
    }
    findings
}

/// What was found of them last; nothing of those whose turn has not come yet.
async fn known(call: &Call, asked: &[(u32, Rc<Prepared>)]) -> Vec<Option<Arc<Finding>>> {
    let latest = call.worker.shared.health.send(GetLatest).await;
    let latest: HashMap<_, _> = latest
        .unwrap_or_default()
        .into_iter()
        .map(|finding| (finding.deployment.clone(), finding))
        .collect();
    let find = |prepared: &Prepared| latest.get(&prepared.deployment.id).cloned();
    asked.iter().map(|(_, prepared)| find(prepared)).collect()
}

async fn report(call: &Call, number: u32) -> Option<DeploymentReport> {
    let router = call.worker.shared.control.router();
    router.send(DescribeDeployment(number)).await.ok().flatten()
}

/// LiteLLM's fields, and what the deployment's own account adds for administrators.
fn shown(
    deployment: &Deployment,
    finding: &Finding,
    report: Option<DeploymentReport>,
    sees: Sees,
) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("model", json!(deployment.litellm_model));
    put("model_name", json!(deployment.group));
    put("model_id", json!(&*deployment.id));
    if !sees.details {
        return Value::Object(fields);
    }
    put("custom_llm_provider", json!(deployment.provider));
    put("response_time_ms", json!(finding.took.as_millis() as u64));
    put("checked_at", json!(time(finding.at)));
    if let Some(problem) = &finding.problem {
        put("error", json!(problem.message));
        put("status_code", json!(problem.status));
    }
    if sees.all {
        put("api_base", json!(deployment.shown_base));
        for (name, value) in &finding.rate_limits {
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
