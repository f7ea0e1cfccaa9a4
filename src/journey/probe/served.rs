//! A question by an operation that clients ask for too: it goes the way of theirs.

use std::time::Instant;

use actix_web::http::header::HeaderMap;

use super::{Answer, MOST_BYTES, Made, Outcome, login};
use crate::health::question;
use crate::journey::answers::answered;
use crate::journey::attempt::{Failed, call_failure, read_failure, waits};
use crate::journey::charge::call_type;
use crate::journey::question::Question;
use crate::journey::routes::Prepared;
use crate::policy::upstream_error::{ConnectProblem, Upstream};
use crate::protocol::crossing::Form;
use crate::protocol::openai::request::Request;
use crate::protocol::{self, json};
use crate::types::Operation;
use crate::upstream::Client;

/// What the model is called in what nobody gets to see.
const PROBE: &str = "probe";

pub async fn ask(
    client: &Client,
    prepared: &Prepared,
    operation: Operation,
    model: &str,
) -> Outcome {
    let began = Instant::now();
    let deployment = &*prepared.deployment;
    let fail = |upstream: &Upstream<'_>, headers| Failed::of(deployment, upstream, headers);
    let uncalled = || {
        let problem = Upstream::ConnectFailed(ConnectProblem::Other);
        fail(&problem, HeaderMap::new())
    };
    let check = &deployment.health_check;
    let limit = check.timeout;
    let request = question::served(operation, check);
    let asked_bytes = request.len();
    let request =
        Request::read(protocol::shape(operation), &request, None).map_err(|_| uncalled())?;
    let question = Question::of_model(&request, deployment, model, &json::quoted(model))?;
    let endpoint = prepared.endpoint(client, question.operation);
    let endpoint = endpoint.ok_or_else(uncalled)?;
    let (mut more, _) = question.headers(None, deployment);
    more.extend(login(prepared).await?);
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
    let form = || Form {
        model: PROBE.to_owned(),
        id: PROBE.to_owned(),
        created: 0,
        wants_usage: true,
        ends_with_reason: deployment.plan.is_openai,
    };
    let name = json::quoted(PROBE);
    match answered(&body, operation, &question.way, deployment, &name, form) {
        Ok((_, told)) => Ok(Answer {
            headers,
            made: Some(Made {
                call_type: call_type(operation),
                told: Some(told),
                asked_bytes,
            }),
        }),
        Err(wrong) => Err(fail(&wrong.as_upstream(), headers)),
    }
}
