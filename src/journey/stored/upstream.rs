//! Errands about responses that the upstream of a deployment keeps.

use std::rc::Rc;
use std::time::Instant;

use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use awc::http::header;
use bytes::Bytes;

use super::{Errand, ErrandError, Inquiry};
use crate::journey::attempt::{Failed, call_failure, no_token, read_failure, waits};
use crate::journey::continuity::is_native;
use crate::journey::failure::Failure;
use crate::journey::headers::to_server;
use crate::journey::routes::Prepared;
use crate::journey::worker::Worker;
use crate::policy::upstream_error::Upstream;
use crate::protocol::continuity::{Names, Outward, Rename};
use crate::responses::{Holder, ResponseId};
use crate::types::{Operation, Pieces};

/// Largest error body that is read.
const MOST_ERROR_BYTES: usize = 64 * 1024;

pub async fn done(
    worker: &Rc<Worker>,
    prepared: &Rc<Prepared>,
    inquiry: &Inquiry<'_>,
    id: &ResponseId,
) -> Result<(HeaderMap, Bytes), Failure> {
    let began = Instant::now();
    let deployment = &*prepared.deployment;
    let unknown = || Failure::Errand(ErrandError::Unknown(inquiry.id.to_owned()));
    let Holder::Upstream {
        id: upstream_id, ..
    } = &id.holder
    else {
        return Err(unknown());
    };
    let gone = || {
        Failure::Errand(ErrandError::DeploymentGone {
            id: inquiry.id.to_owned(),
            deployment: deployment.id.to_string(),
        })
    };
    let base = deployment.urls[Operation::Responses.index()].as_deref();
    let base = base.filter(|_| is_native(deployment)).ok_or_else(gone)?;
    let url = address(base, upstream_id, inquiry).ok_or_else(unknown)?;
    let failed = |upstream: &Upstream<'_>, headers| {
        let mut failed = Failed::of(deployment, upstream, headers);
        // The client knows the response by another name.
        let message = &mut failed.failure.message;
        *message = message.replace(&**upstream_id, inquiry.id);
        Failure::Upstream {
            failure: failed.failure,
            headers: failed.headers,
        }
    };
    let endpoint = worker
        .client
        .endpoint_for(
            method(&inquiry.errand),
            &url,
            &deployment.headers,
            deployment.tls.as_ref(),
        )
        .map_err(|error| {
            log::error!("deployment {} cannot be asked: {error}", deployment.id);
            gone()
        })?;
    let limit = deployment.timeout;
    let authorization = match &prepared.login {
        None => Vec::new(),
        Some(login) => {
            let token = login.authorization(limit).await;
            let token = token.map_err(|why| {
                let failed = no_token(deployment, &why);
                Failure::Upstream {
                    failure: failed.failure,
                    headers: failed.headers,
                }
            })?;
            vec![(header::AUTHORIZATION, token)]
        }
    };
    let mut answer = worker
        .client
        .call(&endpoint, &Pieces::default(), &authorization, limit)
        .await
        .map_err(|error| failed(&call_failure(&error, began), HeaderMap::new()))?;
    let headers = answer.foreign_headers().map(to_server).unwrap_or_default();
    let left = limit.saturating_sub(began.elapsed());
    if !answer.status().is_success() {
        let body = answer.beginning(left, MOST_ERROR_BYTES).await;
        let told = Upstream::Status {
            status: answer.status().as_u16(),
            headers: waits(&answer),
            body: &body,
        };
        return Err(failed(&told, headers));
    }
    let most = worker.routes().settings().most_answer_bytes;
    match answer.body(left, most).await {
        Ok(body) => Ok((headers, named(worker, inquiry, id, upstream_id, body))),
        Err(error) => Err(failed(&read_failure(error, began), headers)),
    }
}

fn method(errand: &Errand) -> Method {
    match errand {
        Errand::Show | Errand::ListInput(_) => Method::GET,
        Errand::Delete => Method::DELETE,
        Errand::Cancel => Method::POST,
    }
}

/// `None`: the id is none that a path may hold.
fn address(base: &str, id: &str, inquiry: &Inquiry<'_>) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    if id.is_empty() || id.starts_with('.') || !id.bytes().all(is_plain) {
        return None;
    }
    let (path, query) = base.split_once('?').unwrap_or((base, ""));
    let end = match inquiry.errand {
        Errand::Show | Errand::Delete => "",
        Errand::Cancel => "/cancel",
        Errand::ListInput(_) => "/input_items",
    };
    let mut url = format!("{}/{id}{end}", path.trim_end_matches('/'));
    let queries = [query, inquiry.query]
        .into_iter()
        .filter(|query| !query.is_empty());
    for (place, query) in queries.enumerate() {
        url.push(if place == 0 { '?' } else { '&' });
        url.push_str(query);
    }
    Some(url)
}

/// The answer in the client's names: this response by the id that was asked with, the one before it by one of its own.
fn named(
    worker: &Rc<Worker>,
    inquiry: &Inquiry<'_>,
    id: &ResponseId,
    upstream_id: &str,
    body: Bytes,
) -> Bytes {
    let Holder::Upstream { deployment, .. } = &id.holder else {
        return body;
    };
    if let Errand::ListInput(_) = inquiry.errand {
        return body;
    }
    let (ours, theirs) = (inquiry.id.to_owned(), upstream_id.to_owned());
    let (vault, owner) = (worker.shared.vault.clone(), id.owner);
    let made_by = deployment.clone();
    let previous: Rename = Box::new(move |upstream| {
        let holder = Holder::Upstream {
            deployment: made_by.clone(),
            id: Some(upstream).filter(|id| !id.is_empty())?.into(),
        };
        ResponseId { owner, holder }.seal(&vault).ok()
    });
    let mut outward = Outward::new(Names {
        response: Some(Box::new(move |id| (id == theirs).then(|| ours.clone()))),
        previous: Some(previous),
        deployment: Some(deployment.to_string()),
    });
    outward.whole(body)
}
