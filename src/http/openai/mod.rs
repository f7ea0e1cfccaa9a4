//! Routes in OpenAI's protocol.

mod error;
mod inference;
mod models;

use super::about::{Answer, SchemaOf, Tag};
use super::route::{Route, guarded};
use crate::auth::Permission;

const CHAT: Route = Route::post(
    "/v1/chat/completions",
    Permission::Inference,
    |permission| guarded(permission, inference::chat),
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

const COMPLETION: Route = Route::post("/v1/completions", Permission::Inference, |permission| {
    guarded(permission, inference::completion)
})
.about(
    Tag::Completions,
    "Continues one or several prompts, whole or streamed.",
)
.description("`prompt` is a text, token ids, or a list of either; other fields go to the provider as they came.")
.written_body("CompletionRequest")
.answer(Answer::JsonOrEvents(
    SchemaOf::Written("Completion"),
    SchemaOf::Written("Completion"),
));

const EMBEDDING: Route = Route::post("/v1/embeddings", Permission::Inference, |permission| {
    guarded(permission, inference::embedding)
})
.about(Tag::Embeddings, "Makes vectors of texts.")
.description("`input` is a text, token ids, or a list of either; vectors come back as the provider wrote them.")
.written_body("EmbeddingRequest")
.answer(Answer::Json(SchemaOf::Written("EmbeddingList")));

const MODELS: Route = Route::get("/v1/models", Permission::Information, |permission| {
    guarded(permission, models::list)
})
.about(Tag::Models, "Lists the models that the caller may call.")
.query::<models::ModelsQuery>()
.answers::<models::ModelList>();

const MODEL: Route = Route::get(
    "/v1/models/{model:.+}",
    Permission::Information,
    |permission| guarded(permission, models::retrieve),
)
.about(Tag::Models, "Tells whether the caller may call a model.")
.answers::<models::Model>()
.errors(&[404]);

/// OpenAI's bodies, by name: they pass through as bytes, so that no type of ours describes them.
pub const SCHEMAS: &str = include_str!("schemas.json");

/// See [`super::routes`].
pub const ROUTES: &[Route] = &[
    CHAT,
    CHAT.at("/chat/completions"),
    // Before the completions of the same form, whose model would else end in `/chat`.
    CHAT.at("/engines/{model:.+}/chat/completions"),
    CHAT.at("/openai/deployments/{model:.+}/chat/completions"),
    COMPLETION,
    COMPLETION.at("/completions"),
    COMPLETION.at("/engines/{model:.+}/completions"),
    COMPLETION.at("/openai/deployments/{model:.+}/completions"),
    EMBEDDING,
    EMBEDDING.at("/embeddings"),
    EMBEDDING.at("/engines/{model:.+}/embeddings"),
    EMBEDDING.at("/openai/deployments/{model:.+}/embeddings"),
    MODELS,
    MODELS.at("/models"),
    MODEL,
    MODEL.at("/models/{model:.+}"),
];
