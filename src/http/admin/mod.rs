//! Management routes: keys and spend.

mod key_generate;
mod key_info;
mod spend_logs;

use actix_web::http::Method;

use super::route::{Route, guarded};
use crate::auth::Permission;

/// See [`super::routes`].
pub const ROUTES: &[Route] = &[
    Route {
        method: Method::POST,
        path: "/key/generate",
        permission: Permission::OwnKeys,
        summary: "Makes a virtual key; its text is returned this once.",
        mount: |permission| guarded(permission, key_generate::generate),
    },
    Route {
        method: Method::GET,
        path: "/key/info",
        permission: Permission::Information,
        summary: "Tells about a key: the caller's own, or the one named by `key`.",
        mount: |permission| guarded(permission, key_info::info),
    },
    Route {
        method: Method::GET,
        path: "/spend/logs",
        permission: Permission::OwnSpend,
        summary: "Lists spend log rows of a request, a key or a user, or sums them by day.",
        mount: |permission| guarded(permission, spend_logs::logs),
    },
];
