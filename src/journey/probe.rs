//! A call that asks nothing but whether a deployment answers.

use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use actix_web::http::header::{self, HeaderMap};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::Semaphore;

use super::attempt::{Failed, call_failure, no_token, read_failure, waits};
use super::question::Question;
use super::routes::Prepared;
use crate::health::{Finding, Problem};
use crate::policy::cooldown::Fault;
use crate::policy::upstream_error::{ConnectProblem, Failure, Upstream};
use crate::protocol;
use crate::protocol::openai::answer::AnswerSpans;
use crate::protocol::openai::request::Request;
use crate::types::Operation;
use crate::upstream::Client;

/// Largest answer that is read.
const MOST_BYTES: usize = 1024 * 1024;
/// What the provider says is left of its limits.
const RATE_LIMITS: &str = "x-ratelimit-";
/// Probes at the same time, of the whole process: they cost money and strain providers.
static PROBES: Semaphore = Semaphore::const_new(64);

/// The smallest useful question.
fn request(operation: Operation, max_tokens: u64) -> String {
    match operation {
        // Anthropic's smallest question is the same.
        Operation::Chat | Operation::Messages => format!(
            r#"{{"model": "probe", "messages": [{{"role": "user", "content": "Hi"}}], "max_tokens": {max_tokens}}}"#
        ),
        Operation::Completion => {
            format!(r#"{{"model": "probe", "prompt": "Hi", "max_tokens": {max_tokens}}}"#)
        }
        // OpenAI's least limit of output is 16.
        Operation::Responses | Operation::Compaction => format!(
            r#"{{"model": "probe", "input": "Hi", "max_output_tokens": {}}}"#,
            max_tokens.max(16)
        ),
        Operation::Embedding => r#"{"model": "probe", "input": "Hi"}"#.to_owned(),
    }
}

/// Asks deployments a question of a few tokens, `concurrency` of them at a time, and answers in their order. It takes no slot,
/// charges no key and leaves no spend row.
pub async fn probe_all(
    client: &Client,
    deployments: &[Rc<Prepared>],
    concurrency: usize,
    by_schedule: bool,
) -> Vec<Finding> {
    stream::iter(deployments)
        .map(|prepared| probe(client, prepared, by_schedule))
        .buffered(concurrency.max(1))
        .filter_map(|finding| async { finding })
        .collect()
        .await
}

async fn probe(client: &Client, prepared: &Prepared, by_schedule: bool) -> Option<Finding> {
    // Never closed.
    let _turn = PROBES.acquire().await.ok()?;
    let began = Instant::now();
    let outcome = ask(client, prepared, began).await;
    let took = began.elapsed();
    let (problem, headers) = match outcome {
        Ok(headers) => (None, headers),
        Err(failed) => (Some(problem(failed.failure)), failed.headers),
    };
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    let deployment = &prepared.deployment;
    Some(Finding {
        deployment: deployment.id.clone(),
        group: deployment.group.clone(),
        model: deployment.litellm_model.clone(),
        problem,
        rate_limits: rate_limits(&headers),
        took,
        at: since_epoch.unwrap_or_default().as_millis() as i64,
        by_schedule,
    })
}

async fn ask(
    client: &Client,
    prepared: &Prepared,
    began: Instant,
) -> Result<HeaderMap, Box<Failed>> {
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
    let check = &deployment.health_check;
    let operation = check.operation;
    let limit = check.timeout;
    let request = Bytes::from(request(operation, check.max_tokens));
    let request =
        Request::read(protocol::shape(operation), &request, None).map_err(|_| uncalled())?;
    let model: String = serde_json::from_slice(&check.model_json).unwrap_or_default();
    let question = Question::of_model(&request, deployment, &model, &check.model_json)?;
    let endpoint = prepared.endpoint(client, question.operation);
    let endpoint = endpoint.ok_or_else(uncalled)?;
    let (mut more, _) = question.headers(None, deployment);
    if let Some(login) = &prepared.login {
        let token = login.authorization(limit).await;
        let token = token.map_err(|why| no_token(deployment, &why))?;
        more.push((header::AUTHORIZATION, token));
    }
    let mut answer = client
        .call(endpoint, &question.body, &more, limit)
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

fn problem(failure: Failure) -> Problem {
    let fault = Fault {
        class: failure.class,
        status: failure.status,
        retry_after_ms: failure
            .retry_after
            .map(|wait| u32::try_from(wait.as_millis()).unwrap_or(u32::MAX)),
        is_callers_limit: false,
        is_repeat: false,
    };
    Problem {
        status: failure.status,
        message: failure.message,
        fault: (!failure.is_local).then_some(fault),
    }
}

fn rate_limits(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with(RATE_LIMITS))
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect()
}
