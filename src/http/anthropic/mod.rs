//! Routes of Anthropic's API, and what Claude Code asks beside it.

mod count_tokens;
mod probes;

use actix_web::http::Method;

use super::about::{Answer, SchemaOf, Tag};
use super::error::Surface;
use super::inference::create;
use super::route::{Route, guarded};
use crate::auth::Permission;
use crate::types::Operation;

/// Anthropic's bodies, by name: they pass through as bytes, so that no type of ours describes them.
pub const SCHEMAS: &str = include_str!("schemas.json");

const MESSAGES: Route = Route::post("/v1/messages", Permission::Inference, |gate| {
    guarded(gate, |call| create(call, Operation::Messages))
})
.of(Surface::Anthropic)
.about(
    Tag::Messages,
    "Creates a message, whole or streamed, by any model of this gateway.",
)
.description(
    "To Anthropic fields that are not named here go as they came; for other providers the request is translated.",
)
.written_body("MessagesRequest")
.answer(Answer::JsonOrEvents(
    SchemaOf::Written("Message"),
    SchemaOf::Written("MessageEvent"),
));

const COUNT: Route = Route::post("/v1/messages/count_tokens", Permission::Inference, |gate| {
    guarded(gate, count_tokens::count)
})
.of(Surface::Anthropic)
.about(
    Tag::Messages,
    "Counts the tokens of a message's input. Costs nothing.",
)
.description("Anthropic is asked where the model is its own; for other models the count is ours.")
.written_body("CountTokensRequest")
.answers::<count_tokens::Count>();

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
    MESSAGES,
    MESSAGES.at("/anthropic/v1/messages"),
    MESSAGES.at("/claude_code_gateway/v1/messages"),
    COUNT,
    COUNT.at("/anthropic/v1/messages/count_tokens"),
    COUNT.at("/claude_code_gateway/v1/messages/count_tokens"),
    EVENTS,
    EVENTS.at("/api/event_logging/v2/batch"),
    HELLO,
    HELLO_HEAD,
    // What Claude Code asks first of all.
    HELLO_HEAD.at("/"),
];
