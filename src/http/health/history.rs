//! `GET /health/latest` and `GET /health/history`: what checks of deployments have found.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::{IntoParams, ToSchema};

use crate::http::error::ApiError;
use crate::http::query::Query;
use crate::http::route::Call;
use crate::store::messages::{FindingPage, LatestFindings};
use crate::store::queries::FindingQuery;
use crate::store::{HealthRow, ask};

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
    fn of(row: &HealthRow) -> Self {
        Self {
            model_name: row.model_name.clone(),
            model_id: row.model_id.clone(),
            status: if row.is_healthy {
                "healthy"
            } else {
                "unhealthy"
            },
            healthy_count: row.is_healthy.into(),
            unhealthy_count: (!row.is_healthy).into(),
            error_message: row.error.clone(),
            response_time_ms: row.took_us as f64 / 1e3,
            checked_by: if row.by_schedule {
                "background"
            } else {
                "request"
            },
            checked_at: time(row.checked_at),
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
pub struct LatestChecks {
    latest_health_checks: BTreeMap<String, HealthFinding>,
    total_models: usize,
}

pub async fn latest(call: Call) -> Result<HttpResponse, ApiError> {
    let store = &call.worker.shared.store;
    let latest = ask(&store.admin, LatestFindings { since_ms: 0 }).await?;
    let by_id = latest
        .iter()
        .map(|row| (row.model_id.clone(), HealthFinding::of(row)));
    let latest_health_checks: BTreeMap<_, _> = by_id.collect();
    Ok(HttpResponse::Ok().json(LatestChecks {
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
    /// With the same filter; the last 100,000 findings are kept.
    total_records: i64,
    limit: i64,
    offset: i64,
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
    let query = FindingQuery {
        model_name: query.short_text("model")?.map(str::to_owned),
        is_healthy,
        limit: query.whole("limit", 1..=MOST)?.unwrap_or(USUAL),
        offset: query.whole("offset", 0..=i64::from(u32::MAX))?.unwrap_or(0),
    };
    let (limit, offset) = (query.limit, query.offset);
    let store = &call.worker.shared.store;
    let (rows, total_records) = ask(&store.admin, FindingPage { query }).await?;
    Ok(HttpResponse::Ok().json(FindingHistory {
        health_checks: rows.iter().map(HealthFinding::of).collect(),
        total_records,
        limit,
        offset,
    }))
}
