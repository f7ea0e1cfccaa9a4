//! `GET /health/readiness` and its detailed twin.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::error::ApiError;
use crate::http::route::Call;
use crate::journey::{Phase, Shared};
use crate::limits::Report;
use crate::router::Ping;
use crate::store::{ask, messages};

/// What does not answer within this time counts as stalled.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether requests can be served, and by what not.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// `healthy`, `unhealthy`, or `shutting_down`: told to stop, or to be drained.
    status: &'static str,
    /// `connected`, `disconnected`, or `stalled` while no answer comes.
    db: &'static str,
    /// `writable` or `failing`.
    journal: &'static str,
    /// The thread that decides about limits and routes: `running` or `stalled`.
    control: &'static str,
    /// `current`, or `outdated` while the newest file has errors; requests are served all the same.
    config: &'static str,
}

impl Readiness {
    async fn of(shared: &Shared) -> Self {
        let database = tokio::time::timeout(PATIENCE, ask(&shared.store.auth, messages::Ping {}));
        let control = tokio::time::timeout(PATIENCE, shared.control.router().send(Ping));
        let (database, control) = futures_util::future::join(database, control).await;
        let db = match database {
            Ok(Ok(())) => "connected",
            Ok(Err(_)) => "disconnected",
            Err(_) => "stalled",
        };
        let control = match control {
            Ok(Ok(())) => "running",
            _ => "stalled",
        };
        let journal = if shared.journal.health().failing.load(Ordering::Relaxed) {
            "failing"
        } else {
            "writable"
        };
        // Where callers are let in without a database, its absence is no reason to send them elsewhere.
        let routes = shared.in_force.load();
        let db_is_fine = db == "connected" || routes.settings.lets_in_without_database;
        let is_healthy = db_is_fine && (control, journal) == ("running", "writable");
        Self {
            status: match (shared.ending.phase(), is_healthy) {
                (Phase::Serving, true) => "healthy",
                (Phase::Serving, false) => "unhealthy",
                _ => "shutting_down",
            },
            db,
            journal,
            control,
            config: if shared.reload_status.complaints().is_empty() {
                "current"
            } else {
                "outdated"
            },
        }
    }

    fn response(&self, body: impl Serialize) -> HttpResponse {
        if self.status == "healthy" {
            HttpResponse::Ok().json(body)
        } else {
            HttpResponse::ServiceUnavailable().json(body)
        }
    }
}

/// With the details, where everybody may see them.
pub async fn readiness(call: Call) -> Result<HttpResponse, ApiError> {
    if call.worker.routes().settings().shows_readiness_details {
        return details(call).await;
    }
    let readiness = Readiness::of(&call.worker.shared).await;
    Ok(readiness.response(&readiness))
}

/// The same, and what an operator wants to know beside it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReadinessDetails {
    #[serde(flatten)]
    readiness: Readiness,
    /// The version under LiteLLM's name of the field.
    litellm_version: &'static str,
    log_level: &'static str,
    /// When the configuration in force was read, in seconds since 1970.
    config_loaded_at: u64,
    /// What is wrong with the newest file; empty: it is in force.
    config_complaints: Vec<String>,
    model_groups: usize,
    deployments: usize,
    in_flight_requests: u64,
    /// Requests whose reservations are open.
    open_holds: u64,
    journal_bytes: u64,
    /// Rows that are not in the database yet.
    queued_rows: u64,
    /// Age of the oldest of them, in seconds.
    ledger_lag_seconds: f64,
}

pub async fn details(call: Call) -> Result<HttpResponse, ApiError> {
    let shared = &call.worker.shared;
    let routes = call.worker.routes();
    let table = routes.table();
    let readiness = Readiness::of(shared).await;
    let limits = shared
        .control
        .gatekeeper()
        .send(Report { entity: None })
        .await
        .unwrap_or_default();
    let details = ReadinessDetails {
        litellm_version: env!("CARGO_PKG_VERSION"),
        log_level: log::max_level().as_str(),
        config_loaded_at: shared.reload_status.accepted_at(),
        config_complaints: shared.reload_status.complaints().to_vec(),
        model_groups: table.groups().count(),
        deployments: table.deployment_count(),
        in_flight_requests: super::backlog::in_flight(&call),
        open_holds: limits.open_holds as u64,
        journal_bytes: shared.journal.health().bytes.load(Ordering::Relaxed),
        queued_rows: shared.ledger.queue_depth.load(Ordering::Relaxed),
        ledger_lag_seconds: shared.ledger.lag_seconds(),
        readiness,
    };
    Ok(details.readiness.response(&details))
}
