//! `GET /health/backlog`.

use std::sync::atomic::Ordering;

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::error::ApiError;
use crate::http::route::Call;

/// What is under way.
#[derive(Debug, Serialize, ToSchema)]
pub struct Backlog {
    /// Upstream calls of all threads.
    in_flight_requests: u64,
}

pub async fn backlog(call: Call) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(Backlog {
        in_flight_requests: in_flight(&call),
    }))
}

/// Upstream calls under way.
pub fn in_flight(call: &Call) -> u64 {
    let routes = call.worker.routes();
    routes
        .table()
        .deployments()
        .map(|(_, deployment)| u64::from(deployment.gauges.in_flight.load(Ordering::Relaxed)))
        .sum()
}
