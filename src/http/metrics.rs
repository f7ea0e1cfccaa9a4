//! `GET /metrics`.

use std::sync::atomic::Ordering;

use actix_web::HttpResponse;

use super::about::{Answer, Tag};
use super::error::ApiError;
use super::route::{Call, Route, guarded};
use crate::auth::Permission;
use crate::limits::Report;
use crate::policy::cooldown::State;
use crate::router::clock;

const METRICS: Route = Route::get("/metrics", Permission::Information, |gate| {
    guarded(gate, show)
})
.about(
    Tag::Health,
    "Tells requests, latencies, spend and the ledger's state in the text format of Prometheus.",
)
.answer(Answer::Text("text/plain; version=0.0.4; charset=utf-8"));

/// See [`super::routes`].
pub const ROUTES: &[Route] = &[METRICS, METRICS.at("/metrics/")];

async fn show(call: Call) -> Result<HttpResponse, ApiError> {
    let shared = &call.worker.shared;
    let limits = shared
        .control
        .gatekeeper()
        .send(Report { entity: None })
        .await
        .unwrap_or_default();
    let in_flight = super::health::in_flight(&call);
    let (ledger, journal) = (&shared.ledger, shared.journal.health());
    let reload = &shared.reload_status;
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed) as f64;
    let dollars = |nano: i64| crate::types::NanoUsd(nano).to_f64();
    let gauges = [
        (
            "pointsman_in_flight_requests",
            "Upstream calls under way",
            in_flight as f64,
        ),
        (
            "pointsman_open_holds",
            "Requests whose reservations are open",
            limits.open_holds as f64,
        ),
        (
            "pointsman_held_usd",
            "US dollars held over all keys, users and teams",
            dollars(limits.held),
        ),
        (
            "pointsman_budget_overshoot_usd",
            "US dollars spent beyond budgets since the start",
            dollars(limits.overshoot),
        ),
        (
            "pointsman_config_loaded_timestamp_seconds",
            "When the configuration in force was read, in seconds since 1970",
            reload.accepted_at() as f64,
        ),
        (
            "pointsman_config_reload_failed",
            "1 while the newest configuration has errors and an earlier one is in force, else 0",
            if reload.complaints().is_empty() {
                0.0
            } else {
                1.0
            },
        ),
        (
            "pointsman_config_reload_failed_timestamp_seconds",
            "When a reload failed last, in seconds since 1970; 0: never",
            reload.rejected_at() as f64,
        ),
        (
            "pointsman_config_reloads",
            "Reloads since the start that went well",
            reload.accepted() as f64,
        ),
        (
            "pointsman_config_reloads_failed",
            "Reloads since the start that failed",
            reload.rejected() as f64,
        ),
        (
            "pointsman_journal_bytes",
            "Bytes in the journals on disk",
            count(&journal.bytes),
        ),
        (
            "pointsman_journal_lag_seconds",
            "Age of the oldest row that is not in the database",
            ledger.lag_seconds(),
        ),
        (
            "pointsman_journal_queue_rows",
            "Rows that are not in the database",
            count(&ledger.queue_depth),
        ),
        (
            "pointsman_ledger_rows_booked",
            "Rows booked since the start",
            count(&ledger.rows_booked),
        ),
        (
            "pointsman_ledger_rows_refused",
            "Rows the database refused since the start",
            count(&ledger.rows_refused),
        ),
        (
            "pointsman_ledger_flushes",
            "Transactions since the start",
            count(&ledger.flushes),
        ),
        (
            "pointsman_ledger_failures",
            "Transactions that failed and were tried again",
            count(&ledger.failures),
        ),
    ];
    let now = clock::now();
    let routes = call.worker.routes();
    let states = routes.table().deployments().map(|(_, deployment)| {
        let state = match deployment.gauges.state(now) {
            State::Healthy => 0,
            State::Failing => 1,
            State::Cooling => 2,
        };
        (deployment.health_labels(), state)
    });
    let text = shared.metrics.render(&gauges, states);
    Ok(HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(text))
}
