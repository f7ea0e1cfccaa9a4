//! How many tokens a message's input has: asked of an upstream that counts, else counted here. Nothing is charged, no slot is
//! taken, and there is always an answer: what cannot be counted is guessed.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use tokio::sync::Semaphore;

use super::failure::Failure;
use super::routes::{Prepared, Routes};
use super::worker::Worker;
use crate::auth::Caller;
use crate::policy::token_count::{self, CountError, Prompt, count_prompt};
use crate::protocol::anthropic::{self, decode_count_answer, pass_count_request};
use crate::protocol::openai::request::Request;
use crate::router::clock;
use crate::types::{Operation, Pieces, Principal};

/// An upstream that takes longer is not waited for: agents ask before they go on.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest answer that is read.
const MOST_BYTES: usize = 64 * 1024;
/// Upstreams asked at the same time, of the whole process; who comes beside them gets a count of ours.
static ASKED: Semaphore = Semaphore::const_new(64);
const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const BETA: HeaderName = HeaderName::from_static("anthropic-beta");

/// How long somebody waits for a free counter.
const TURN: Duration = Duration::from_secs(10);

/// Why a count of ours did not come about.
#[derive(Debug, thiserror::Error)]
pub enum Uncounted {
    #[error("all token counters are busy")]
    Busy,
    #[error("{0}")]
    Impossible(#[from] CountError),
}

/// Counts off the worker threads, at most a few at the same time: each keeps a core busy.
pub async fn counted(
    worker: &Worker,
    count: impl FnOnce() -> Result<u64, CountError> + Send + 'static,
) -> Result<u64, Uncounted> {
    let turn = tokio::time::timeout(TURN, worker.shared.counts.acquire()).await;
    let Ok(Ok(_turn)) = turn else {
        return Err(Uncounted::Busy);
    };
    let counted = actix_web::web::block(count).await;
    Ok(counted.map_err(|_| Uncounted::Busy)??)
}

/// The tokens of input of a request in Anthropic's form.
pub async fn count_tokens(
    worker: &Rc<Worker>,
    caller: &Caller,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<u64, Failure> {
    let request = Request::read(&anthropic::COUNT, body, None).map_err(Failure::Request)?;
    let model = request.model().ok_or(Failure::UnknownModel(None))?;
    let routes = worker.routes();
    let (principal, table) = (caller.principal(), routes.table());
    table
        .permit(principal, model)
        .map_err(|by| Failure::ModelDenied {
            by,
            model: model.to_owned(),
        })?;
    let members = members(&routes, principal, model);
    let unknown = || Failure::UnknownModel(Some(model.to_owned()));
    let first = members.first().ok_or_else(unknown)?;
    if let Some(count) = by_upstream(worker, &members, headers, request.bytes()).await {
        return Ok(count);
    }
    let counted_as: Arc<str> = first.deployment.counted_as.clone();
    let whole = Bytes::copy_from_slice(request.bytes());
    let by_us = move || count_prompt(&counted_as, Prompt::of_messages(&whole)?);
    let guess = || token_count::estimate(request.prompt_bytes, request.token_ids);
    Ok(counted(worker, by_us).await.unwrap_or_else(|_| guess()))
}

/// The deployments that a name leads to.
fn members(routes: &Routes, principal: &Principal, model: &str) -> Vec<Rc<Prepared>> {
    let destination = routes.table().resolve_for(principal, model);
    let members = |destination| routes.members(&destination).collect();
    destination.map(members).unwrap_or_default()
}

/// The count of the first deployment that has Anthropic's API, takes calls and works.
async fn by_upstream(
    worker: &Worker,
    members: &[Rc<Prepared>],
    headers: &HeaderMap,
    body: &[u8],
) -> Option<u64> {
    let now = clock::now();
    let counts = |prepared: &&Rc<Prepared>| {
        let deployment = &prepared.deployment;
        deployment.urls[Operation::Messages.index()].is_some()
            && !deployment.is_paused()
            && deployment.gauges.cooling_for(now).is_none()
    };
    let prepared = members.iter().find(counts)?;
    let _turn = ASKED.try_acquire().ok()?;
    let asked = tokio::time::timeout(PATIENCE, ask(worker, prepared, headers, body)).await;
    asked.ok().flatten()
}

async fn ask(
    worker: &Worker,
    prepared: &Prepared,
    headers: &HeaderMap,
    body: &[u8],
) -> Option<u64> {
    let began = Instant::now();
    let deployment = &*prepared.deployment;
    let url = counting_url(deployment.urls[Operation::Messages.index()].as_deref()?);
    let endpoint = worker
        .client
        .endpoint(
            &url,
            deployment.headers_of(Operation::Messages),
            deployment.tls.as_ref(),
        )
        .inspect_err(|error| log::debug!("{} cannot be asked to count: {error}", deployment.id))
        .ok()?;
    let betas = headers.get_all(BETA).filter_map(|list| list.to_str().ok());
    let betas = deployment.betas.select(betas, &[]).sent;
    let betas = betas.and_then(|betas| HeaderValue::from_str(&betas).ok());
    let passed = [(VERSION, headers.get(VERSION).cloned()), (BETA, betas)];
    let passed = passed.into_iter();
    let mut more: Vec<_> = passed
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    if let Some(login) = &prepared.login {
        more.push((AUTHORIZATION, login.authorization(PATIENCE).await.ok()?));
    }
    let body = Pieces::from(Bytes::from(
        pass_count_request(body, &deployment.model_json).ok()?,
    ));
    let called = worker.client.call(&endpoint, &body, &more, PATIENCE);
    let mut answer = called.await.ok()?;
    let left = PATIENCE.saturating_sub(began.elapsed());
    if !answer.status().is_success() {
        log::debug!(
            "{} did not count: status {}",
            deployment.id,
            answer.status()
        );
        return None;
    }
    let body = answer.body(left, MOST_BYTES).await.ok()?;
    decode_count_answer(&body).ok()
}

/// The address that counts what the address `messages` answers.
fn counting_url(messages: &str) -> String {
    match messages.split_once('?') {
        Some((path, query)) => format!("{path}/count_tokens?{query}"),
        None => format!("{messages}/count_tokens"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_counting_is() {
        for (messages, counting) in [
            (
                "https://h/v1/messages",
                "https://h/v1/messages/count_tokens",
            ),
            (
                "https://h/v1/messages?v=1",
                "https://h/v1/messages/count_tokens?v=1",
            ),
        ] {
            assert_eq!(counting_url(messages), counting);
        }
    }
}
