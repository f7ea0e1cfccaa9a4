//! `GET /v1/models`.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::error::ApiError;
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

/// The groups and aliases that the caller may call.
pub async fn list(call: Call) -> Result<HttpResponse, ApiError> {
    let principal = call.caller()?.principal();
    let table = call.worker.table();
    let allowed = table.listed.iter().filter(|name| {
        access::check_with_groups(principal, name, |model| table.access_groups(model)).is_ok()
    });
    let model = |name| Model {
        id: name,
        object: "model",
        created: CREATED,
        owned_by: "openai",
    };
    let data = allowed.map(|name| model(&**name)).collect();
    Ok(HttpResponse::Ok().json(ModelList {
        data,
        object: "list",
    }))
}
