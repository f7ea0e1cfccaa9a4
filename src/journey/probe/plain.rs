//! A question by an operation that only the provider serves. Its answer is not translated: a success is enough, of whatever it
//! is made.

use std::time::Instant;

use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::{Answer, Made, Outcome, login};
use crate::health::question;
use crate::journey::attempt::{Failed, MOST_ERROR_BYTES, call_failure, waits};
use crate::journey::routes::Prepared;
use crate::policy::upstream_error::Upstream;
use crate::protocol::openai::answer::AnswerSpans;
use crate::router::Errand;
use crate::upstream::Client;

pub async fn ask(client: &Client, prepared: &Prepared, errand: Errand, model: &str) -> Outcome {
    let began = Instant::now();
    let deployment = &*prepared.deployment;
    let check = &deployment.health_check;
    let fail = |upstream: &Upstream<'_>, headers| Failed::of(deployment, upstream, headers);
    let Some(url) = check.url.as_deref() else {
        let why = "its provider's protocol has nothing for its mode";
        return Err(Failed::unusable(deployment, why));
    };
    let method = if errand.is_list() {
        Method::GET
    } else {
        Method::POST
    };
    // Made for one call: checks are rare, and clients never ask this.
    let (headers, tls) = (&deployment.headers, deployment.tls.as_ref());
    let endpoint = client
        .endpoint_for(method, url, headers, tls)
        .map_err(|error| Failed::unusable(deployment, &error.to_string()))?;
    let question = question::plain(errand, check, model);
    let asked_bytes = question.body.len();
    let kind = HeaderValue::from_static(question.content_type);
    let mut more = vec![(CONTENT_TYPE, kind)];
    more.extend(login(prepared).await?);
    let mut answer = client
        .call(&endpoint, &question.body.into(), &more, check.timeout)
        .await
        .map_err(|error| fail(&call_failure(&error, began), HeaderMap::new()))?;
    let headers = answer.headers().clone();
    let left = check.timeout.saturating_sub(began.elapsed());
    if let Some(why) = answer.unreadable() {
        return Err(fail(&Upstream::Unreadable { why: &why }, headers));
    }
    // The beginning tells an error from a picture of megabytes.
    let body = answer.beginning(left, MOST_ERROR_BYTES).await;
    if !answer.status().is_success() {
        let told = Upstream::Status {
            status: answer.status().as_u16(),
            headers: waits(&answer),
            body: &body,
        };
        return Err(fail(&told, headers));
    }
    match AnswerSpans::read(&body).and_then(|spans| spans.error) {
        Some(error) => {
            let frame = body.get(error).unwrap_or_default();
            Err(fail(&Upstream::InStream { frame }, headers))
        }
        None if body.is_empty() => Err(fail(&Upstream::Malformed, headers)),
        None => Ok(Answer {
            headers,
            // Its usage, where there is any, may be behind what was read.
            made: errand.call_type().map(|call_type| Made {
                call_type: call_type.into(),
                told: None,
                asked_bytes,
            }),
        }),
    }
}
