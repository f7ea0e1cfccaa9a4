//! `GET /health/drain`: a `preStop` hook that ends when there is nothing left to wait for.

use std::time::Duration;

use actix_web::HttpResponse;
use serde::Serialize;
use serde_json::json;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

use crate::http::error::ApiError;
use crate::http::route::Call;
use crate::journey::{Phase, Shared};
use crate::limits::Report;

/// LiteLLM's header: orchestrators have no key.
const TOKEN: &str = "x-drain-token";
/// How often it is looked whether calls are left.
const LOOK: Duration = Duration::from_millis(100);

/// LiteLLM's fields.
#[derive(Serialize, ToSchema)]
pub struct Drained {
    /// `drained`, also when the time was over before.
    status: &'static str,
    /// Calls that ended meanwhile.
    drained_requests: usize,
}

/// Readiness says 503 from now on, for as long as the process lives. Who comes all the same is served: load balancers need a
/// moment to hear of it. Answers when no call is under way, or `drain_timeout` is over.
pub async fn drain(call: Call) -> Result<HttpResponse, ApiError> {
    let routes = call.worker.routes();
    let Some(route) = &routes.settings().drain else {
        return Err(ApiError::not_found());
    };
    if let Some(token) = &route.token {
        let given = call.request.headers().get(TOKEN);
        let given = given.map_or(&[][..], |given| given.as_bytes());
        if !bool::from(token.expose().as_bytes().ct_eq(given)) {
            let detail = json!("Invalid or missing X-Drain-Token");
            return Err(ApiError::detail(401, detail));
        }
    }
    let shared = &call.worker.shared;
    if shared.ending.phase() == Phase::Serving {
        log::info!("told to drain: readiness says 503 from now on");
    }
    shared.ending.advance(Phase::Leaving);
    let before = under_way(shared).await;
    let all_ended = async {
        while under_way(shared).await > 0 {
            tokio::time::sleep(LOOK).await;
        }
    };
    let waited = tokio::time::timeout(route.patience, all_ended).await;
    let left = match waited {
        Ok(()) => 0,
        Err(_) => under_way(shared).await,
    };
    Ok(HttpResponse::Ok().json(Drained {
        status: "drained",
        drained_requests: before.saturating_sub(left),
    }))
}

/// Requests that have begun and not settled; none where the control thread does not answer, for then none can end.
async fn under_way(shared: &Shared) -> usize {
    let report = shared.control.gatekeeper().send(Report { entity: None });
    report.await.unwrap_or_default().open_holds
}
