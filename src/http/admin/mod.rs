//! Management routes: keys, what is told about models, and spend.

mod json_body;
mod keys;
mod models;
mod spend_logs;

use super::about::Tag;
use super::route::{Route, guarded};
use crate::auth::Permission;

/// Answers that are put together field by field, by name.
pub const SCHEMAS: &str = include_str!("schemas.json");

/// Routes of keys; see [`super::routes`].
pub const KEYS: &[Route] = keys::ROUTES;
/// Routes that tell about models; see [`super::routes`].
pub const MODELS: &[Route] = models::ROUTES;

/// See [`super::routes`].
pub const ROUTES: &[Route] = &[
    Route::get("/spend/logs", Permission::OwnSpend, |permission| {
        guarded(permission, spend_logs::logs)
    })
    .about(
        Tag::Spend,
        "Lists spend log rows of a request, a key or a user, or sums them by day.",
    )
    .query::<spend_logs::SpendLogsQuery>()
    .written_answer("SpendLogs"),
];
