//! `GET /v1/model/info` and `/model/info`: deployments in force, and for administrators rows of the database that are not.

use actix_web::HttpResponse;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::described::described;
use super::stored;
use crate::http::admin::keys::sees_all;
use crate::http::error::ApiError;
use crate::http::models::Unwell;
use crate::http::query::Query;
use crate::http::route::Call;
use crate::router::Asker;

#[derive(IntoParams)]
#[expect(
    dead_code,
    reason = "the document's parameters; they are read one by one"
)]
pub struct ModelInfoQuery {
    /// The id of a deployment; all when it is left out.
    litellm_model_id: Option<String>,
    /// Without groups whose deployments all fail their background health checks.
    healthy_only: Option<bool>,
}

pub async fn info(call: Call) -> Result<HttpResponse, ApiError> {
    let principal = call.caller()?.principal();
    let query = Query::of(&call.request);
    let asked = query.text("litellm_model_id");
    // One that is asked for by its id is shown, however it is.
    let unwell = match asked {
        Some(_) => Unwell::default(),
        None => Unwell::of(&call, &query).await?,
    };
    let routes = call.worker.routes();
    let asker = Asker::of(principal);
    let deployments = routes
        .table()
        .deployments()
        .map(|(_, deployment)| deployment);
    let mut data: Vec<Value> = deployments
        .filter(|deployment| asked.is_none_or(|id| *deployment.id == *id))
        .filter(|deployment| routes.table().shows(principal, deployment))
        .filter(|deployment| !unwell.hides(routes.table(), &deployment.group, asker))
        .map(|deployment| described(deployment))
        .collect();
    if sees_all(call.caller()?) {
        let left_out = routes.models().left_out();
        let left_out = left_out.filter(|(model, _)| asked.is_none_or(|id| model.id() == id));
        data.extend(left_out.map(|(model, problem)| stored::left_out(model, problem)));
    }
    match asked {
        Some(id) if data.is_empty() => {
            let text = format!("Model id = {id:.128} not found on litellm proxy");
            Err(ApiError::detail(400, json!({ "error": text })))
        }
        _ => Ok(HttpResponse::Ok().json(json!({ "data": data }))),
    }
}
