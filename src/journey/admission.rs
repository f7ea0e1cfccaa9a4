//! May this call be made, and where does it go?

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::asked::Asked;
use super::course::{Course, Traveller, own_lists};
use super::destination::{destination, lost};
use super::explain::words;
use super::failure::{Failure, NoDeployment};
use super::queue;
use super::routes::{Prepared, Routes};
use super::shortlisting::Unfit;
use super::wishes::wish;
use super::worker::Worker;
use crate::auth::Caller;
use crate::catalog::ServiceTier;
use crate::limits::{Limited, Refusal};
use crate::policy::client_access::{AccessDenied, ClientAccess};
use crate::policy::token_count;
use crate::policy::upstream_error::ErrorClass;
use crate::protocol;
use crate::protocol::openai::request::{Request, RequestError};
use crate::router::{Begin, Denied, Destination, Estimate, Nobody, Ticket, Trace, Wish};
use crate::steps;

/// A ticket may name a deployment that two reloads, one right after the other, have brought and taken away again while it was
/// under way; then it goes back and admission is asked for anew, so often at most.
const ADMISSIONS: usize = 8;
/// Deployments that an error tells of.
const MOST_TOLD: usize = 20;

/// An admitted call.
pub struct Admitted {
    /// The configuration it was admitted under.
    pub routes: Rc<Routes>,
    /// Where the call goes.
    pub destination: Destination,
    /// The deployment of the ticket.
    pub prepared: Rc<Prepared>,
    pub ticket: Ticket,
    /// What was asked for with it: an upper bound where budgets are strict.
    pub estimate: Estimate,
    /// Guessed from bytes, or counted where the guess would have refused.
    pub input_tokens: u64,
    /// What the request wants of decisions.
    pub wish: Option<Arc<Wish>>,
    pub is_stream: bool,
}

/// What an admitted call may come to beyond the group that takes it.
pub struct Prospect {
    /// Where the request may go on.
    pub course: Course,
    /// Why the group that was asked for could not take it, if a fallback does.
    pub refused: Option<Box<Failure>>,
}

/// Looks up the model, checks the caller's lists, and asks the control thread.
pub async fn admit(
    worker: &Rc<Worker>,
    caller: &Caller,
    request: &Request<'_>,
    asked: &Asked,
) -> Result<(Admitted, Prospect), Failure> {
    for _ in 0..ADMISSIONS {
        let routes = worker.routes();
        let granted = ask(worker, &routes, caller, request, asked).await?;
        let ticket = granted.ticket;
        let Some(prepared) = worker.leased(&routes, ticket.lease, &granted.destination) else {
            worker
                .port
                .return_admission(ticket, granted.destination.group);
            continue;
        };
        let admitted = Admitted {
            destination: granted.destination,
            prepared,
            ticket,
            estimate: granted.estimate,
            input_tokens: granted.input_tokens,
            wish: granted.wish,
            is_stream: request.stream,
            routes,
        };
        return Ok((admitted, granted.prospect));
    }
    Err(Failure::ControlFailed)
}

/// What the control thread has granted.
struct Granted {
    destination: Destination,
    ticket: Ticket,
    estimate: Estimate,
    input_tokens: u64,
    wish: Option<Arc<Wish>>,
    prospect: Prospect,
}

/// Where a request leads, what it asks the control thread for (but for its wish), and the input tokens that it is billed by
/// when its provider tells no usage.
pub async fn lead(
    worker: &Rc<Worker>,
    routes: &Routes,
    caller: &Caller,
    request: &Request<'_>,
    asked: &Asked,
) -> Result<(Destination, Begin, u64), Failure> {
    let Some(model) = request.model() else {
        return Err(Failure::UnknownModel(None));
    };
    let principal = caller.principal();
    let table = routes.table();
    let denied = |model: &str| {
        let model = model.to_owned();
        move |by| Failure::ModelDenied { by, model }
    };
    // Where copies and calls of the gateway's own go the configuration decides.
    if asked.led.is_none() && !asked.is_copy {
        table.permit(principal, model).map_err(denied(model))?;
    }
    let destination = destination(table, principal, asked, model)
        .map_err(|astray| lost(astray, model.to_owned()))?;
    if table.is_paused(&destination) {
        return Err(Failure::Paused(model.to_owned()));
    }
    let group = destination.group;
    let costs = routes.costs(&destination);
    if costs.as_ref().is_some_and(|costs| costs.is_empty()) {
        return Err(Failure::UnknownModel(Some(model.to_owned())));
    }
    if table.is_blocked_for_want_of_a_price(&destination, costs.as_deref()) {
        return Err(Failure::Unpriced(model.to_owned()));
    }
    if let Some(access) = &asked.access {
        permit_access(routes, group, access).map_err(Failure::Request)?;
    }
    // A request's own fallbacks are asked for like its model.
    for target in own_lists(asked).flat_map(|list| list.all()) {
        let model = &*target.model;
        table.permit(principal, model).map_err(denied(model))?;
    }
    if !worker.desk.is_open() {
        return Err(Failure::LedgerClosed);
    }
    let scopes = worker.places(caller).await.ok_or(Failure::ControlFailed)?;
    let (expected, input_tokens) = estimate(routes, request);
    let begin = Begin {
        scopes,
        group,
        estimate: expected,
        user_budget_binds: principal.team.is_none(),
        is_copy: asked.is_copy,
        is_stream: request.stream,
        pin: destination.pin(asked.pin()),
        costs,
        wish: None,
        queue: None,
    };
    Ok((destination, begin, input_tokens))
}

async fn ask(
    worker: &Rc<Worker>,
    routes: &Routes,
    caller: &Caller,
    request: &Request<'_>,
    asked: &Asked,
) -> Result<Granted, Failure> {
    let led = lead(worker, routes, caller, request, asked).await?;
    let (mut destination, mut begin, mut input_tokens) = led;
    let by = Traveller {
        routes,
        principal: caller.principal(),
        asked,
    };
    steps::point("journey.admit");
    let mut answer = begin_with_wish(worker, by, &destination, request, &mut begin).await;
    if let Err(Refused::Denied(Denied::Refused(refusal))) = &answer
        && refusal.depends_on_the_estimate(routes.settings().strict_budgets)
        && may_still_fit(refusal, request)
    {
        // A guess may admit, it never refuses: count, and ask again.
        if let Some(counted) = count(worker, routes, &destination, request).await
            && counted < begin.estimate.input_tokens
        {
            begin.estimate.input_tokens = counted;
            input_tokens = counted;
            let again = queue::begin(worker, by, &mut begin).await;
            answer = again.map_err(Refused::Denied);
        }
    }
    let model = request.model().unwrap_or_default();
    let mut course = Course::new(model, destination.clone());
    let mut refused = None;
    let ticket = loop {
        let no = match answer {
            Ok(ticket) => break ticket,
            Err(no) => no,
        };
        let is_held = asked.pin().is_some_and(|pin| pin.is_strict);
        let class = no.class().filter(|_| !is_held);
        let next = class.and_then(|class| course.after(by, begin.group, class));
        let why = refused.unwrap_or_else(|| Box::new(no.failure(routes, begin.group)));
        let Some(next) = next else {
            return Err(*why);
        };
        refused = Some(why);
        begin.group = next.group;
        begin.pin = next.pin(asked.pin());
        begin.costs = routes.costs(&next);
        destination = next;
        let body = course
            .own_fields()
            .map(|fields| request.with_fields(fields));
        let shape = protocol::shape(request.operation());
        let other = body.as_ref().map(|body| Request::read(shape, body, None));
        let other = other.and_then(Result::ok);
        let asking = other.as_ref().unwrap_or(request);
        (begin.estimate, input_tokens) = estimate(routes, asking);
        answer = begin_with_wish(worker, by, &destination, asking, &mut begin).await;
    };
    Ok(Granted {
        destination,
        ticket,
        estimate: begin.estimate,
        input_tokens,
        wish: begin.wish,
        prospect: Prospect { course, refused },
    })
}

/// Asks for a deployment of the group of `begin`.
async fn begin_with_wish(
    worker: &Worker,
    by: Traveller<'_>,
    destination: &Destination,
    request: &Request<'_>,
    begin: &mut Begin,
) -> Result<Ticket, Refused> {
    let wish = wish(worker, by, destination, request).await;
    begin.wish = wish.map_err(Refused::Unfit)?;
    let answer = queue::begin(worker, by, begin).await;
    answer.map_err(Refused::Denied)
}

/// Why a group does not take a request.
enum Refused {
    /// Nobody of it may.
    Unfit(Box<Unfit>),
    Denied(Denied),
}

impl Refused {
    /// The kind of error that it is, where another group may take the request.
    fn class(&self) -> Option<ErrorClass> {
        match self {
            Self::Unfit(unfit) => Some(unfit.class()),
            Self::Denied(denied) => Denial(denied)
                .is_of_group()
                .then_some(ErrorClass::RateLimitError),
        }
    }

    fn failure(self, routes: &Routes, group: u32) -> Failure {
        match self {
            Self::Unfit(unfit) => Failure::Unfit(unfit),
            Self::Denied(denied) => failure(routes, group, denied),
        }
    }
}

/// What a request is expected to use, and the input tokens that it is billed by when its provider tells no usage: never the
/// upper bound of strict budgets.
pub fn estimate(routes: &Routes, request: &Request<'_>) -> (Estimate, u64) {
    let input_tokens = token_count::estimate(request.prompt_bytes, request.token_ids);
    let estimate = Estimate {
        input_tokens: if routes.settings().strict_budgets {
            // No text has more tokens than bytes: an upper bound, as strict budgets need.
            request.bytes().len() as u64
        } else {
            input_tokens
        },
        max_tokens: request.max_tokens,
        choices: request.choices,
        tier: ServiceTier::named(request.service_tier()),
    };
    (estimate, input_tokens)
}

/// A refusal of the control thread.
pub struct Denial<'a>(pub &'a Denied);

impl Denial<'_> {
    /// The group cannot take the call, so that another one may; what the caller's limits refuse they refuse everywhere.
    pub fn is_of_group(&self) -> bool {
        matches!(self.0, Denied::NoDeployment(_))
    }
}

impl fmt::Display for Denial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Denied::NoDeployment(trace) => words(trace.nobody()),
            Denied::Refused(_) | Denied::Crowded { .. } => "a limit or a budget does not allow it",
            Denied::Queued(_) => "nobody took the call in time",
            Denied::NotHedged => "it has had as many second calls as it may",
            Denied::Failed => "it could not be asked",
        })
    }
}

/// A caller's own access must be allowed by every deployment that may get the call.
pub fn permit_access(
    routes: &Routes,
    group: u32,
    access: &ClientAccess,
) -> Result<(), RequestError> {
    let members = routes.group(group).map_or(&[][..], |group| &group.members);
    for member in members {
        let Some(deployment) = routes.table().deployment(member.deployment) else {
            continue;
        };
        let permitted = deployment.client_access.permit(access);
        permitted.map_err(|denied| match denied {
            AccessDenied::Field(field) => RequestError::Refused(field.to_owned()),
            AccessDenied::Base => RequestError::WrongType {
                field: access.base_field,
                expected: "an https address on the public internet, such as https://host/v1",
            },
        })?;
    }
    Ok(())
}

/// Whether any prompt at all could fit: a limit that is used up needs no counting.
fn may_still_fit(refusal: &Refusal, request: &Request<'_>) -> bool {
    match refusal.limited {
        Limited::Tokens { remaining, .. } => remaining > request.max_tokens.unwrap_or(0),
        _ => true,
    }
}

async fn count(
    worker: &Rc<Worker>,
    routes: &Routes,
    destination: &Destination,
    request: &Request<'_>,
) -> Option<u64> {
    // All counters busy: the guess stands, rather than a queue of large bodies.
    let _turn = worker.shared.counts.try_acquire().ok()?;
    let prepared = routes.members(destination).next()?;
    let model: Arc<str> = prepared.deployment.counted_as.clone();
    let body = Bytes::copy_from_slice(request.bytes());
    let operation = request.operation();
    actix_web::web::block(move || token_count::count_request(operation, &model, &body).ok())
        .await
        .ok()?
}

/// The control thread's refusal in this room's words.
pub fn failure(routes: &Routes, group: u32, denied: Denied) -> Failure {
    match denied {
        Denied::Refused(refusal) => Failure::Limited(refusal),
        Denied::Crowded { limit } => Failure::Crowded { limit },
        Denied::NoDeployment(trace) => {
            Failure::NoDeployment(Box::new(no_deployment(routes, group, &trace)))
        }
        Denied::Queued(_) => Failure::WaitedTooLong,
        Denied::NotHedged | Denied::Failed => Failure::ControlFailed,
    }
}

/// A trace with the names of what it tells by number.
fn no_deployment(routes: &Routes, group: u32, trace: &Trace) -> NoDeployment {
    let table = routes.table();
    let id = |number: u32| Some(table.deployment(number)?.id.clone());
    let why = trace.nobody();
    let named = match why {
        Nobody::Busy { deployment, .. } | Nobody::OverBudget { deployment } => Some(deployment),
        _ => None,
    };
    let considered = trace.considered.iter().take(MOST_TOLD);
    NoDeployment {
        group: routes
            .group(group)
            .map_or_else(|| "".into(), |group| group.name.clone()),
        why,
        passed: considered
            .filter_map(|member| Some((id(member.deployment)?, member.passed?)))
            .collect(),
        deployment: named.and_then(id),
        tells: table.failover.tells_trail,
        checks_windows: table.checks_windows,
    }
}
