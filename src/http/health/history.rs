//! `GET /health/latest` and `GET /health/history`: what checks of deployments have found since the start.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::{IntoParams, ToSchema};

use crate::health::{Finding, GetHistory, GetLatest, HistoryFilter};
use crate::http::error::ApiError;
use crate::http::query::Query;
use crate::http::route::Call;

/// Findings of one answer, LiteLLM's default and the most.
const USUAL: i64 = 100;
const MOST: i64 = 1_000;

/// One finding, under LiteLLM's names.
#[derive(Serialize, ToSchema)]
pub struct HealthFinding {
    model_name: String,
    model_id: String,
    /// `healthy` or `unhealthy`.
    status: &'static str,
    healthy_count: u32,
    unhealthy_count: u32,
    error_message: Option<String>,
    response_time_ms: f64,
    /// `background` or `request`.
    checked_by: &'static str,
    /// RFC 3339.
    checked_at: String,
}

impl HealthFinding {
    fn of(finding: &Finding) -> Self {
        let is_healthy = finding.problem.is_none();
        let problem = finding.problem.as_ref();
        Self {
            model_name: finding.group.to_string(),
            model_id: finding.deployment.to_string(),
            status: if is_healthy { "healthy" } else { "unhealthy" },
            healthy_count: is_healthy.into(),
            unhealthy_count: (!is_healthy).into(),
            error_message: problem.map(|problem| problem.message.clone()),
            response_time_ms: finding.took.as_secs_f64() * 1e3,
            checked_by: if finding.by_schedule {
                "background"
            } else {
                "request"
            },
            checked_at: time(finding.at),
        }
    }
}

/// Milliseconds since the Unix epoch as RFC 3339.
pub fn time(at: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000);
    let text = at.ok().and_then(|at| at.format(&Rfc3339).ok());
    text.unwrap_or_default()
}

/// By deployment id.
#[derive(Serialize, ToSchema)]
pub struct LatestFindings {
    latest_health_checks: BTreeMap<String, HealthFinding>,
    total_models: usize,
}

pub async fn latest(call: Call) -> Result<HttpResponse, ApiError> {
    let latest = call.worker.shared.health.send(GetLatest).await;
    let latest = latest.unwrap_or_default();
    let by_id = latest
        .iter()
        .map(|finding| (finding.deployment.to_string(), HealthFinding::of(finding)));
    let latest_health_checks: BTreeMap<_, _> = by_id.collect();
    Ok(HttpResponse::Ok().json(LatestFindings {
        total_models: latest_health_checks.len(),
        latest_health_checks,
    }))
}

/// Which findings are shown.
#[derive(IntoParams)]
#[allow(dead_code, reason = "what the OpenAPI document says; `Query` reads it")]
pub struct HistoryQuery {
    /// Of one model group only.
    model: Option<String>,
    /// `healthy` or `unhealthy`.
    status_filter: Option<String>,
    /// 1 to 1,000; 100 unless given.
    limit: Option<u32>,
    /// To pass over, from the newest.
    offset: Option<u32>,
}

/// Newest first.
#[derive(Serialize, ToSchema)]
pub struct FindingHistory {
    health_checks: Vec<HealthFinding>,
    /// With the same filter; the last 1,000 findings are kept.
    total_records: usize,
    limit: usize,
    offset: usize,
}

pub async fn history(call: Call) -> Result<HttpResponse, ApiError> {
    let query = Query::of(&call.request);
    let is_healthy = match query.text("status_filter") {
        None => None,
        Some("healthy") => Some(true),
        Some("unhealthy") => Some(false),
        Some(_) => {
            let text = "expected `healthy` or `unhealthy`".to_owned();
            return Err(ApiError::invalid_query("status_filter", text));
        }
    };
    let filter = HistoryFilter {
        group: query.short_text("model")?.map(str::to_owned),
        is_healthy,
        limit: query.whole("limit", 1..=MOST)?.unwrap_or(USUAL) as usize,
        offset: query.whole("offset", 0..=i64::from(u32::MAX))?.unwrap_or(0) as usize,
    };
    let (limit, offset) = (filter.limit, filter.offset);
    let page = call.worker.shared.health.send(GetHistory(filter)).await;
    let page = page.unwrap_or_default();
    Ok(HttpResponse::Ok().json(FindingHistory {
        health_checks: page
            .findings
            .iter()
            .map(|finding| HealthFinding::of(finding))
            .collect(),
        total_records: page.total,
        limit,
        offset,
    }))
}
