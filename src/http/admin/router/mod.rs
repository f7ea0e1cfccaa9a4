//! `/router`: how decisions come about, and rehearsals of failures.

mod chaos;
mod explain;

use crate::auth::Permission;
use crate::http::about::Tag;
use crate::http::route::{Route, guarded};

/// See [`crate::http::routes`].
pub const ROUTES: &[Route] = &[
    Route::post("/router/explain", Permission::Inference, |gate| {
        guarded(gate, explain::explain)
    })
    .about(
        Tag::Utils,
        "Tells which deployment a request would go to now, and why each of the others is passed over.",
    )
    .description(
        "The body is the request itself; nothing is sent, reserved or charged. Query `operation`: chat (unless given), \
         messages, responses, completions or embeddings.",
    )
    .query::<explain::ExplainQuery>()
    .body::<serde_json::Value>()
    .answers::<crate::journey::Decision>(),
    Route::get("/router/chaos", Permission::Administration, |gate| {
        guarded(gate, chaos::list)
    })
    .about(Tag::Utils, "Lists the rehearsals of failures under way.")
    .answers::<chaos::Disturbances>(),
    Route::post("/router/chaos", Permission::Reconfiguration, |gate| {
        guarded(gate, chaos::begin)
    })
    .about(
        Tag::Utils,
        "Delays or fails a share of one deployment's calls for a while, to see what follows.",
    )
    .body::<chaos::ChaosRequest>()
    .answers::<chaos::Disturbances>(),
    Route::delete("/router/chaos", Permission::Reconfiguration, |gate| {
        guarded(gate, chaos::end)
    })
    .about(
        Tag::Utils,
        "Ends the rehearsal of a deployment, or all of them.",
    )
    .query::<chaos::ChaosQuery>()
    .answers::<chaos::Disturbances>(),
];
