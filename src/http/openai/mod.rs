//! Routes in OpenAI's protocol.

use super::about::{Answer, SchemaOf, Tag};
use super::inference::create;
use super::route::{Route, guarded};
use crate::auth::Permission;
use crate::types::Operation;

const CHAT: Route = Route::post(
    "/v1/chat/completions",
    Permission::Inference,
    |gate| guarded(gate, |call| create(call, Operation::Chat)),
)
.about(Tag::Chat, "Creates a chat completion, whole or streamed.")
.description(
    "Fields that are not named here go to the provider as they came, and unknown fields of its answer come back. Several models \
     with commas between their names, or a list of several lists of messages, get a list of answers, or with `fastest_response` \
     the first one.",
)
.written_body("ChatCompletionRequest")
.answer(Answer::JsonOrEvents(
    SchemaOf::Written("ChatCompletion"),
    SchemaOf::Written("ChatCompletionChunk"),
));

const COMPLETION: Route = Route::post("/v1/completions", Permission::Inference, |gate| {
    guarded(gate, |call| create(call, Operation::Completion))
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

const EMBEDDING: Route = Route::post("/v1/embeddings", Permission::Inference, |gate| {
    guarded(gate, |call| create(call, Operation::Embedding))
})
.about(Tag::Embeddings, "Makes vectors of texts.")
.description("`input` is a text, token ids, or a list of either; vectors come back as the provider wrote them.")
.written_body("EmbeddingRequest")
.answer(Answer::Json(SchemaOf::Written("EmbeddingList")));

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
];
