//! Routes of Anthropic's API, and what Claude Code asks beside it.

mod probes;

use actix_web::http::Method;

use super::about::Tag;
use super::error::Surface;
use super::route::{Route, guarded};
use crate::auth::Permission;

/// Anthropic's bodies, by name: they pass through as bytes, so that no type of ours describes them.
pub const SCHEMAS: &str = include_str!("schemas.json");

const EVENTS: Route = Route::post("/api/event_logging/batch", Permission::Public, |gate| {
    guarded(gate, probes::events)
})
.of(Surface::Anthropic)
.about(
    Tag::Messages,
    "Takes what Claude Code tells of its use, and keeps nothing of it.",
)
.written_body("EventBatch")
.answers::<probes::Taken>();

const HELLO: Route = Route::get("/api/hello", Permission::Public, |gate| {
    guarded(gate, probes::hello)
})
.of(Surface::Anthropic)
.about(
    Tag::Messages,
    "Greets Claude Code, which asks whether somebody is there.",
)
.answers::<probes::Hello>();

const HELLO_HEAD: Route = Route::new(Method::HEAD, "/api/hello", Permission::Public, |gate| {
    guarded(gate, probes::there)
})
.about(Tag::Messages, "Tells that somebody is there.")
.hidden();

/// See [`super::routes`].
pub const ROUTES: &[Route] = &[
    EVENTS,
    EVENTS.at("/api/event_logging/v2/batch"),
    HELLO,
    HELLO_HEAD,
    // What Claude Code asks first of all.
    HELLO_HEAD.at("/"),
];
