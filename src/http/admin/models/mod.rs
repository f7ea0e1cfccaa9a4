//! What may be called, for people and dashboards: `/model/info` and `/model_group/info`; and models that the database keeps:
//! `/model/new`, `/model/update` and their like.
//!
//! `described` makes of a deployment what LiteLLM tells about one: its parameters without anything secret, and the
//! catalogue's row with what the configuration overrides; `stored` does so for a row of the database, and has changes made.
//! A caller sees the groups that it may call. No parameter of a model may be logged here.

mod add;
mod block;
mod delete;
mod described;
mod groups;
mod info;
mod stored;
mod update;

use actix_web::http::Method;

use crate::auth::Permission;
use crate::http::about::Tag;
use crate::http::route::{Route, guarded};

const INFO: Route = Route::get("/v1/model/info", Permission::Information, |gate| {
    guarded(gate, info::info)
})
.about(
    Tag::Models,
    "Tells about deployments: parameters without secrets, prices, windows, capabilities.",
)
.query::<info::ModelInfoQuery>();

/// See [`crate::http::routes`].
pub const ROUTES: &[Route] = &[
    INFO,
    INFO.at("/model/info"),
    Route::get("/model_group/info", Permission::Information, |gate| {
        guarded(gate, groups::info)
    })
    .about(
        Tag::Models,
        "Tells about model groups: what their deployments have together.",
    )
    .query::<groups::ModelGroupQuery>(),
    Route::post("/model/new", Permission::OwnModels, |gate| {
        guarded(gate, add::add)
    })
    .about(
        Tag::Models,
        "Adds a deployment to the database and puts it in force at once.",
    )
    .body::<add::NewModelRequest>()
    .written_answer("StoredModel")
    .errors(&[404, 409]),
    Route::post("/model/update", Permission::OwnModels, |gate| {
        guarded(gate, update::update)
    })
    .about(
        Tag::Models,
        "Changes a deployment of the database; fields that are absent or null stay as they are.",
    )
    .body::<update::UpdateModelRequest>()
    .written_answer("StoredModel")
    .errors(&[404, 409]),
    Route::new(
        Method::PATCH,
        "/model/{model_id:.+}/update",
        Permission::OwnModels,
        |gate| guarded(gate, update::patch),
    )
    .about(
        Tag::Models,
        "Changes a deployment of the database; a field that is null is taken away.",
    )
    .body::<update::UpdateModelRequest>()
    .written_answer("StoredModel")
    .errors(&[404, 409]),
    Route::post("/model/delete", Permission::OwnModels, |gate| {
        guarded(gate, delete::delete)
    })
    .about(Tag::Models, "Deletes a deployment of the database.")
    .body::<delete::DeleteModelRequest>()
    .answers::<delete::DeletedModel>(),
    Route::post("/model/block", Permission::Reconfiguration, |gate| {
        guarded(gate, block::block)
    })
    .about(
        Tag::Models,
        "Pauses a deployment of the database: no call is sent to it any more.",
    )
    .body::<block::BlockModelRequest>()
    .written_answer("StoredModel")
    .errors(&[409]),
    Route::post("/model/unblock", Permission::Reconfiguration, |gate| {
        guarded(gate, block::unblock)
    })
    .about(Tag::Models, "Lets a paused deployment take calls again.")
    .body::<block::BlockModelRequest>()
    .written_answer("StoredModel")
    .errors(&[409]),
];
