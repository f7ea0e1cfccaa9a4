//! The way of a request that a model answers.

use std::rc::Rc;
use std::time::Duration;

use super::admission::{admit, failure as denial};
use super::asked::Asked;
use super::attempt::{Came, Failed, Whole, attempt};
use super::charge::Charge;
use super::failure::{Failure, Refused};
use super::headers::describe;
use super::reply::{Incoming, Reply};
use super::stream::EventStream;
use super::worker::Worker;
use crate::auth::Caller;
use crate::policy::retry::{Attempt, Decision, RetryPolicy, decide};
use crate::protocol::openai::request::Request;
use crate::protocol::{self, json};
use crate::router::Next;
use crate::types::NanoUsd;

/// Serves a request: an answer, or the reason why there is none.
pub async fn infer(
    worker: &Rc<Worker>,
    caller: &Caller,
    incoming: &Incoming<'_>,
) -> Result<Reply, Refused> {
    let refused = |failure: Failure, key_spend: Option<NanoUsd>| Refused {
        failure,
        call_id: incoming.call_id.clone(),
        key_spend,
        timeout: None,
    };
    let shape = protocol::shape(incoming.operation);
    let request = Request::read(shape, &incoming.body, incoming.model.as_deref())
        .map_err(|error| refused(Failure::Request(error), None))?;
    let routes = worker.routes();
    let rules = &routes.settings().asking;
    let asked = Asked::read(rules, incoming.headers, &request, caller.principal())
        .map_err(|error| refused(Failure::Request(error), None))?;
    let admitted = admit(worker, caller, &request, &asked)
        .await
        .map_err(|failure| refused(failure, None))?;
    let charge = Charge::new(worker, &caller.known, incoming, asked, admitted);
    let key_spend = charge.standings[0].map(|key| key.spent);
    let limit = charge.asked.limit(charge.deployment(), request.stream);
    serve(charge, &request).await.map_err(|failure| Refused {
        timeout: Some(limit),
        ..refused(failure, key_spend)
    })
}

/// Calls deployments until one answers or the retry policy gives up.
async fn serve(mut charge: Charge, request: &Request<'_>) -> Result<Reply, Failure> {
    let routes = charge.routes.clone();
    let Some(group) = routes.group(charge.group) else {
        return Err(Failure::ControlFailed);
    };
    // An answer names the model as the client did: by an alias, if it used one.
    let asked = request.model().unwrap_or(&group.name);
    let asked_json = (*asked != *group.name).then(|| json::quoted(asked));
    let name_json = asked_json.as_deref().unwrap_or(&group.name_json);
    let mut tried = Tried::default();
    loop {
        charge.is_repeat = tried.holds(charge.deployment_index());
        tried.add(charge.deployment_index());
        charge.goes_upstream();
        let failed = match attempt(&mut charge, request, name_json).await {
            Ok(came) => return Ok(reply(charge, came).await),
            Err(failed) => failed,
        };
        let count = group
            .members
            .iter()
            .filter(|member| !tried.holds(member.deployment))
            .count();
        let step = Attempt {
            retries: u32::from(charge.retries),
            untried: if tried.is_full() { 0 } else { count },
            time_left: time_left(&charge, request.stream),
            jitter: fastrand::f64(),
        };
        let policy = RetryPolicy {
            num_retries: charge.asked.num_retries(charge.deployment()),
            ..RetryPolicy::default()
        };
        let Decision::Next {
            after,
            exclude_tried,
        } = decide(&policy, &failed.failure, &step)
        else {
            return Err(give_up(&mut charge, failed).await);
        };
        charge.attempt_failed(&failed.failure);
        if !after.is_zero() {
            tokio::time::sleep(after).await;
        }
        let leave_out = if exclude_tried {
            tried
        } else {
            Tried::default()
        };
        let next = Next {
            hold: charge.hold(),
            group: charge.group,
            from: charge.group,
            estimate: charge.estimate,
            tried: leave_out.deployments,
        };
        if let Err(denied) = charge.go_on(next).await {
            log::debug!(
                "no other deployment: {:?}",
                denial(&routes, charge.group, denied)
            );
            return Err(give_up(&mut charge, failed).await);
        }
    }
}

/// Every attempt has its time limit; all together have as many of them as there may be attempts.
fn time_left(charge: &Charge, stream: bool) -> Duration {
    let (asked, deployment) = (&charge.asked, charge.deployment());
    let attempts = asked.num_retries(deployment).saturating_add(1);
    let all = asked.limit(deployment, stream).saturating_mul(attempts);
    all.saturating_sub(charge.arrived.elapsed())
}

async fn give_up(charge: &mut Charge, failed: Failed) -> Failure {
    charge.fail(&failed.failure, &failed.told);
    charge.worker.desk.written().await;
    Failure::Upstream {
        failure: failed.failure,
        headers: failed.headers,
    }
}

async fn reply(mut charge: Charge, came: Came) -> Reply {
    match came {
        Came::Whole(Whole {
            mut headers,
            body,
            told,
        }) => {
            let bill = charge.succeed(&told);
            charge.worker.desk.written().await;
            describe(&mut headers, &charge, Some(bill));
            Reply::Whole { headers, body }
        }
        Came::Stream(mut begun) => {
            let mut headers = std::mem::take(&mut begun.headers);
            describe(&mut headers, &charge, None);
            Reply::Stream {
                headers,
                body: Box::new(EventStream::new(charge, *begun)),
            }
        }
    }
}

/// The deployments that a request has called.
#[derive(Clone, Copy)]
struct Tried {
    deployments: [u32; crate::router::MAX_ATTEMPTS],
}

impl Default for Tried {
    fn default() -> Self {
        Self {
            deployments: [u32::MAX; crate::router::MAX_ATTEMPTS],
        }
    }
}

impl Tried {
    fn add(&mut self, deployment: u32) {
        if self.holds(deployment) {
            return;
        }
        if let Some(place) = self
            .deployments
            .iter_mut()
            .find(|place| **place == u32::MAX)
        {
            *place = deployment;
        }
    }

    fn holds(&self, deployment: u32) -> bool {
        self.deployments.contains(&deployment)
    }

    fn is_full(&self) -> bool {
        !self.deployments.contains(&u32::MAX)
    }
}
