//! Management routes: keys and spend.

mod key_generate;
mod key_info;
mod spend_logs;

use super::about::Tag;
use super::route::{Route, guarded};
use crate::auth::Permission;

/// See [`super::routes`].
pub const ROUTES: &[Route] = &[
    Route::post("/key/generate", Permission::OwnKeys, |permission| {
        guarded(permission, key_generate::generate)
    })
    .about(
        Tag::Keys,
        "Makes a virtual key; its text is returned this once.",
    )
    .optional_body::<key_generate::GenerateKeyRequest>(),
    Route::get("/key/info", Permission::Information, |permission| {
        guarded(permission, key_info::info)
    })
    .about(
        Tag::Keys,
        "Tells about a key: the caller's own, or the one named by `key`.",
    )
    .query::<key_info::KeyInfoQuery>()
    .errors(&[404]),
    Route::get("/spend/logs", Permission::OwnSpend, |permission| {
        guarded(permission, spend_logs::logs)
    })
    .about(
        Tag::Spend,
        "Lists spend log rows of a request, a key or a user, or sums them by day.",
    )
    .query::<spend_logs::SpendLogsQuery>(),
];
