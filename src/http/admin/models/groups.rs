//! `GET /model_group/info`: what the deployments of a group have together, by LiteLLM's rules (1.106.2).

use std::collections::BTreeSet;

use actix_web::HttpResponse;
use serde_json::{Map, Value, json};
use utoipa::IntoParams;

use super::described::model_info;
use crate::config::ClientsideParam;
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
const ABILITIES: [&str; 6] = [
    "supports_parallel_function_calling",
    "supports_vision",
    "supports_web_search",
    "supports_url_context",
    "supports_reasoning",
    "supports_function_calling",
];
/// One that the group has only where all its members have it: a request for it may go to any of them.
const OF_ALL: &str = "supports_fast_mode";

/// Efforts of models that reason, and the catalogue's word for having one; none: all have it.
const EFFORTS: [(&str, Option<&str>); 7] = [
    ("none", Some("supports_none_reasoning_effort")),
    ("minimal", Some("supports_minimal_reasoning_effort")),
    ("low", None),
    ("medium", None),
    ("high", None),
    ("xhigh", Some("supports_xhigh_reasoning_effort")),
    ("max", Some("supports_max_reasoning_effort")),
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
    let windows = members.iter().filter_map(|member| member.window);
    let last_params = members.last().map(|member| params(member));
    let client_side = members.iter().rev().find_map(|member| client_side(member));
    let mut shown = json!({
        "model_group": name,
        "providers": providers,
        "mode": mode.unwrap_or("chat"),
        // LiteLLM tells the largest window alone: a prompt must fit the smallest to be served by any member.
        "min_input_tokens": windows.min().map(|tokens| tokens as f64),
        "tpm": sum(|member| member.entry.litellm_params.tpm),
        "rpm": sum(|member| member.entry.litellm_params.rpm),
        "itpm": sum(|member| member.entry.litellm_params.itpm),
        "otpm": sum(|member| member.entry.litellm_params.otpm),
        "supported_openai_params": last_params.unwrap_or_default(),
        "supported_reasoning_efforts": efforts(&infos),
        "configurable_clientside_auth_params": client_side,
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
        shown[field] = infos.iter().any(|info| is(info, field)).into();
    }
    let all = !infos.is_empty() && infos.iter().all(|info| is(info, OF_ALL));
    shown[OF_ALL] = all.into();
    shown
}

fn is(info: &Map<String, Value>, field: &str) -> bool {
    info.get(field) == Some(&Value::Bool(true))
}

/// OpenAI's parameters that reach the provider.
fn params(member: &Deployment) -> Vec<&'static str> {
    ["stream"]
        .into_iter()
        .chain(member.plan.supported())
        .collect()
}

/// The efforts that every member which reasons has; `None` where none reasons.
fn efforts(infos: &[Map<String, Value>]) -> Option<Vec<&'static str>> {
    let mut reasoning = infos
        .iter()
        .filter(|info| is(info, "supports_reasoning"))
        .peekable();
    reasoning.peek()?;
    let reasoning: Vec<_> = reasoning.collect();
    let has = |flag: &str| reasoning.iter().all(|info| is(info, flag));
    let known = EFFORTS.iter().filter(|(_, flag)| flag.is_none_or(has));
    Some(known.map(|(name, _)| *name).collect())
}

/// What callers may send in the place of a deployment's own access.
fn client_side(member: &Deployment) -> Option<Vec<Value>> {
    let params = &member
        .entry
        .litellm_params
        .configurable_clientside_auth_params;
    let shown = params.iter().map(|param| match param {
        ClientsideParam::ApiKey => json!("api_key"),
        ClientsideParam::ExtraHeaders => json!("extra_headers"),
        ClientsideParam::ApiBase => json!("api_base"),
        ClientsideParam::ApiBaseLike(pattern) => json!({"api_base": pattern.as_str()}),
    });
    (!params.is_empty()).then(|| shown.collect())
}
