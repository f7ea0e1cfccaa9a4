//! What Claude Code asks before and beside its calls, without a key.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::body;
use crate::http::error::ApiError;
use crate::http::route::Call;

/// A greeting.
#[derive(Serialize, ToSchema)]
pub struct Hello {
    message: &'static str,
}

/// A batch was read.
#[derive(Serialize, ToSchema)]
pub struct Taken {
    status: &'static str,
}

pub async fn hello(_: Call) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(Hello { message: "hello" }))
}

/// An answer without a body.
pub async fn there(_: Call) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().finish())
}

/// Events are read, within bounds, so that the connection can be used on, and dropped.
pub async fn events(call: Call) -> Result<HttpResponse, ApiError> {
    if !body::discard(call.payload).await {
        return Err(ApiError::new(
            413,
            "invalid_request_error",
            "these are too many events",
            None,
        )
        .ending_connection());
    }
    Ok(HttpResponse::Ok().json(Taken { status: "ok" }))
}
