//! `GET /v1/models` and `GET /v1/models/{model}`, in the shape that whoever asks can read.
//!
//! OpenAI's and LiteLLM's clients get OpenAI's list; who sends `anthropic-version`, as Anthropic's clients must, gets theirs;
//! Codex, which says `client_version`, gets its own catalogue. All see the same models: those that they may call.

mod anthropic;
mod codex;
mod openai;
mod shown;
mod unwell;

use actix_web::HttpResponse;
use utoipa::IntoParams;

use super::about::Tag;
use super::error::{ApiError, ErrorForm, Surface};
use super::query::Query;
use super::route::{Call, Route, guarded};
use crate::auth::Permission;
use crate::policy::access;
use crate::router::Asker;
use shown::{Shown, shown};
pub use unwell::Unwell;

const MODELS: Route = Route::get("/v1/models", Permission::Information, |gate| {
    guarded(gate, list)
})
.of(Surface::Shared)
.about(Tag::Models, "Lists the models that the caller may call.")
.description(
    "With the header `anthropic-version` in Anthropic's shape, with `client_version` in Codex's.",
)
.query::<ModelsQuery>()
.written_answer("AnyModelList");

const MODEL: Route = Route::get("/v1/models/{model:.+}", Permission::Information, |gate| {
    guarded(gate, retrieve)
})
.of(Surface::Shared)
.about(Tag::Models, "Tells whether the caller may call a model.")
.description("With the header `anthropic-version` in Anthropic's shape.")
.written_answer("AnyModel")
.errors(&[404]);

/// What the document says of the answers.
pub const SCHEMAS: &str = include_str!("schemas.json");

/// See [`super::routes`].
pub const ROUTES: &[Route] = &[
    MODELS,
    MODELS.at("/models"),
    MODELS.at("/anthropic/v1/models").of(Surface::Anthropic),
    MODEL,
    MODEL.at("/models/{model:.+}"),
    MODEL
        .at("/anthropic/v1/models/{model:.+}")
        .of(Surface::Anthropic),
];

#[derive(IntoParams)]
#[expect(
    dead_code,
    reason = "the document's parameters; they are read one by one"
)]
struct ModelsQuery {
    /// Also names that hold a `*`.
    return_wildcard_routes: Option<bool>,
    /// Also access groups, whose names a key's list of models may hold.
    include_model_access_groups: Option<bool>,
    /// Access groups alone.
    only_model_access_groups: Option<bool>,
    /// Without those whose deployments all fail their background health checks.
    healthy_only: Option<bool>,
    /// Of Anthropic's shape: so many models at most, 20 when it is left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Of Anthropic's shape: those behind this one.
    after_id: Option<String>,
    /// Of Anthropic's shape: those before this one.
    before_id: Option<String>,
    /// Codex's version: it gets its own shape.
    client_version: Option<String>,
}

async fn list(call: Call) -> Result<HttpResponse, ApiError> {
    let query = Query::of(&call.request);
    let unwell = Unwell::of(&call, &query).await?;
    if call.form == ErrorForm::Anthropic {
        return anthropic::list(&call, &query, &unwell);
    }
    if query.text("client_version").is_some() {
        return codex::list(&call, &unwell);
    }
    openai::list(&call, &query, &unwell)
}

/// One of the models of the list, or one of the key's own names for models.
async fn retrieve(call: Call) -> Result<HttpResponse, ApiError> {
    let principal = call.caller()?.principal();
    let asked = call.request.match_info().get("model").unwrap_or_default();
    let routes = call.worker.routes();
    let table = routes.table();
    let target = access::target(principal, asked);
    let asker = Asker::of(principal);
    let unwell = Unwell::of(&call, &Query::of(&call.request)).await?;
    let is_there =
        table.listed(asker).any(|name| **name == *target) && !unwell.hides(table, target, asker);
    if is_there && call.worker.may_call(principal, asked) {
        return Ok(match call.form {
            ErrorForm::Anthropic => {
                HttpResponse::Ok().json(anthropic::model(&shown(table, target, asker), asked))
            }
            _ => HttpResponse::Ok().json(openai::model(asked)),
        });
    }
    let text = format!("The model `{asked:.128}` does not exist or is not accessible");
    // LiteLLM says it as `detail`, which strict clients of OpenAI's API cannot read.
    Err(ApiError::new(
        404,
        "invalid_request_error",
        text,
        Some("model".to_owned()),
    ))
}

/// What the caller may call, without names that hold a `*`.
fn callable(call: &Call, unwell: &Unwell) -> Result<Vec<Shown>, ApiError> {
    let principal = call.caller()?.principal();
    let routes = call.worker.routes();
    let table = routes.table();
    let asker = Asker::of(principal);
    let names = table.listed(asker).filter(|name| !name.contains('*'));
    let allowed = names
        .filter(|name| call.worker.may_call(principal, name) && !unwell.hides(table, name, asker));
    Ok(allowed.map(|name| shown(table, name, asker)).collect())
}
