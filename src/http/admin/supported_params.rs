//! `GET /utils/supported_openai_params`: what of OpenAI's parameters a model's provider takes.

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::http::error::ApiError;
use crate::http::query::Query;
use crate::http::route::Call;

#[derive(Deserialize, IntoParams)]
#[allow(dead_code, reason = "its schema; the parameters are read one by one")]
pub struct SupportedParamsQuery {
    /// A model group, an alias, or a model of the catalogue.
    model: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SupportedParams {
    #[schema(value_type = Vec<String>)]
    supported_openai_params: Vec<&'static str>,
}

pub async fn supported(call: Call) -> Result<HttpResponse, ApiError> {
    let query = Query::of(&call.request);
    let Some(model) = query.text("model") else {
        return Err(ApiError::invalid_query("model", "Field required"));
    };
    let supported_openai_params = call.worker.routes().table().supported_params(model).ok_or_else(|| {
        let name: String = model.chars().take(256).collect();
        let detail = json!({"error": format!("Could not map model={name}: no group or model of this name is known")});
        ApiError::detail(400, detail)
    })?;
    Ok(HttpResponse::Ok().json(SupportedParams {
        supported_openai_params,
    }))
}
