//! Routes in OpenAI's protocol.

mod chat;
mod error;
mod models;

use super::about::{Answer, SchemaOf, Tag};
use super::route::{Route, guarded};
use crate::auth::Permission;

const CHAT: Route = Route::post(
    "/v1/chat/completions",
    Permission::Inference,
    |permission| guarded(permission, chat::create),
)
.about(Tag::Chat, "Creates a chat completion, whole or streamed.")
.description(
    "Fields that are not named here go to the provider as they came, and unknown fields of its answer come back.",
)
.written_body("ChatCompletionRequest")
.answer(Answer::JsonOrEvents(
    SchemaOf::Written("ChatCompletion"),
    SchemaOf::Written("ChatCompletionChunk"),
));

const MODELS: Route = Route::get("/v1/models", Permission::Information, |permission| {
    guarded(permission, models::list)
})
.about(Tag::Models, "Lists the models that the caller may call.")
.answers::<models::ModelList>();

/// OpenAI's bodies, by name: they pass through as bytes, so that no type of ours describes them.
pub const SCHEMAS: &str = include_str!("schemas.json");

/// See [`super::routes`].
pub const ROUTES: &[Route] = &[
    CHAT,
    CHAT.at("/chat/completions"),
    MODELS,
    MODELS.at("/models"),
];
