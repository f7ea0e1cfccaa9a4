//! What may be called, for people and dashboards: `/model/info` and `/model_group/info`.
//!
//! `described` makes of a deployment what LiteLLM tells about one: its parameters without anything secret, and the
//! catalogue's row with what the configuration overrides. A caller sees the groups that it may call.

mod described;
mod groups;
mod info;

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
];
