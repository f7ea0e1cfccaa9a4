//! `POST /model/delete`.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::stored::{change, check_admin};
use crate::http::admin::json_body::{self, missing};
use crate::http::error::ApiError;
use crate::http::route::Call;
use crate::models::ModelChange;

/// What `/model/delete` reads.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the document's schema; the body is read field by field"
)]
pub struct DeleteModelRequest {
    /// The deployment's id.
    id: String,
}

/// The model is gone; calls that are under way end as they would have.
#[derive(Serialize, ToSchema)]
pub struct DeletedModel {
    message: String,
}

pub async fn delete(call: Call) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    check_admin(&caller)?;
    let body = json_body::read(&call.request, call.payload, &call.worker).await?;
    let id: String = json_body::optional(&body, "id")?.ok_or_else(|| missing("id"))?;
    let model = change(&call.worker.shared, &caller, ModelChange::Delete { id }).await??;
    let message = format!("Model: {} deleted successfully", model.id());
    Ok(HttpResponse::Ok().json(DeletedModel { message }))
}
