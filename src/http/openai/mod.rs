//! Routes in OpenAI's protocol.

mod chat;
mod error;
mod models;

use actix_web::http::Method;

use super::route::{Route, guarded};
use crate::auth::Permission;

/// See [`super::routes`].
pub const ROUTES: &[Route] = &[
    Route {
        method: Method::POST,
        path: "/v1/chat/completions",
        permission: Permission::Inference,
        summary: "Creates a chat completion, whole or streamed.",
        mount: |permission| guarded(permission, chat::create),
    },
    Route {
        method: Method::POST,
        path: "/chat/completions",
        permission: Permission::Inference,
        summary: "Creates a chat completion, whole or streamed.",
        mount: |permission| guarded(permission, chat::create),
    },
    Route {
        method: Method::GET,
        path: "/v1/models",
        permission: Permission::Information,
        summary: "Lists the models that the caller may call.",
        mount: |permission| guarded(permission, models::list),
    },
    Route {
        method: Method::GET,
        path: "/models",
        permission: Permission::Information,
        summary: "Lists the models that the caller may call.",
        mount: |permission| guarded(permission, models::list),
    },
];
