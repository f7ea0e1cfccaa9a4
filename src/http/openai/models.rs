//! `GET /v1/models` and `GET /v1/models/{model}`.

use std::collections::BTreeSet;

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::http::error::ApiError;
use crate::http::query::Query;
use crate::http::route::Call;
use crate::policy::access;

/// LiteLLM's constant.
const CREATED: i64 = 1_677_610_602;

/// A model as OpenAI lists it.
#[derive(Serialize, ToSchema)]
pub struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    owned_by: &'static str,
}

/// All models that the caller may call.
#[derive(Serialize, ToSchema)]
pub struct ModelList<'a> {
    data: Vec<Model<'a>>,
    object: &'static str,
}

#[derive(IntoParams)]
#[expect(
    dead_code,
    reason = "the document's parameters; they are read one by one"
)]
pub struct ModelsQuery {
    /// Also names that hold a `*`.
    return_wildcard_routes: Option<bool>,
    /// Also access groups, whose names a key's list of models may hold.
    include_model_access_groups: Option<bool>,
    /// Access groups alone.
    only_model_access_groups: Option<bool>,
}

/// The groups and aliases that the caller may call.
pub async fn list(call: Call) -> Result<HttpResponse, ApiError> {
    let principal = call.caller()?.principal();
    let routes = call.worker.routes();
    let table = routes.table();
    let query = Query::of(&call.request);
    let wildcards = query.flag("return_wildcard_routes")?.unwrap_or(false);
    let only_groups = query.flag("only_model_access_groups")?.unwrap_or(false);
    let groups = query.flag("include_model_access_groups")?.unwrap_or(false) || only_groups;
    let mut data: Vec<Model<'_>> = Vec::new();
    if !only_groups {
        let names = table.listed.iter();
        let shown = names.filter(|name| wildcards || !name.contains('*'));
        let allowed = shown.filter(|name| call.worker.may_call(principal, name));
        data.extend(allowed.map(|name| model(name)));
    }
    if groups {
        let names: BTreeSet<&str> = table
            .groups()
            .flat_map(|(_, group)| &group.access_groups)
            .map(|group| &**group)
            .collect();
        let allowed = names
            .into_iter()
            .filter(|name| access::check(principal, name).is_ok());
        data.extend(allowed.map(model));
    }
    Ok(HttpResponse::Ok().json(ModelList {
        data,
        object: "list",
    }))
}

/// One of the models of the list, or one of the key's own names for models.
pub async fn retrieve(call: Call) -> Result<HttpResponse, ApiError> {
    let principal = call.caller()?.principal();
    let asked = call.request.match_info().get("model").unwrap_or_default();
    let routes = call.worker.routes();
    let table = routes.table();
    let target = access::target(principal, asked);
    let is_there = table.listed.iter().any(|name| **name == *target);
    if is_there && call.worker.may_call(principal, asked) {
        return Ok(HttpResponse::Ok().json(model(asked)));
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

fn model(id: &str) -> Model<'_> {
    Model {
        id,
        object: "model",
        created: CREATED,
        owned_by: "openai",
    }
}
