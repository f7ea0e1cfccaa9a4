//! What is done with a response that was made before.

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use utoipa::IntoParams;

use crate::http::body;
use crate::http::call_id::call_id;
use crate::http::error::ApiError;
use crate::http::query::Query;
use crate::http::refusal::refusal;
use crate::http::route::Call;
use crate::journey::{Errand, Failure, Inquiry, inquire};
use crate::protocol::continuity::Page;
use crate::types::Operation;

const CALL_ID: HeaderName = HeaderName::from_static("x-litellm-call-id");

/// Query parameters that upstreams know, beside those of pages.
const ASKED_UPSTREAM: [&str; 6] = [
    "include",
    "include[]",
    "include%5B%5D",
    "limit",
    "order",
    "after",
];

/// A page of what a response was made from.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(
    dead_code,
    reason = "describes the parameters; they are read one by one"
)]
pub struct InputItemsQuery {
    /// Items of a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// `asc` or `desc`, which is usual: the last item first.
    order: Option<String>,
    /// The id of an item: those behind it are listed.
    after: Option<String>,
}

pub async fn show(call: Call) -> Result<HttpResponse, ApiError> {
    if Query::of(&call.request).text("stream") == Some("true") {
        return Err(ApiError::bad_request(
            "a response that was made before is not streamed again: ask for it without `stream`",
            Some("stream"),
        ));
    }
    run(call, Errand::Show).await
}

pub async fn delete(call: Call) -> Result<HttpResponse, ApiError> {
    run(call, Errand::Delete).await
}

pub async fn cancel(call: Call) -> Result<HttpResponse, ApiError> {
    run(call, Errand::Cancel).await
}

pub async fn input_items(call: Call) -> Result<HttpResponse, ApiError> {
    let query = Query::of(&call.request);
    let wrong = |name: &str, expected: &str| {
        ApiError::bad_request(
            format!("Invalid value for '{name}': expected {expected}."),
            Some(name),
        )
    };
    let limit = match query.text("limit") {
        None => 20,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=100).contains(limit))
            .ok_or_else(|| wrong("limit", "a whole number from 1 to 100"))?,
    };
    let newest_first = match query.text("order") {
        None | Some("desc") => true,
        Some("asc") => false,
        Some(_) => return Err(wrong("order", "'asc' or 'desc'")),
    };
    let page = Page {
        limit,
        after: query.text("after").map(str::to_owned),
        newest_first,
    };
    run(call, Errand::ListInput(page)).await
}

async fn run(call: Call, errand: Errand) -> Result<HttpResponse, ApiError> {
    let caller = call.caller()?.clone();
    let call_id = call_id(call.request.headers());
    // Nothing is expected in it.
    body::discard(call.payload).await;
    let query = asked_upstream(call.request.query_string());
    let inquiry = Inquiry {
        id: call
            .request
            .match_info()
            .get("response_id")
            .unwrap_or_default(),
        errand,
        query: &query,
        call_id: call_id.clone(),
    };
    match inquire(&call.worker, &caller, &inquiry).await {
        Ok((headers, body)) => {
            let mut response = HttpResponse::Ok().body(body);
            *response.headers_mut() = headers;
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            if let Ok(id) = HeaderValue::from_str(&call_id) {
                headers.insert(CALL_ID, id);
            }
            Ok(response)
        }
        Err(refused) => {
            let by_upstream = matches!(refused.failure, Failure::Upstream { .. });
            let settings = call.worker.routes();
            let budget_status = settings.settings().budget_exceeded_status;
            let error = refusal(
                refused,
                caller.principal(),
                Operation::Responses,
                budget_status,
            );
            if !by_upstream {
                call.worker.shared.metrics.refused(error.kind());
            }
            Err(error)
        }
    }
}

/// Those of a query's parameters that an upstream is asked with, as they were written.
fn asked_upstream(query: &str) -> String {
    let known = query.split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        ASKED_UPSTREAM
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
    });
    known.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams_are_asked_what_they_know() {
        for (query, asked) in [
            ("", ""),
            ("limit=2&api-version=1&order=asc", "limit=2&order=asc"),
            (
                "include[]=a&include%5b%5D=b%20c&x",
                "include[]=a&include%5b%5D=b%20c",
            ),
            ("api-key=1", ""),
        ] {
            assert_eq!(asked_upstream(query), asked);
        }
    }
}
