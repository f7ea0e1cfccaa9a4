//! Probes: of this process by orchestrators, and of deployments by people.
//!
//! `liveliness` and `readiness` are public and tell no more than whether; what goes on inside is for administrators. `drain` is for
//! orchestrators, where it is switched on.
//! Nothing here decides about routing: the Router learns from the calls of clients, and with `enable_health_check_routing` from
//! what the background finds.

mod backlog;
mod deployments;
mod drain;
mod history;
mod readiness;
mod services;
mod shared_status;

pub use backlog::in_flight;

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use serde::Serialize;
use utoipa::ToSchema;

use super::about::Tag;
use super::error::ApiError;
use super::route::{Call, Route, guarded};
use crate::auth::Permission;

const LIVELINESS: Route = Route::get("/health/liveliness", Permission::Public, |gate| {
    guarded(gate, liveliness)
})
.about(Tag::Health, "Tells that the process runs.")
.answers::<String>();

/// Some probes ask with OPTIONS whether a path is there.
const OPTIONS: Route = Route::new(
    Method::OPTIONS,
    "/health/liveliness",
    Permission::Public,
    |gate| guarded(gate, options),
)
.about(Tag::Health, "Tells which methods there are.")
.answers::<String>();

/// See [`super::routes`].
pub const ROUTES: &[Route] = &[
    LIVELINESS,
    LIVELINESS.at("/health/liveness"),
    OPTIONS,
    OPTIONS.at("/health/liveness"),
    OPTIONS.at("/health/readiness"),
    Route::get("/health/readiness", Permission::Public, |gate| {
        guarded(gate, readiness::readiness)
    })
    .about(
        Tag::Health,
        "Tells whether requests can be served: database, journal and control thread answer.",
    )
    .description("503 with the same body when they cannot.")
    .answers::<readiness::Readiness>()
    .or::<readiness::Readiness>(503),
    Route::get("/health", Permission::Information, |gate| {
        guarded(gate, deployments::health)
    })
    .about(
        Tag::Health,
        "Asks every deployment that the caller may call a question of a few tokens.",
    )
    .description(
        "Costs a little. With `background_health_checks` nobody is asked: it tells what was found last. For callers who are no \
         administrators a deployment is asked every 30 seconds at most. 503 when `model` or `model_id` is given and a \
         deployment does not answer.",
    )
    .query::<deployments::HealthQuery>()
    .answers::<deployments::Health>()
    .or::<deployments::Health>(503)
    .errors(&[404]),
    Route::get(
        "/health/readiness/details",
        Permission::Administration,
        |gate| guarded(gate, readiness::details),
    )
    .about(
        Tag::Health,
        "Tells the same, with version, sizes and queues.",
    )
    .answers::<readiness::ReadinessDetails>()
    .or::<readiness::ReadinessDetails>(503),
    Route::get(
        "/health/backlog",
        Permission::Administration,
        |gate| guarded(gate, backlog::backlog),
    )
    .about(Tag::Health, "Tells how many upstream calls are under way.")
    .answers::<backlog::Backlog>(),
    Route::get(
        "/health/latest",
        Permission::Administration,
        |gate| guarded(gate, history::latest),
    )
    .about(
        Tag::Health,
        "Tells what the last check of each deployment has found.",
    )
    .answers::<history::LatestChecks>(),
    Route::get(
        "/health/history",
        Permission::Administration,
        |gate| guarded(gate, history::history),
    )
    .about(
        Tag::Health,
        "Tells what checks of deployments have found, the newest first.",
    )
    .query::<history::HistoryQuery>()
    .answers::<history::FindingHistory>()
    .errors(&[422]),
    Route::get(
        "/health/shared-status",
        Permission::Administration,
        |gate| guarded(gate, shared_status::shared_status),
    )
    .about(
        Tag::Health,
        "Tells which instance checks deployments for all, where they share what they find.",
    )
    .answers::<shared_status::SharedStatus>(),
    Route::get("/health/drain", Permission::Public, |gate| {
        guarded(gate, drain::drain)
    })
    .about(
        Tag::Health,
        "Takes the instance out of rotation, and answers when no call is under way any more.",
    )
    .description(
        "With `enable_drain_endpoint` alone, and where `drain_endpoint_token` is set for those whose `X-Drain-Token` says it, \
         others get 401. There is no way back but a new start.",
    )
    .answers::<drain::Drained>()
    .errors(&[404]),
    Route::get("/health/services", Permission::Information, |gate| {
        guarded(gate, services::services)
    })
    .about(
        Tag::Health,
        "Tells whether a service that is told about calls can be reached.",
    )
    .description("Of LiteLLM's services there is none yet: each is refused by its name.")
    .query::<services::ServiceQuery>()
    .errors(&[400, 422]),
    Route::get("/health/license", Permission::Administration, |gate| {
        guarded(gate, license)
    })
    .about(Tag::Health, "Tells that no licence is needed.")
    .answers::<License>(),
    Route::get("/test", Permission::Public, |gate| {
        guarded(gate, echo)
    })
    .about(Tag::Health, "Answers with its own path.")
    .answers::<Echo>(),
];

async fn liveliness(_: Call) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json("I'm alive!"))
}

async fn options(_: Call) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok()
        .insert_header((ALLOW, "GET, OPTIONS"))
        .json("I'm alive!"))
}

/// What was asked.
#[derive(Serialize, ToSchema)]
struct Echo {
    route: String,
}

async fn echo(call: Call) -> Result<HttpResponse, ApiError> {
    let route = call.request.path().to_owned();
    Ok(HttpResponse::Ok().json(Echo { route }))
}

/// LiteLLM's fields. There is nothing to buy: everything is there for everybody, without limits.
#[derive(Serialize, ToSchema)]
struct License {
    has_license: bool,
    license_type: &'static str,
    /// Never.
    expiration_date: Option<String>,
    max_users: Option<u64>,
    max_teams: Option<u64>,
}

async fn license(_: Call) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(License {
        has_license: false,
        license_type: "none",
        expiration_date: None,
        max_users: None,
        max_teams: None,
    }))
}
