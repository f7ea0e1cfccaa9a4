//! A call that asks nothing but whether a deployment answers.

use std::time::{Duration, Instant};

use actix_web::http::header::HeaderMap;
use bytes::Bytes;
use tokio::sync::Semaphore;

use super::attempt::{Failed, call_failure, no_token, read_failure, waits};
use super::routes::Prepared;
use super::worker::Worker;
use crate::policy::upstream_error::{ConnectProblem, Failure, Upstream};
use crate::protocol;
use crate::protocol::openai::answer::AnswerSpans;
use crate::protocol::openai::request::Request;
use crate::types::Operation;

/// LiteLLM's `HEALTH_CHECK_TIMEOUT_SECONDS`.
const PATIENCE: Duration = Duration::from_secs(60);
/// Largest answer that is read.
const MOST_BYTES: usize = 1024 * 1024;
/// What the provider says is left of its limits.
const RATE_LIMITS: &str = "x-ratelimit-";
/// Probes at the same time, of the whole process: they cost money and strain providers.
static PROBES: Semaphore = Semaphore::const_new(8);

/// What a probe found.
#[derive(Debug)]
pub struct Probe {
    /// `None`: the deployment answers.
    pub failure: Option<Failure>,
    /// The `x-ratelimit-…` headers of the answer.
    pub rate_limits: Vec<(String, String)>,
    pub took: Duration,
}

/// The smallest useful question. Five tokens of an answer are LiteLLM's bound.
const fn question(operation: Operation) -> &'static [u8] {
    match operation {
        Operation::Chat => {
            br#"{"model": "probe", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}"#
        }
        Operation::Completion => br#"{"model": "probe", "prompt": "Hi", "max_tokens": 5}"#,
        Operation::Embedding => br#"{"model": "probe", "input": "Hi"}"#,
    }
}

/// Sends a question of a few tokens to a deployment. It takes no slot, charges no key and leaves no spend row. `None` when
/// the process ends.
pub async fn probe(worker: &Worker, prepared: &Prepared) -> Option<Probe> {
    // Never closed.
    let _turn = PROBES.acquire().await.ok()?;
    let began = Instant::now();
    let outcome = ask(worker, prepared, began).await;
    let took = began.elapsed();
    let (failure, headers) = match outcome {
        Ok(headers) => (None, headers),
        Err(failed) => (Some(failed.failure), failed.headers),
    };
    Some(Probe {
        failure,
        rate_limits: rate_limits(&headers),
        took,
    })
}

async fn ask(worker: &Worker, prepared: &Prepared, began: Instant) -> Result<HeaderMap, Failed> {
    let deployment = &*prepared.deployment;
    if deployment.mock.is_some() {
        // There is nobody to ask.
        return Ok(HeaderMap::new());
    }
    let fail = |upstream: &Upstream<'_>, headers| Failed::of(deployment, upstream, headers);
    let uncalled = || {
        let problem = Upstream::ConnectFailed(ConnectProblem::Other);
        fail(&problem, HeaderMap::new())
    };
    let operation = deployment.probe;
    let endpoint = prepared.endpoint(&worker.client, operation);
    let endpoint = endpoint.ok_or_else(uncalled)?;
    let limit = deployment.timeout.min(PATIENCE);
    let question = Bytes::from_static(question(operation));
    let question =
        Request::read(protocol::shape(operation), &question, None).map_err(|_| uncalled())?;
    let body = question
        .upstream_body(&deployment.model_json, &deployment.plan)
        .map_err(|unsupported| Failed::unsupported(&unsupported))?;
    let authorization = match &prepared.login {
        None => None,
        Some(login) => {
            let token = login.authorization(limit).await;
            Some(token.map_err(|why| no_token(deployment, &why))?)
        }
    };
    let mut answer = worker
        .client
        .call(endpoint, &body, authorization.as_ref(), limit)
        .await
        .map_err(|error| fail(&call_failure(&error, began), HeaderMap::new()))?;
    let headers = answer.headers().clone();
    let left = limit.saturating_sub(began.elapsed());
    if let Some(why) = answer.unreadable() {
        return Err(fail(&Upstream::Unreadable { why: &why }, headers));
    }
    if !answer.status().is_success() {
        let body = answer.beginning(left, MOST_BYTES).await;
        let told = Upstream::Status {
            status: answer.status().as_u16(),
            headers: waits(&answer),
            body: &body,
        };
        return Err(fail(&told, headers));
    }
    let body = match answer.body(left, MOST_BYTES).await {
        Ok(body) => body,
        Err(error) => return Err(fail(&read_failure(error, began), headers)),
    };
    match AnswerSpans::read(&body).map(|spans| spans.error) {
        Some(None) => Ok(headers),
        Some(Some(error)) => {
            let frame = body.get(error).unwrap_or_default();
            Err(fail(&Upstream::InStream { frame }, headers))
        }
        None => Err(fail(&Upstream::Malformed, headers)),
    }
}

fn rate_limits(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with(RATE_LIMITS))
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect()
}
