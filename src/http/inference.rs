//! An operation of a model at the door: the body is read, served, and answered in the operation's protocol.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;

use super::body;
use super::call_id::call_id;
use super::error::{ApiError, ErrorForm, REQUEST_ID};
use super::refusal::refusal;
use super::route::{Call, now_micros};
use crate::auth::Caller;
use crate::journey::{Answers, EventStream, Failure, Incoming, Refused, Reply, Worker, infer};
use crate::protocol::openai::request::RequestError;
use crate::types::Operation;

/// The model in a path such as `/engines/{model}/completions`; it may hold slashes, percent-encoded or not.
fn model_in_path(request: &HttpRequest) -> Option<String> {
    // Most paths name no model: nothing is to be decoded then.
    request.match_info().get("model")?;
    let path = web::Path::<String>::extract(request).into_inner();
    path.ok().map(web::Path::into_inner)
}

/// Serves one call of an operation.
pub async fn create(call: Call, operation: Operation) -> Result<HttpResponse, ApiError> {
    let door = Door::new(&call, operation)?;
    let routes = call.worker.routes();
    let settings = routes.settings();
    let started_at = now_micros();
    let call_id = call_id(call.request.headers());
    let (most, buffers) = (settings.most_request_bytes, &call.worker.buffers);
    let body::Body { bytes, share } = body::read(&call.request, call.payload, most, &call.worker)
        .await
        .map_err(|error| error.header("x-litellm-call-id", &call_id))?;
    let client_ip = call
        .request
        .peer_addr()
        .map(|peer| peer.ip().to_string().into());
    let incoming = Incoming {
        operation,
        model: model_in_path(&call.request),
        headers: call.request.headers(),
        body: bytes,
        arrived: call.arrived,
        started_at,
        call_id,
        client_ip,
        share: Some(share).into(),
        is_copy: false,
    };
    let served = infer(&call.worker, &door.caller, &incoming).await;
    buffers.give_back(incoming.body);
    drop(incoming.share);
    match served {
        Ok(Reply::Whole { headers, body }) => {
            let mut response = HttpResponse::Ok().body(body);
            *response.headers_mut() = headers;
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            door.name_call(headers);
            Ok(response)
        }
        Ok(Reply::Several {
            mut headers,
            answers,
        }) => {
            let body = door.several(answers, &call.worker);
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            let mut response = HttpResponse::Ok().body(body);
            *response.headers_mut() = headers;
            Ok(response)
        }
        Ok(Reply::Stream { mut headers, body }) => {
            door.name_call(&mut headers);
            Ok(streamed(headers, body, door))
        }
        Err(mut refused) => {
            if let Failure::Request(RequestError::Json(why)) = &mut refused.failure {
                let call_id = refused.call_id.clone();
                explain_kind(why, call.request.headers())
                    .map_err(|error| error.header("x-litellm-call-id", &call_id))?;
            }
            let by_upstream = matches!(refused.failure, Failure::Upstream { .. });
            let call_id = refused.call_id.clone();
            let error = door.refusal(refused);
            if !by_upstream {
                call.worker.shared.metrics.refused(error.kind());
            }
            Err(match settings.call_id_in_errors {
                true => error.with_call_id(call_id),
                false => error,
            })
        }
    }
}

/// A body that is no JSON may be no JSON on purpose: says what its headers call it. Asked only then, so that JSON under
/// another name, curl's default for one, is served.
fn explain_kind(why: &mut String, headers: &HeaderMap) -> Result<(), ApiError> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(encoding) = text(CONTENT_ENCODING).filter(|encoding| *encoding != "identity") {
        return Err(ApiError::new(
            415,
            "invalid_request_error",
            format!("content-encoding '{encoding}' is not supported: send the body uncompressed"),
            Some("content-encoding".to_owned()),
        ));
    }
    let kind = text(CONTENT_TYPE).and_then(|kind| kind.split(';').next());
    if let Some(kind) = kind.filter(|kind| !kind.trim().ends_with("json")) {
        why.push_str("; the body must be JSON (application/json), not ");
        why.push_str(kind.trim());
    }
    Ok(())
}

/// What an answer depends on beside what was served.
pub struct Door {
    pub caller: Caller,
    operation: Operation,
    form: ErrorForm,
    budget_status: u16,
}

impl Door {
    /// Of a call that was let in.
    pub fn new(call: &Call, operation: Operation) -> Result<Self, ApiError> {
        Ok(Self {
            caller: call.caller()?.clone(),
            operation,
            form: call.form,
            budget_status: call.worker.routes().settings().budget_exceeded_status,
        })
    }

    pub fn refusal(&self, refused: Refused) -> ApiError {
        let principal = self.caller.principal();
        refusal(refused, principal, self.operation, self.budget_status)
    }

    /// A list of answers, an error where one is missing; or a list of such lists.
    fn several(&self, answers: Answers, worker: &Worker) -> Vec<u8> {
        let bodies = answers.all.into_iter().map(|answer| match answer {
            Ok(body) => body,
            Err(refused) => {
                let by_upstream = matches!(refused.failure, Failure::Upstream { .. });
                let error = self.refusal(*refused);
                if !by_upstream {
                    worker.shared.metrics.refused(error.kind());
                }
                error.body(self.form).into()
            }
        });
        let bodies: Vec<Bytes> = bodies.collect();
        match answers.row {
            None => list(&bodies),
            Some(row) => {
                let rows: Vec<Vec<u8>> = bodies.chunks(row.get()).map(list).collect();
                list(&rows)
            }
        }
    }

    /// An error in a stream whose head has gone out: the event that ends it.
    fn event(&self, failure: Failure) -> Bytes {
        let refused = Refused {
            failure,
            call_id: "".into(),
            key_spend: None,
            timeout: None,
        };
        let created = u64::try_from(now_micros() / 1_000_000).unwrap_or_default();
        self.refusal(refused).event(self.form, created)
    }

    /// Names the call where Anthropic's clients look for it too.
    fn name_call(&self, headers: &mut HeaderMap) {
        if self.form == ErrorForm::Anthropic
            && let Some(id) = headers.get("x-litellm-call-id").cloned()
        {
            headers.insert(REQUEST_ID, id);
        }
    }
}

/// A JSON list of JSON values.
fn list(items: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut list = vec![b'['];
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            list.push(b',');
        }
        list.extend_from_slice(item.as_ref());
    }
    list.push(b']');
    list
}

fn streamed(headers: HeaderMap, body: Box<EventStream>, door: Door) -> HttpResponse {
    let events = stream::unfold((body, door), |(mut body, door)| async move {
        let bytes = match body.next().await? {
            Ok(bytes) => bytes,
            Err(failure) => door.event(failure),
        };
        Some((Ok::<_, std::convert::Infallible>(bytes), (body, door)))
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
