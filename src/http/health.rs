//! Probes of orchestrators.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::HttpResponse;
use serde_json::json;

use super::about::Tag;
use super::error::ApiError;
use super::route::{Call, Route, guarded};
use crate::auth::Permission;
use crate::router::Ping;
use crate::store::{ask, messages};

/// What does not answer within this time counts as stalled.
const PATIENCE: Duration = Duration::from_secs(1);

const LIVELINESS: Route = Route::get("/health/liveliness", Permission::Public, |permission| {
    guarded(permission, liveliness)
})
.about(Tag::Health, "Tells that the process runs.");

/// See [`super::routes`].
pub const ROUTES: &[Route] = &[
    LIVELINESS,
    LIVELINESS.at("/health/liveness"),
    Route::get("/health/readiness", Permission::Public, |permission| {
        guarded(permission, readiness)
    })
    .about(
        Tag::Health,
        "Tells whether requests can be served: database, journal and control thread answer.",
    )
    .errors(&[503]),
];

async fn liveliness(_: Call) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json("I'm alive!"))
}

async fn readiness(call: Call) -> Result<HttpResponse, ApiError> {
    let shared = &call.worker.shared;
    let database = tokio::time::timeout(PATIENCE, ask(&shared.store.auth, messages::Ping {})).await;
    let control = tokio::time::timeout(PATIENCE, shared.control.router().send(Ping)).await;
    let db = match database {
        Ok(Ok(())) => "connected",
        Ok(Err(_)) => "disconnected",
        Err(_) => "stalled",
    };
    let control = if matches!(control, Ok(Ok(()))) {
        "running"
    } else {
        "stalled"
    };
    let journal = if shared.journal.health().failing.load(Ordering::Relaxed) {
        "failing"
    } else {
        "writable"
    };
    let healthy = db == "connected" && control == "running" && journal == "writable";
    let status = if healthy { "healthy" } else { "unhealthy" };
    let body = json!({"status": status, "db": db, "journal": journal, "control": control});
    Ok(if healthy {
        HttpResponse::Ok().json(body)
    } else {
        HttpResponse::ServiceUnavailable().json(body)
    })
}
