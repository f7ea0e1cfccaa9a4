//! Routes of OpenAI's Responses API.

mod errands;
mod socket;

use actix_web::http::Method;

use super::about::{Answer, SchemaOf, Tag};
use super::error::Surface;
use super::inference::create;
use super::route::{Call, Route, guarded};
use crate::auth::Permission;
use crate::types::Operation;

/// The API's bodies, by name: they pass through as bytes, so that no type of ours describes them.
pub const SCHEMAS: &str = include_str!("schemas.json");

const CREATE: Route = Route::post("/v1/responses", Permission::Inference, |gate| {
    guarded(gate, |call: Call| create(call, Operation::Responses))
})
.of(Surface::Responses)
.about(Tag::Responses, "Makes a response, whole or streamed.")
.description(
    "Any model answers, whatever its provider speaks. `previous_response_id` goes on from a response of this gateway: \
     at the provider that keeps it, or from what is kept here.",
)
.written_body("ResponseRequest")
.answer(Answer::JsonOrEvents(
    SchemaOf::Written("Response"),
    SchemaOf::Written("ResponseEvent"),
));

const COMPACT: Route = Route::post("/v1/responses/compact", Permission::Inference, |gate| {
    guarded(gate, |call: Call| create(call, Operation::Compaction))
})
.of(Surface::Responses)
.about(
    Tag::Responses,
    "Makes a conversation short, where the provider does that.",
)
.description("What comes back can be read by the deployment that made it alone: requests that carry it go there.")
.written_body("ResponseRequest")
.written_answer("ResponseCompaction");

const SOCKET: Route = Route::get("/v1/responses", Permission::Inference, |gate| {
    guarded(gate, socket::open)
})
.of(Surface::Responses)
.about(
    Tag::Responses,
    "Opens a WebSocket: `response.create` messages in, the events of their streams out.",
)
.errors(&[426]);

const SHOW: Route = Route::get(
    "/v1/responses/{response_id}",
    Permission::Inference,
    |gate| guarded(gate, errands::show),
)
.of(Surface::Responses)
.about(Tag::Responses, "Shows a response that was made before.")
.written_answer("Response")
.errors(&[404]);

const DELETE: Route = Route::new(
    Method::DELETE,
    "/v1/responses/{response_id}",
    Permission::Inference,
    |gate| guarded(gate, errands::delete),
)
.of(Surface::Responses)
.about(Tag::Responses, "Deletes a response.")
.written_answer("DeletedResponse")
.errors(&[404]);

const CANCEL: Route = Route::post(
    "/v1/responses/{response_id}/cancel",
    Permission::Inference,
    |gate| guarded(gate, errands::cancel),
)
.of(Surface::Responses)
.about(
    Tag::Responses,
    "Cancels a response that is made in the background.",
)
.written_answer("Response")
.errors(&[404]);

const INPUT: Route = Route::get(
    "/v1/responses/{response_id}/input_items",
    Permission::Inference,
    |gate| guarded(gate, errands::input_items),
)
.of(Surface::Responses)
.about(Tag::Responses, "Lists what a response was made from.")
.query::<errands::InputItemsQuery>()
.written_answer("ResponseItemList")
.errors(&[404]);

/// See [`super::routes`].
pub const ROUTES: &[Route] = &[
    CREATE,
    CREATE.at("/responses"),
    CREATE.at("/openai/v1/responses"),
    COMPACT,
    COMPACT.at("/responses/compact"),
    COMPACT.at("/openai/v1/responses/compact"),
    SOCKET,
    SOCKET.at("/responses"),
    SOCKET.at("/openai/v1/responses"),
    SHOW,
    SHOW.at("/responses/{response_id}"),
    SHOW.at("/openai/v1/responses/{response_id}"),
    DELETE,
    DELETE.at("/responses/{response_id}"),
    DELETE.at("/openai/v1/responses/{response_id}"),
    CANCEL,
    CANCEL.at("/responses/{response_id}/cancel"),
    CANCEL.at("/openai/v1/responses/{response_id}/cancel"),
    INPUT,
    INPUT.at("/responses/{response_id}/input_items"),
    INPUT.at("/openai/v1/responses/{response_id}/input_items"),
];
