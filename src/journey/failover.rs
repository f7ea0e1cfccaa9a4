//! A request's calls, one after another: deployments of its group, then its fallbacks, until one answers.

use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::admission::{Denial, Prospect, estimate};
use super::attempt::{Attempted, Came, Failed, Leased, attempt};
use super::charge::{Charge, Told};
use super::continuity::is_native;
use super::course::Course;
use super::failure::Failure;
use super::hedge::first_to_answer;
use super::trail::{Trail, tell_fallbacks, tell_retries};
use super::tried::Tried;
use super::wishes::wish;
use crate::policy::retry::{Attempt, Decision, decide};
use crate::policy::upstream_error::{self, ErrorClass, Retry};
use crate::protocol::filtered::is_filtered;
use crate::protocol::openai::request::Request;
use crate::protocol::{self, json};
use crate::router::{Denied, Deployment, Group, Next, Pin};
use crate::types::Operation;

/// An answer with what it is charged to.
pub type Served = (Box<Charge>, Came);

/// Calls deployments until one answers or all policies give up.
///
/// What comes back when everything fails is the first failure, as in LiteLLM (why the group that was asked for was passed over
/// at admission, if it was): the others are told in its message.
///
/// `broken` is how the leased deployment has failed already: in the middle of an answer, which others may go on with.
pub async fn serve(
    mut charge: Box<Charge>,
    request: &Request<'_>,
    prospect: &mut Prospect,
    mut broken: Option<Box<Failed>>,
) -> Result<Served, Failure> {
    let Prospect { course, refused } = prospect;
    let worker = charge.worker.clone();
    let asked_for = charge.group_name();
    let mut trail = Trail::default();
    let mut first: Option<Box<Failed>> = None;
    let mut tried = Tried::default();
    loop {
        let failed = match at_group(&mut charge, request, course, &mut tried, broken.take()).await {
            Ok(came) => return Ok((charge, came)),
            Err(failed) => failed,
        };
        charge.attempt_failed(&failed.failure);
        if let Some(target) = course.here() {
            trail.add(&target.model, &failed.failure.message);
        }
        if Box::pin(stay(&mut charge, &failed.failure, &tried)).await {
            first.get_or_insert(failed);
            continue;
        }
        tried = Tried::default();
        let others = go_on(&mut charge, request, course, &failed.failure, &mut trail);
        if Box::pin(others).await {
            first.get_or_insert(failed);
            continue;
        }
        let first = first.get_or_insert(failed);
        tell_fallbacks(&mut first.failure, charge.traveller(), &asked_for, &trail);
        charge.fail(&first.failure, &first.told);
        worker.desk.written().await;
        let failure = match refused.take() {
            Some(refused) => *refused,
            None => Failure::Upstream {
                failure: first.failure.clone(),
                headers: std::mem::take(&mut first.headers),
            },
        };
        return Err(failure);
    }
}

/// Finds another deployment of the same group for the request, whose retries are spent: of a later `order`, or, with
/// `enable_weighted_failover`, one that was not asked yet. `false`: there is none.
async fn stay(charge: &mut Charge, failure: &upstream_error::Failure, tried: &Tried) -> bool {
    use ErrorClass::{ContentPolicyViolationError, ContextWindowExceededError};
    let would_fail_alike = [ContentPolicyViolationError, ContextWindowExceededError];
    let is_over = charge.calls_left() == 0 || charge.time_left().is_zero();
    if is_over || failure.is_local || would_fail_alike.contains(&failure.class) {
        return false;
    }
    let routes = charge.routes.clone();
    let Some(group) = routes.group(charge.group()) else {
        return false;
    };
    let next = |above, tried| Next {
        above,
        ..charge.next(&charge.destination, true, tried)
    };
    let level = group.order_of(charge.deployment_index());
    let later = level.map(|level| next(Some(level), Tried::default().deployments()));
    let fails_over = routes.table().failover.weighted && tried.has_room();
    let others = fails_over.then(|| next(charge.above, tried.deployments()));
    for next in [later, others].into_iter().flatten() {
        if charge.go_on_anew(failure, next).await.is_ok() {
            return true;
        }
    }
    false
}

/// Finds a deployment of another group for the request. `false`: there is none.
async fn go_on(
    charge: &mut Charge,
    request: &Request<'_>,
    course: &mut Course,
    failure: &upstream_error::Failure,
    trail: &mut Trail,
) -> bool {
    let is_held = charge.asked.pin().is_some_and(|pin| pin.is_strict);
    if is_held || charge.calls_left() == 0 || charge.time_left().is_zero() {
        return false;
    }
    let mut had_own_fields = course.own_fields().is_some();
    let mut next = course.after(charge.traveller(), charge.group(), failure.class);
    while let Some(destination) = next {
        let has_own_fields = course.own_fields().is_some();
        let body = course
            .own_fields()
            .map(|fields| request.with_fields(fields));
        let shape = protocol::shape(request.operation());
        let other = body.as_ref().map(|body| Request::read(shape, body, None));
        let other = other.and_then(Result::ok);
        let asking = other.as_ref().unwrap_or(request);
        if has_own_fields || had_own_fields {
            (charge.estimate, charge.input_tokens) = estimate(&charge.routes, asking);
        }
        had_own_fields = has_own_fields;
        let wish = match wish(&charge.worker, charge.traveller(), &destination, asking).await {
            Ok(wish) => wish,
            Err(unfit) => {
                if let Some(target) = course.here() {
                    trail.add(&target.model, &unfit.message());
                }
                next = course.after(charge.traveller(), destination.group, unfit.class());
                continue;
            }
        };
        let group = destination.group;
        // Another body, or another model that the same star stands for, may cost more.
        let is_same = group == charge.group()
            && !has_own_fields
            && destination.concrete == charge.destination.concrete;
        let next_call = Next {
            above: None,
            wish,
            ..charge.next(&destination, is_same, Tried::default().deployments())
        };
        let fallen = charge.fall_back(failure, next_call, destination);
        let Err(denied) = fallen.await else {
            return true;
        };
        let why = Denial(&denied);
        if let Some(target) = course.here() {
            trail.add(&target.model, &why.to_string());
        }
        next = match denied {
            Denied::Failed => None,
            _ if why.is_of_group() => {
                course.after(charge.traveller(), group, ErrorClass::RateLimitError)
            }
            _ => course.next(charge.traveller()),
        };
    }
    false
}

/// Serves the request at the group where it is, with the fields that a fallback has of its own.
async fn at_group(
    charge: &mut Charge,
    request: &Request<'_>,
    course: &Course,
    tried: &mut Tried,
    broken: Option<Box<Failed>>,
) -> Result<Came, Box<Failed>> {
    let routes = charge.routes.clone();
    let Some(group) = routes.group(charge.group()) else {
        return Err(Failed::unusable(charge.deployment(), "its group is gone"));
    };
    // An answer names the model as the client did, by an alias if it used one; that of a fallback by the fallback's name.
    let named = match course.here() {
        Some(target) => &*target.model,
        None => request.model().unwrap_or(&group.name),
    };
    let named = (*named != *group.name).then(|| json::quoted(named));
    let name_json = named.as_deref().unwrap_or(&group.name_json);
    let Some(fields) = course.own_fields() else {
        return in_group(charge, request, group, name_json, course, tried, broken).await;
    };
    let body = request.with_fields(fields);
    match Request::read(protocol::shape(request.operation()), &body, None) {
        Ok(other) => {
            let answer = in_group(charge, &other, group, name_json, course, tried, broken);
            Box::pin(answer).await
        }
        Err(error) => Err(Failed::unusable(charge.deployment(), &error.to_string())),
    }
}

/// After this time the control thread has heard of a failure.
const REPORTED: Duration = Duration::from_millis(5);

/// Calls deployments of one group until one answers or the retry policy gives up.
async fn in_group(
    charge: &mut Charge,
    request: &Request<'_>,
    group: &Group,
    name_json: &[u8],
    course: &Course,
    tried: &mut Tried,
    mut broken: Option<Box<Failed>>,
) -> Result<Came, Box<Failed>> {
    let mut rehearsal = charge.rehearsal().filter(|_| course.here().is_none());
    loop {
        let at = charge.deployment_index();
        charge.is_repeat = tried.holds(at);
        tried.add(at);
        let outcome = match (broken.take(), rehearsal.take()) {
            (Some(broken), _) => Err(broken),
            (None, Some(rehearsal)) => {
                let failed = Failed::rehearsed(charge.deployment(), rehearsal);
                if rehearsal.is_final {
                    return Err(failed);
                }
                Err(failed)
            }
            (None, None) => {
                charge.goes_upstream();
                first_to_answer(charge, request, name_json, tried).await
            }
        };
        // Of two calls the one that counts.
        let at = charge.deployment_index();
        let mut failed = match outcome {
            Ok(came) => match filtered(charge, course, &came) {
                None => return Ok(came),
                Some(mut failed) => {
                    charge.answered_in_vain(&failed.told);
                    // Paid for: what fails in the end is told by it, and used nothing more.
                    failed.told = Told {
                        id: failed.told.id.take(),
                        ..Told::default()
                    };
                    return Err(failed);
                }
            },
            Err(failed) => failed,
        };
        if failed.failure.retry != Retry::Anywhere {
            tried.never_again(at);
        }
        charge.attempt_failed(&failed.failure);
        let policy = charge
            .asked
            .retry_policy(charge.deployment(), charge.routes.table(), group);
        (charge.max_retries, _) = policy.of(&failed.failure);
        let class = failed.failure.class;
        let pin = charge.pin();
        // Those of another `order` have their turn when all retries here are spent.
        let level = group.order_of(at);
        let members: Vec<u32> = group
            .members
            .iter()
            .filter(|member| !group.is_ordered || member.order == level)
            .filter(|member| !member.blocked)
            .map(|member| member.deployment)
            .filter(|member| Pin::allows(pin, *member) && charge.may_go_to(*member))
            .collect();
        let mut step = Attempt {
            retries: u32::from(charge.retries),
            calls_left: charge.calls_left(),
            untried: tried.untried(members.iter().copied()),
            has_tried_others: tried.may_try_again(),
            has_fallback: charge.asked.pin().is_none_or(|pin| !pin.is_strict)
                && course.has_fallback(charge.traveller(), charge.group(), class),
            time_left: charge.time_left(),
            jitter: fastrand::f64(),
        };
        loop {
            let Decision::Next {
                after,
                exclude_tried,
            } = decide(&policy, &failed.failure, &step)
            else {
                tell_retries(&mut failed.failure, charge.retries, charge.max_retries);
                return Err(failed);
            };
            if !after.is_zero() {
                tokio::time::sleep(REPORTED.min(after)).await;
                if charge.is_futile(&members) {
                    tell_retries(&mut failed.failure, charge.retries, charge.max_retries);
                    return Err(failed);
                }
                tokio::time::sleep(after.saturating_sub(REPORTED)).await;
            }
            let left_out = match exclude_tried {
                true => tried.deployments(),
                false => tried.hopeless(),
            };
            let next = charge.next(&charge.destination, true, left_out);
            match charge.go_on(&failed.failure, next).await {
                Ok(()) => break,
                // The others cannot take it: they are full, or left out for a while.
                Err(_) if exclude_tried => step.untried = 0,
                Err(denied) => {
                    log::debug!("no deployment for another try: {}", Denial(&denied));
                    return Err(failed);
                }
            }
        }
    }
}

/// Calls the leased deployment: for an answer, or for the rest of one.
pub async fn call(leased: &Leased<'_>, request: &Request<'_>, name_json: &[u8]) -> Attempted {
    let began = Instant::now();
    let came = ask(leased, request, name_json).await;
    Attempted {
        came,
        waited: began.elapsed(),
    }
}

async fn ask(
    leased: &Leased<'_>,
    request: &Request<'_>,
    name_json: &[u8],
) -> Result<Came, Box<Failed>> {
    let resumed = leased.charge.resumed.as_ref();
    let rest = resumed.and_then(|resumed| resumed.question(request, &leased.deployment));
    let Some(body) = rest else {
        return ask_readably(leased, request, name_json).await;
    };
    match Request::read(protocol::shape(request.operation()), &body, None) {
        Ok(request) => Box::pin(ask_readably(leased, &request, name_json)).await,
        Err(error) => Err(Failed::unusable(&leased.deployment, &error.to_string())),
    }
}

/// Asks with the request as the deployment can read it.
async fn ask_readably(
    leased: &Leased<'_>,
    request: &Request<'_>,
    name_json: &[u8],
) -> Result<Came, Box<Failed>> {
    let (charge, deployment) = (leased.charge, &leased.deployment);
    let unusable = |why: &dyn fmt::Display| Failed::unusable(deployment, &why.to_string());
    let readable = match &charge.asked.continuity {
        None => None,
        Some(continuity) if continuity.is_background && !is_native(deployment) => {
            let why = "it makes no responses in the background: leave `background` out";
            return Err(unusable(&why));
        }
        Some(continuity) => continuity
            .readable_by(charge.routes.table(), request, deployment)
            .map_err(|why| unusable(&why))?,
    };
    let readable = readable.or_else(|| by_anthropic(request, deployment));
    let Some(body) = readable else {
        return attempt(leased, request, name_json).await;
    };
    match Request::read(protocol::shape(request.operation()), &body, None) {
        Ok(request) => Box::pin(attempt(leased, &request, name_json)).await,
        Err(error) => Err(unusable(&error)),
    }
}

/// A conversation of Messages as Anthropic can read it, if it holds what other providers' models have thought.
fn by_anthropic(request: &Request<'_>, deployment: &Deployment) -> Option<Bytes> {
    let operation = request.operation();
    let passes = operation == Operation::Messages && deployment.called_by(operation) == operation;
    if !passes || !protocol::anthropic::may_hold_others_thoughts(request.bytes()) {
        return None;
    }
    let messages = protocol::continuity::field(request.bytes(), "messages")?;
    let edited = protocol::anthropic::without_others_thoughts(messages)?;
    Some(request.with_fields(&[("messages".to_owned(), edited)]))
}

/// A whole answer whose content the provider has filtered is a failure where a fallback stands ready for that.
fn filtered(charge: &Charge, course: &Course, came: &Came) -> Option<Box<Failed>> {
    let Came::Whole(whole) = came else {
        return None;
    };
    let by = charge.traveller();
    if !course.answers_filtered(by, charge.group()) || !is_filtered(charge.operation, &whole.body) {
        return None;
    }
    let mut failed = Failed::filtered(charge.deployment());
    failed.headers = whole.headers.clone();
    failed.told = whole.told.clone();
    Some(failed)
}
