//! Management routes: keys, what is told about models, spend, and the configuration.

mod classifier_prompt;
mod config_reload;
mod cost_estimate;
mod json_body;
mod keys;
mod models;
mod router;
mod spend_calculate;
mod spend_logs;
mod spend_logs_page;
mod supported_params;
mod test_connection;
mod token_counter;

use super::about::Tag;
use super::route::{Route, guarded};
use crate::auth::Permission;

/// Answers that are put together field by field, by name.
pub const SCHEMAS: &str = include_str!("schemas.json");

/// Routes of keys; see [`super::routes`].
pub const KEYS: &[Route] = keys::ROUTES;
/// Routes of the router's decisions; see [`super::routes`].
pub const ROUTER: &[Route] = router::ROUTES;
/// Routes that tell about models; see [`super::routes`].
pub const MODELS: &[Route] = models::ROUTES;

const SPEND_LOGS_PAGE: Route = Route::get("/spend/logs/v2", Permission::OwnSpend, |gate| {
    guarded(gate, spend_logs_page::page)
})
.about(
    Tag::Spend,
    "Lists spend log rows page by page, narrowed down and sorted.",
)
.query::<spend_logs_page::SpendLogsPageQuery>();

/// See [`super::routes`].
pub const ROUTES: &[Route] = &[
    Route::get("/spend/logs", Permission::OwnSpend, |gate| {
        guarded(gate, spend_logs::logs)
    })
    .about(
        Tag::Spend,
        "Lists spend log rows of a request, a key or a user, or sums them by day.",
    )
    .query::<spend_logs::SpendLogsQuery>()
    .written_answer("SpendLogs"),
    SPEND_LOGS_PAGE,
    SPEND_LOGS_PAGE.at("/spend/logs/ui"),
    Route::post("/spend/calculate", Permission::OwnSpend, |gate| {
        guarded(gate, spend_calculate::calculate)
    })
    .about(
        Tag::Spend,
        "Tells what a call would cost, or what an answer has cost.",
    )
    .body::<spend_calculate::SpendCalculateRequest>()
    .answers::<spend_calculate::SpendCalculateResponse>(),
    Route::post("/cost/estimate", Permission::OwnSpend, |gate| {
        guarded(gate, cost_estimate::estimate)
    })
    .about(
        Tag::Spend,
        "Estimates what calls of a size cost, each, a day and a month.",
    )
    .body::<cost_estimate::CostEstimateRequest>()
    .answers::<cost_estimate::CostEstimateResponse>(),
    Route::post(
        "/health/test_connection",
        Permission::Reconfiguration,
        |gate| guarded(gate, test_connection::test_connection),
    )
    .about(
        Tag::Health,
        "Asks a deployment that is described in the body whether it would work.",
    )
    .body::<test_connection::TestConnectionRequest>()
    .answers::<test_connection::TestConnectionResponse>()
    .errors(&[422]),
    Route::post("/config/reload", Permission::Reconfiguration, |gate| {
        guarded(gate, config_reload::reload)
    })
    .about(
        Tag::Config,
        "Reads the configuration file again and puts it in force while calls go on.",
    )
    .description("400 when it has errors: then the configuration in force stays.")
    .answers::<config_reload::ConfigReloaded>()
    .errors(&[400]),
    Route::post("/utils/token_counter", Permission::Information, |gate| {
        guarded(gate, token_counter::count)
    })
    .about(Tag::Utils, "Counts the tokens of a prompt for a model.")
    .body::<token_counter::TokenCountRequest>()
    .answers::<token_counter::TokenCountResponse>(),
    Route::get(
        "/utils/supported_openai_params",
        Permission::Administration,
        |gate| guarded(gate, supported_params::supported),
    )
    .about(
        Tag::Utils,
        "Lists OpenAI's parameters that a model's provider takes.",
    )
    .query::<supported_params::SupportedParamsQuery>()
    .answers::<supported_params::SupportedParams>(),
    Route::get(
        "/auto_router/classifier/default_prompt",
        Permission::Administration,
        |gate| guarded(gate, classifier_prompt::default),
    )
    .about(
        Tag::Models,
        "Tells what a model is told that judges how difficult requests are.",
    )
    .query::<classifier_prompt::DefaultPromptQuery>()
    .answers::<classifier_prompt::ClassifierPrompt>()
    .errors(&[400, 422]),
    Route::post(
        "/auto_router/classifier/default_prompt",
        Permission::Administration,
        |gate| guarded(gate, classifier_prompt::preview),
    )
    .about(
        Tag::Models,
        "Tells the same with instructions and examples of one's own.",
    )
    .body::<classifier_prompt::PromptPreviewRequest>()
    .answers::<classifier_prompt::ClassifierPrompt>()
    .errors(&[400, 422]),
];
