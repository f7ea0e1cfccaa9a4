//! `/router/chaos`: failures and delays on purpose, bounded in time.

use std::time::{Duration, Instant};

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::admin::json_body::{missing, optional, read, refused};
use crate::http::error::ApiError;
use crate::http::route::Call;
use crate::journey::{Chaos, Disturbance};

/// Longest rehearsal, in seconds.
const LONGEST_SECONDS: f64 = 3_600.0;
/// Without a word about it, in seconds.
const SECONDS: f64 = 60.0;
/// Longest delay, in milliseconds.
const LONGEST_DELAY_MS: u64 = 60_000;

#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code, reason = "its schema; the fields are read one by one")]
pub struct ChaosRequest {
    /// The deployment's id.
    deployment: String,
    /// Share of its calls, greater than 0 and at most 1.
    #[schema(default = 1.0)]
    share: Option<f64>,
    /// The status that calls fail with, 400 to 599; none: they are only delayed.
    status: Option<u16>,
    /// Milliseconds before a call goes out or fails, at most 60000.
    delay_ms: Option<u64>,
    /// How long it lasts, at most 3600.
    #[schema(default = 60.0)]
    seconds: Option<f64>,
}

#[derive(Debug, Deserialize, IntoParams)]
pub struct ChaosQuery {
    /// The deployment's id; all of them when it is not given.
    deployment: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Disturbances {
    under_way: Vec<Told>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Told {
    deployment: String,
    share: f64,
    status: Option<u16>,
    delay_ms: u64,
    seconds_left: f64,
}

pub async fn list(call: Call) -> Result<HttpResponse, ApiError> {
    Ok(told(&call.worker.shared.chaos))
}

pub async fn begin(call: Call) -> Result<HttpResponse, ApiError> {
    let worker = call.worker.clone();
    let fields = read(&call.request, call.payload, &worker).await?;
    let id: String = optional(&fields, "deployment")?.ok_or_else(|| missing("deployment"))?;
    let routes = worker.routes();
    let known = routes.table().deployments();
    let mut known = known.filter(|(_, deployment)| *deployment.id == *id);
    let Some((_, deployment)) = known.next() else {
        let why = "no deployment has this id; GET /model/info lists them";
        return Err(refused("deployment", why));
    };
    let share = optional::<f64>(&fields, "share")?.unwrap_or(1.0);
    if !(share > 0.0 && share <= 1.0) {
        return Err(refused(
            "share",
            "expected a number greater than 0 and at most 1",
        ));
    }
    let status = optional::<u64>(&fields, "status")?;
    if status.is_some_and(|status| !(400..600).contains(&status)) {
        return Err(refused("status", "expected an error status, 400 to 599"));
    }
    let delay_ms = optional::<u64>(&fields, "delay_ms")?.unwrap_or_default();
    if delay_ms > LONGEST_DELAY_MS {
        return Err(refused("delay_ms", "expected at most 60000 milliseconds"));
    }
    if status.is_none() && delay_ms == 0 {
        return Err(refused(
            "status",
            "expected a `status` to fail with, a `delay_ms`, or both",
        ));
    }
    let seconds = optional::<f64>(&fields, "seconds")?.unwrap_or(SECONDS);
    if !(seconds > 0.0 && seconds <= LONGEST_SECONDS) {
        return Err(refused(
            "seconds",
            "expected a number greater than 0 and at most 3600",
        ));
    }
    let now = Instant::now();
    let disturbance = Disturbance {
        deployment: deployment.id.clone(),
        share,
        status: status.and_then(|status| u16::try_from(status).ok()),
        delay: Duration::from_millis(delay_ms),
        until: now + Duration::from_secs_f64(seconds),
    };
    log::warn!(
        "rehearsal: {:.0} % of the calls of deployment {} {} for {seconds} s",
        share * 100.0,
        deployment.id,
        match status {
            Some(status) => format!("fail with {status}, {delay_ms} ms late,"),
            None => format!("are {delay_ms} ms late"),
        }
    );
    let begun = worker.shared.chaos.begin(disturbance, now);
    begun.map_err(|why| refused("deployment", why.to_string()))?;
    Ok(told(&worker.shared.chaos))
}

pub async fn end(call: Call) -> Result<HttpResponse, ApiError> {
    let query = web::Query::<ChaosQuery>::from_query(call.request.query_string());
    let query = query.map_err(|error| refused("deployment", error.to_string()))?;
    let ended = query.deployment.as_deref();
    call.worker.shared.chaos.end(ended, Instant::now());
    Ok(told(&call.worker.shared.chaos))
}

fn told(chaos: &Chaos) -> HttpResponse {
    let now = Instant::now();
    let told = chaos.under_way(now).into_iter().map(|own| Told {
        deployment: own.deployment.to_string(),
        share: own.share,
        status: own.status,
        delay_ms: own.delay.as_millis() as u64,
        seconds_left: (own.until - now).as_secs_f64(),
    });
    HttpResponse::Ok().json(Disturbances {
        under_way: told.collect(),
    })
}
