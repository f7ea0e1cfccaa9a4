//! Errands about responses that the upstream of a deployment keeps.

use std::rc::Rc;
use std::time::Instant;

use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use awc::http::header;
use bytes::Bytes;

use super::{Errand, ErrandError, Inquiry};
use crate::journey::attempt::{
    Failed, MOST_ERROR_BYTES, call_failure, no_token, read_failure, waits,
};
use crate::journey::azure_login::Login;
use crate::journey::background::{At, look_before_deletion};
use crate::journey::continuity::is_native;
use crate::journey::failure::Failure;
use crate::journey::headers::to_server;
use crate::journey::routes::Prepared;
use crate::journey::worker::Worker;
use crate::policy::upstream_error::Upstream;
use crate::protocol::continuity::{Names, Outward, Rename};
use crate::responses::{Holder, ResponseId};
use crate::router::Deployment;
use crate::types::{Operation, Pieces};

/// What is asked about one.
pub struct Question<'a> {
    pub method: Method,
    /// The upstream's id.
    pub id: &'a str,
    /// What stands behind it in the path.
    pub end: &'static str,
    /// `name=value`, encoded.
    pub query: &'a str,
}

/// Asks the upstream of a deployment: headers and body of its answer.
pub async fn ask(
    worker: &Rc<Worker>,
    deployment: &Deployment,
    login: Option<Rc<Login>>,
    question: &Question<'_>,
) -> Result<(HeaderMap, Bytes), Box<Failed>> {
    let began = Instant::now();
    let fail = |upstream: &Upstream<'_>, headers| Failed::of(deployment, upstream, headers);
    let none = || Failed::unusable(deployment, "it has no /responses");
    let base = deployment.urls[Operation::Responses.index()].as_deref();
    let base = base.filter(|_| is_native(deployment)).ok_or_else(none)?;
    let url = address(base, question).ok_or_else(none)?;
    let method = question.method.clone();
    let (headers, tls) = (&deployment.headers, deployment.tls.as_ref());
    let endpoint = worker.client.endpoint_for(method, &url, headers, tls);
    let endpoint = endpoint.map_err(|error| {
        log::error!("deployment {} cannot be asked: {error}", deployment.id);
        none()
    })?;
    let limit = deployment.timeout;
    let mut more = Vec::new();
    if let Some(login) = login.filter(|_| deployment.entra.is_some()) {
        let token = login.authorization(limit).await;
        let token = token.map_err(|why| no_token(deployment, &why))?;
        more.push((header::AUTHORIZATION, token));
    }
    let mut answer = worker
        .client
        .call(&endpoint, &Pieces::default(), &more, limit)
        .await
        .map_err(|error| fail(&call_failure(&error, began), HeaderMap::new()))?;
    let headers = answer.foreign_headers().map(to_server).unwrap_or_default();
    let left = limit.saturating_sub(began.elapsed());
    if let Some(why) = answer.unreadable() {
        return Err(fail(&Upstream::Unreadable { why: &why }, headers));
    }
    if !answer.status().is_success() {
        let body = answer.beginning(left, MOST_ERROR_BYTES).await;
        let told = Upstream::Status {
            status: answer.status().as_u16(),
            headers: waits(&answer),
            body: &body,
        };
        return Err(fail(&told, headers));
    }
    let most = worker.routes().settings().most_answer_bytes;
    match answer.body(left, most).await {
        Ok(body) => Ok((headers, body)),
        Err(error) => Err(fail(&read_failure(error, began), headers)),
    }
}

/// Does an errand, in the client's names.
pub async fn done(
    worker: &Rc<Worker>,
    prepared: &Rc<Prepared>,
    inquiry: &Inquiry<'_>,
    id: &ResponseId,
) -> Result<(HeaderMap, Bytes), Failure> {
    let Holder::Upstream {
        id: upstream_id, ..
    } = &id.holder
    else {
        return Err(Failure::Errand(ErrandError::Unknown(inquiry.id.to_owned())));
    };
    let question = Question {
        method: method(&inquiry.errand),
        id: upstream_id,
        end: match inquiry.errand {
            Errand::Show | Errand::Delete => "",
            Errand::Cancel => "/cancel",
            Errand::ListInput(_) => "/input_items",
        },
        query: inquiry.query,
    };
    if let Errand::Delete = inquiry.errand {
        let deployment = prepared.deployment.id.clone();
        let id = upstream_id.to_string();
        look_before_deletion(worker, At { deployment, id }).await;
    }
    let asked = ask(
        worker,
        &prepared.deployment,
        prepared.login.clone(),
        &question,
    )
    .await;
    match asked {
        Ok((headers, body)) => Ok((headers, named(worker, inquiry, id, upstream_id, body))),
        Err(failed) => {
            let mut failed = *failed;
            // The client knows the response by another name.
            let message = &mut failed.failure.message;
            *message = message.replace(&**upstream_id, inquiry.id);
            Err(Failure::Upstream {
                failure: failed.failure,
                headers: failed.headers,
            })
        }
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
fn address(base: &str, question: &Question<'_>) -> Option<String> {
    let id = question.id;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    if id.is_empty() || id.starts_with('.') || !id.bytes().all(is_plain) {
        return None;
    }
    let (path, query) = base.split_once('?').unwrap_or((base, ""));
    let mut url = format!("{}/{id}{}", path.trim_end_matches('/'), question.end);
    let queries = [query, question.query].into_iter();
    for (place, query) in queries.filter(|query| !query.is_empty()).enumerate() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_below_the_operations() {
        let question = |id, end, query| Question {
            method: Method::GET,
            id,
            end,
            query,
        };
        for (base, question, url) in [
            (
                "http://h/v1/responses",
                question("resp_1", "", ""),
                Some("http://h/v1/responses/resp_1"),
            ),
            (
                "http://h/responses/?api-version=v1",
                question("resp_1", "/cancel", "a=b"),
                Some("http://h/responses/resp_1/cancel?api-version=v1&a=b"),
            ),
            ("http://h/r", question("a/b", "", ""), None),
            ("http://h/r", question("..", "", ""), None),
            ("http://h/r", question("a?b", "", ""), None),
            ("http://h/r", question("", "", ""), None),
        ] {
            assert_eq!(address(base, &question).as_deref(), url);
        }
    }
}
