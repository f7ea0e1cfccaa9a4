//! OpenAI's list of models, with LiteLLM's parameters.

use std::collections::BTreeSet;

use actix_web::HttpResponse;
use serde::Serialize;

use super::Unwell;
use crate::http::error::ApiError;
use crate::http::query::Query;
use crate::http::route::Call;
use crate::policy::access;
use crate::router::Asker;

/// LiteLLM's constant.
const CREATED: i64 = 1_677_610_602;

/// A model as OpenAI lists it.
#[derive(Serialize)]
pub struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    owned_by: &'static str,
}

/// All models that the caller may call.
#[derive(Serialize)]
pub struct ModelList<'a> {
    data: Vec<Model<'a>>,
    object: &'static str,
}

/// The groups and aliases that the caller may call.
pub fn list(call: &Call, query: &Query, unwell: &Unwell) -> Result<HttpResponse, ApiError> {
    let principal = call.caller()?.principal();
    let routes = call.worker.routes();
    let table = routes.table();
    let wildcards = query.flag("return_wildcard_routes")?.unwrap_or(false);
    let only_groups = query.flag("only_model_access_groups")?.unwrap_or(false);
    let groups = query.flag("include_model_access_groups")?.unwrap_or(false) || only_groups;
    let mut data: Vec<Model<'_>> = Vec::new();
    if !only_groups {
        let asker = Asker::of(principal);
        let names = table.listed(asker);
        let shown = names.filter(|name| wildcards || !name.contains('*'));
        let allowed = shown.filter(|name| {
            call.worker.may_call(principal, name) && !unwell.hides(table, name, asker)
        });
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

/// A model by the name that the caller has for it.
pub fn model(id: &str) -> Model<'_> {
    Model {
        id,
        object: "model",
        created: CREATED,
        owned_by: "openai",
    }
}
