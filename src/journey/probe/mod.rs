//! Calls that ask nothing but whether a deployment answers.
//!
//! `served` asks by an operation of the gateway's own, `plain` by one that only the provider serves, `session` opens a WebSocket.
//! They take no slot and charge no key; what they cost stands in the books as nobody's (`books`).

mod books;
mod plain;
mod served;
mod session;

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::Semaphore;

use super::attempt::{Failed, no_token};
use super::charge::Told;
use super::routes::Prepared;
use crate::health::{Finding, Problem};
use crate::policy::cooldown::Fault;
use crate::policy::upstream_error::Failure;
use crate::router::Mode;
use crate::spend::Desk;
use crate::upstream::Client;

/// Largest answer that is read.
const MOST_BYTES: usize = 1024 * 1024;
/// What the provider says is left of its limits.
const RATE_LIMITS: &str = "x-ratelimit-";
/// Probes at the same time, of the whole process: they cost money and strain providers.
static PROBES: Semaphore = Semaphore::const_new(64);

/// A question that was answered.
struct Answer {
    headers: HeaderMap,
    /// `None`: nothing was made, and nothing is to be paid.
    made: Option<Made>,
}

/// What an answer has brought.
struct Made {
    /// As in a spend row.
    call_type: Arc<str>,
    /// `None`: it is not known what it costs.
    told: Option<Told>,
    asked_bytes: usize,
}

/// What went wrong, or the answer.
type Outcome = Result<Answer, Box<Failed>>;

/// Asks deployments a question of a few tokens, `concurrency` of them at a time, and answers in their order. What it costs is
/// booked at the `desk`.
pub async fn probe_all(
    client: &Client,
    desk: &Desk,
    deployments: &[Rc<Prepared>],
    concurrency: usize,
    by_schedule: bool,
) -> Vec<Finding> {
    stream::iter(deployments)
        .map(|prepared| probe(client, Some(desk), prepared, by_schedule))
        .buffered(concurrency.max(1))
        .filter_map(|finding| async { finding })
        .collect()
        .await
}

/// Asks one. Without a `desk` it is one that is not there yet, of which nothing is kept.
pub async fn probe(
    client: &Client,
    desk: Option<&Desk>,
    prepared: &Prepared,
    by_schedule: bool,
) -> Option<Finding> {
    // Never closed.
    let _turn = PROBES.acquire().await.ok()?;
    let (began, started_at) = (Instant::now(), now_micros());
    let outcome = ask(client, prepared).await;
    let took = began.elapsed();
    let (problem, headers) = match outcome {
        Ok((model, answer)) => {
            if let (Some(desk), Some(made)) = (desk, &answer.made) {
                let answered = books::Answered {
                    made,
                    model,
                    took,
                    started_at,
                };
                books::book(desk, prepared, &answered);
            }
            (None, answer.headers)
        }
        Err(failed) => (Some(problem(failed.failure)), failed.headers),
    };
    let deployment = &prepared.deployment;
    Some(Finding {
        deployment: deployment.id.clone(),
        group: deployment.group.clone(),
        model: deployment.litellm_model.clone(),
        problem,
        rate_limits: rate_limits(&headers),
        took,
        at: now_micros() / 1000,
        by_schedule,
    })
}

/// Microseconds since the Unix epoch.
fn now_micros() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.unwrap_or_default().as_micros() as i64
}

/// One model after the other, until one answers, with its name; the first failure counts.
async fn ask<'a>(
    client: &Client,
    prepared: &'a Prepared,
) -> Result<(&'a str, Answer), Box<Failed>> {
    let deployment = &*prepared.deployment;
    if deployment.mock.is_some() {
        // There is nobody to ask.
        let answer = Answer {
            headers: HeaderMap::new(),
            made: None,
        };
        return Ok((&deployment.model, answer));
    }
    let mut first = None;
    for model in &deployment.health_check.models {
        let outcome = match deployment.health_check.mode {
            Mode::Served(operation) => served::ask(client, prepared, operation, model).await,
            Mode::Plain(errand) => plain::ask(client, prepared, errand, model).await,
            Mode::Realtime => session::ask(client, prepared).await,
        };
        match outcome {
            Ok(answer) => return Ok((model, answer)),
            Err(failed) => first = first.or(Some(failed)),
        }
    }
    Err(first.unwrap_or_else(|| {
        let why = "nobody knows a model that its star stands for; name one in `model_info.health_check_model`";
        Failed::unusable(deployment, why)
    }))
}

/// The token of a deployment that is called with one.
async fn login(prepared: &Prepared) -> Result<Option<(HeaderName, HeaderValue)>, Box<Failed>> {
    let Some(login) = &prepared.login else {
        return Ok(None);
    };
    let deployment = &*prepared.deployment;
    let token = login.authorization(deployment.health_check.timeout).await;
    let token = token.map_err(|why| no_token(deployment, &why))?;
    Ok(Some((header::AUTHORIZATION, token)))
}

fn problem(failure: Failure) -> Problem {
    let fault = Fault::of(&failure);
    Problem {
        status: failure.status,
        message: failure.message,
        was_asked: !failure.is_local,
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
