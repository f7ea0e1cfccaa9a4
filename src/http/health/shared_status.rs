//! `GET /health/shared-status`: which instance checks for all, where they share what they find.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::history::time;
use crate::http::error::ApiError;
use crate::http::route::{Call, now_ms};
use crate::store::ask;
use crate::store::messages::ReadSharedRound;

/// `use_shared_health_check`, and how the round stands.
#[derive(Serialize, ToSchema)]
pub struct SharedStatus {
    shared_health_check_enabled: bool,
    status: Option<RoundStatus>,
}

/// LiteLLM's fields.
#[derive(Serialize, ToSchema)]
struct RoundStatus {
    /// The instance that checks, or did last.
    lock_owner: String,
    /// It is at it.
    lock_in_progress: bool,
    /// Seconds it is waited for without a sign of life.
    lock_ttl: u64,
    /// There is a round whose findings count.
    cache_available: bool,
    /// Seconds since that began.
    cache_age_seconds: Option<f64>,
    /// Seconds that its findings count.
    cache_ttl: u64,
    /// RFC 3339; of the last complete round.
    last_checked_at: Option<String>,
}

pub async fn shared_status(call: Call) -> Result<HttpResponse, ApiError> {
    let routes = call.worker.routes();
    let checks = &routes.settings().health_checks;
    let round = match checks.shared && checks.in_background {
        true => ask(&call.worker.shared.store.admin, ReadSharedRound {}).await?,
        false => None,
    };
    let now = now_ms();
    let status = round.map(|round| {
        let age = (round.began_at > 0).then_some((now - round.began_at) as f64 / 1e3);
        let counts_for = checks.interval.min(checks.shared_for);
        RoundStatus {
            lock_in_progress: round.held_until > now,
            lock_owner: round.holder,
            lock_ttl: checks.lease.as_secs(),
            cache_available: age.is_some_and(|age| age < counts_for.as_secs_f64()),
            cache_age_seconds: age,
            cache_ttl: counts_for.as_secs(),
            last_checked_at: (round.began_at > 0).then(|| time(round.began_at)),
        }
    });
    Ok(HttpResponse::Ok().json(SharedStatus {
        shared_health_check_enabled: checks.shared,
        status,
    }))
}
