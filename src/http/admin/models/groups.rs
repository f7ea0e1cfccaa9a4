//! `GET /model_group/info`.

use std::collections::BTreeSet;

use actix_web::HttpResponse;
use serde_json::{Map, Value, json};
use utoipa::IntoParams;

use super::described::model_info;
use crate::http::error::ApiError;
use crate::http::query::Query;
use crate::http::route::Call;
use crate::router::{Asker, Deployment, RoutingTable};

/// Figures of which the group has its members' largest.
const LARGEST: [&str; 5] = [
    "max_input_tokens",
    "max_output_tokens",
    "input_cost_per_token",
    "output_cost_per_token",
    "input_cost_per_pixel",
];

/// Abilities that are always told: the group has what one of its members has.
const ABILITIES: [&str; 7] = [
    "supports_parallel_function_calling",
    "supports_vision",
    "supports_web_search",
    "supports_url_context",
    "supports_reasoning",
    "supports_function_calling",
    "supports_fast_mode",
];

#[derive(IntoParams)]
#[expect(
    dead_code,
    reason = "the document's parameters; they are read one by one"
)]
pub struct ModelGroupQuery {
    /// A model group or an alias; all when it is left out.
    model_group: Option<String>,
}

/// The groups and aliases that the caller may call.
pub async fn info(call: Call) -> Result<HttpResponse, ApiError> {
    let principal = call.caller()?.principal();
    let routes = call.worker.routes();
    let table = routes.table();
    let query = Query::of(&call.request);
    let asked = query.text("model_group");
    let asker = Asker::of(principal);
    let data: Vec<Value> = table
        .listed(asker)
        .filter(|name| asked.is_none_or(|asked| asked == &***name))
        .filter(|name| call.worker.may_call(principal, name))
        .map(|name| group(table, name, asker))
        .collect();
    Ok(HttpResponse::Ok().json(json!({ "data": data })))
}

fn group(table: &RoutingTable, name: &str, asker: Asker<'_>) -> Value {
    let destination = table.resolve(name, asker);
    let group = destination.ok().and_then(|to| table.group(to.group));
    let members: Vec<&Deployment> = group
        .iter()
        .flat_map(|group| &group.members)
        .filter_map(|member| table.deployment(member.deployment))
        .map(|deployment| &**deployment)
        .collect();
    let infos: Vec<Map<String, Value>> = members.iter().map(|member| model_info(member)).collect();
    let providers: BTreeSet<&str> = members.iter().map(|member| &*member.provider).collect();
    let sum = |of: fn(&Deployment) -> Option<u64>| {
        let figures: Vec<u64> = members.iter().filter_map(|member| of(member)).collect();
        (!figures.is_empty()).then(|| figures.iter().fold(0_u64, |sum, n| sum.saturating_add(*n)))
    };
    let mode = infos.iter().find_map(|info| info.get("mode")?.as_str());
    let mut shown = json!({
        "model_group": name,
        "providers": providers,
        "mode": mode.unwrap_or("chat"),
        "tpm": sum(|member| member.entry.litellm_params.tpm),
        "rpm": sum(|member| member.entry.litellm_params.rpm),
        "itpm": null,
        "otpm": null,
        "configurable_clientside_auth_params": null,
        "is_public_model_group": false,
        "health_status": null,
        "health_response_time": null,
        "health_checked_at": null,
    });
    for field in LARGEST {
        let figures = infos.iter().filter_map(|info| info.get(field)?.as_f64());
        shown[field] = figures.reduce(f64::max).into();
    }
    for field in ABILITIES {
        let able = |info: &Map<String, Value>| info.get(field) == Some(&Value::Bool(true));
        shown[field] = infos.iter().any(able).into();
    }
    shown
}
