//! `POST /v1/chat/completions`.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use futures_util::stream;

use super::error::refusal;
use crate::http::body;
use crate::http::call_id::call_id;
use crate::http::error::ApiError;
use crate::http::route::{Call, now_micros};
use crate::journey::{EventStream, Failure, Incoming, Reply, infer};

pub async fn create(call: Call) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    let settings = &call.worker.shared.settings;
    let started_at = now_micros();
    let call_id = call_id(call.request.headers());
    let (most, buffers) = (settings.most_request_bytes, &call.worker.buffers);
    let body = body::read(&call.request, call.payload, most, buffers)
        .await
        .map_err(|error| error.header("x-litellm-call-id", &call_id))?;
    let client_ip = call
        .request
        .peer_addr()
        .map(|peer| peer.ip().to_string().into());
    let incoming = Incoming {
        body,
        arrived: call.arrived,
        started_at,
        call_id,
        client_ip,
    };
    let served = infer(&call.worker, &caller, &incoming).await;
    buffers.give_back(incoming.body);
    match served {
        Ok(Reply::Whole { headers, body }) => {
            let mut response = HttpResponse::Ok().body(body);
            *response.headers_mut() = headers;
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Ok(response)
        }
        Ok(Reply::Stream { headers, body }) => Ok(streamed(headers, body)),
        Err(refused) => {
            let by_upstream = matches!(refused.failure, Failure::Upstream { .. });
            let call_id = settings.call_id_in_errors.then(|| refused.call_id.clone());
            let route = call.request.path().trim_start_matches("/v1");
            let error = refusal(
                refused,
                caller.principal(),
                route,
                settings.budget_exceeded_status,
            );
            if !by_upstream {
                call.worker.shared.metrics.refused(error.kind());
            }
            Ok(error.respond(call_id.as_deref()))
        }
    }
}

fn streamed(headers: HeaderMap, body: Box<EventStream>) -> HttpResponse {
    let events = stream::unfold(body, |mut body| async move {
        let bytes = body.next().await?;
        Some((Ok::<_, std::convert::Infallible>(bytes), body))
    });
    let mut response = HttpResponse::Ok().streaming(Box::pin(events));
    let all = response.headers_mut();
    *all = headers;
    all.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    all.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    all.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}
