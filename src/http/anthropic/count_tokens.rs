//! `POST /v1/messages/count_tokens`.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::body;
use crate::http::call_id::call_id;
use crate::http::error::{ApiError, REQUEST_ID};
use crate::http::inference::Door;
use crate::http::route::Call;
use crate::journey::{Refused, count_tokens};
use crate::types::Operation;

/// The tokens of a message's input.
#[derive(Serialize, ToSchema)]
#[schema(as = InputTokens)]
pub struct Count {
    input_tokens: u64,
}

pub async fn count(call: Call) -> Result<HttpResponse, ApiError> {
    let door = Door::new(&call, Operation::Messages)?;
    let (worker, headers) = (call.worker, call.request.headers());
    let id = call_id(headers);
    let most = worker.routes().settings().most_request_bytes;
    let body = body::read(&call.request, call.payload, most, &worker)
        .await
        .map_err(|error| error.header("x-litellm-call-id", &id))?;
    match count_tokens(&worker, &door.caller, headers, &body.bytes).await {
        Ok(input_tokens) => Ok(HttpResponse::Ok()
            .insert_header(("x-litellm-call-id", &*id))
            .insert_header((REQUEST_ID, &*id))
            .json(Count { input_tokens })),
        Err(failure) => Err(door.refusal(Refused {
            failure,
            call_id: id,
            key_spend: None,
            timeout: None,
        })),
    }
}
