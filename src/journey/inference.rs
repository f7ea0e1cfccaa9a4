//! The way of a request that a model answers.

use std::cell::OnceCell;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::http::header::HeaderMap;
use bytes::Bytes;

use super::admission::{Prospect, admit};
use super::asked::Asked;
use super::attempt::{Came, Whole};
use super::auto_route::{Led, Unanswered, lead};
use super::background;
use super::call_line::CallSize;
use super::charge::{Bill, Charge, Told};
use super::continuity::{Continuity, Outgoing, resume};
use super::failover::{Served, serve};
use super::failure::{Failure, Refused};
use super::headers::{Early, describe, early};
use super::mirror::mirror;
use super::reply::{Incoming, Reply};
use super::resume::Resume;
use super::stream::{EventStream, Serving};
use super::together::{self, Race};
use super::worker::Worker;
use crate::auth::Caller;
use crate::protocol;
use crate::protocol::openai::request::Request;
use crate::steps;
use crate::types::{NanoUsd, Operation};

/// Serves a request: an answer, or the reason why there is none.
pub async fn infer(
    worker: &Rc<Worker>,
    caller: &Caller,
    incoming: &Incoming<'_>,
) -> Result<Reply, Refused> {
    let place = worker.cut.place();
    let answer = pin!(answer(worker, caller, incoming));
    let served = pin!(place.wait(answer));
    let failure = match steps::contained_future("journey", served).await {
        Some(Some(served)) => return served,
        Some(None) => Failure::Ending,
        None => Failure::Panicked,
    };
    Err(Refused::of(incoming, failure))
}

async fn answer(
    worker: &Rc<Worker>,
    caller: &Caller,
    incoming: &Incoming<'_>,
) -> Result<Reply, Refused> {
    let refused = |failure| Refused::of(incoming, failure);
    let shape = protocol::shape(incoming.operation);
    let request = Request::read(shape, &incoming.body, incoming.model.as_deref());
    if together::is_meant(worker, caller, incoming, &request) {
        return Box::pin(together::answer(worker, caller, incoming)).await;
    }
    let request = request.map_err(|error| refused(Failure::Request(error)))?;
    let resumed = match incoming.operation.is_of_responses() {
        true => {
            let routes = worker.routes();
            let resumed = Box::pin(resume(worker, &routes, caller, &request)).await;
            Some(resumed.map_err(refused)?)
        }
        false => None,
    };
    let (continuity, whole) = resumed.map_or((None, None), |resumed| {
        (Some(Rc::new(resumed.continuity)), resumed.body)
    });
    let own_body = OnceCell::new();
    let mut request = match &whole {
        Some(whole) => Request::read(shape, whole, incoming.model.as_deref())
            .map_err(|error| refused(Failure::Request(error)))?,
        None => request,
    };
    let begun = begin(
        worker,
        caller,
        incoming,
        &mut request,
        &own_body,
        continuity,
    );
    let mut begun = begun.await?;
    if !request.stream {
        let served = serve_begun(begun, &request, incoming).await?;
        return Ok(reply(served).await);
    }
    begun.charge.keep_room(incoming.share.take());
    let on_failure = begun.on_failure;
    let streaming = stream(begun.charge, request.into_owned(), begun.prospect);
    let streaming = streaming.await;
    streaming.map_err(|failure| on_failure.refused(failure, worker, incoming))
}

/// A request that was let in.
struct Begun {
    charge: Box<Charge>,
    prospect: Prospect,
    on_failure: OnFailure,
}

/// What is told of a request that was let in, should it fail.
struct OnFailure {
    key_spend: Option<NanoUsd>,
    limit: Duration,
    /// Of the router that led it.
    led: Option<Rc<Led>>,
}

impl OnFailure {
    /// The refusal of a request that `failure` ended.
    fn refused(self, failure: Failure, worker: &Worker, incoming: &Incoming<'_>) -> Refused {
        let chosen = self.led.as_ref().and_then(|led| led.chosen.as_ref());
        if let (Failure::Upstream { .. }, Some(chosen)) = (&failure, chosen) {
            worker
                .shared
                .route_memory
                .do_send(Unanswered(chosen.clone()));
        }
        Refused {
            timeout: Some(self.limit),
            key_spend: self.key_spend,
            ..Refused::of(incoming, failure)
        }
    }
}

/// Finds out what a request asks for and where it leads, and has it let in. `own_body` has room for another body of it, which a
/// router may want in the place of `request`.
async fn begin<'r>(
    worker: &Rc<Worker>,
    caller: &Caller,
    incoming: &'r Incoming<'_>,
    request: &mut Request<'r>,
    own_body: &'r OnceCell<Box<Bytes>>,
    continuity: Option<Rc<Continuity>>,
) -> Result<Begun, Refused> {
    let refused = |failure| Refused::of(incoming, failure);
    let routes = worker.routes();
    let rules = &routes.settings().asking;
    let mut asked = Asked::read(rules, incoming.headers, request, caller.principal())
        .map_err(|error| refused(Failure::Request(error)))?
        .under(caller.known.settings.as_ref());
    asked.continuity = continuity;
    if incoming.is_copy {
        asked.be_copy();
    }
    let led = lead(worker, &routes, caller, request, &asked, incoming.headers);
    let led = Box::pin(led).await.map_err(refused)?;
    if let Some(body) = led.as_ref().and_then(|led| led.body.clone()) {
        let body = own_body.get_or_init(|| body);
        // In its place: a request of its own would make this future larger.
        let shape = protocol::shape(incoming.operation);
        *request = Request::read(shape, body, incoming.model.as_deref())
            .map_err(|error| refused(Failure::Request(error)))?;
    }
    asked.led = led.clone();
    let admitted = admit(worker, caller, request, &asked).await;
    let (admitted, prospect) = admitted.map_err(refused)?;
    let mut charge = Charge::new(worker, &caller.known, incoming, asked, admitted);
    charge.fallbacks = prospect.course.hops();
    charge.size = CallSize::of(request, routes.settings().tells_calls);
    mirror(&charge, caller, incoming, request);
    let on_failure = OnFailure {
        key_spend: charge.standings[0].map(|key| key.spent),
        limit: charge.asked.limit(charge.deployment(), request.stream),
        led,
    };
    Ok(Begun {
        charge,
        prospect,
        on_failure,
    })
}

/// Calls deployments for a request until one answers.
async fn serve_begun(
    begun: Begun,
    request: &Request<'_>,
    incoming: &Incoming<'_>,
) -> Result<Served, Refused> {
    let Begun {
        charge,
        mut prospect,
        on_failure,
    } = begun;
    let worker = charge.worker.clone();
    let served = serve(charge, request, &mut prospect, None).await;
    served.map_err(|failure| on_failure.refused(failure, &worker, incoming))
}

/// Serves one call of several that answer a request, until there is an answer or the first content of a stream. In a `race`
/// another one may be first.
pub async fn begin_and_serve(
    worker: &Rc<Worker>,
    caller: &Caller,
    incoming: &Incoming<'_>,
    race: Option<Race>,
) -> Result<Served, Refused> {
    let own_body = OnceCell::new();
    let shape = protocol::shape(incoming.operation);
    let mut request = Request::read(shape, &incoming.body, incoming.model.as_deref())
        .map_err(|error| Refused::of(incoming, Failure::Request(error)))?;
    let begun = begin(worker, caller, incoming, &mut request, &own_body, None);
    let mut begun = begun.await?;
    begun.charge.race = race;
    if !request.stream {
        return serve_begun(begun, &request, incoming).await;
    }
    let served = serve_stream(begun.charge, request.into_owned(), begun.prospect);
    let on_failure = begun.on_failure;
    let served = served.await;
    served.map_err(|failure| on_failure.refused(failure, worker, incoming))
}

/// The same for a stream, which may have to be gone on with.
async fn serve_stream(
    charge: Box<Charge>,
    request: Request<'static>,
    mut prospect: Prospect,
) -> Result<Served, Failure> {
    let mut served = serve(charge, &request, &mut prospect, None).await?;
    Resume::prepare(&mut served, request, prospect);
    Ok(served)
}

/// Serves a stream that may have to be waited for.
async fn stream(
    charge: Box<Charge>,
    request: Request<'static>,
    prospect: Prospect,
) -> Result<Reply, Failure> {
    let (worker, early) = (charge.worker.clone(), early(&charge));
    let (operation, arrived) = (charge.operation, charge.arrived);
    let serving: Serving = Box::pin(serve_stream(charge, request, prospect));
    held(&worker, operation, arrived, early, serving).await
}

/// The head of a stream waits for the first content, so that a failure before it has a status of its own; when it has waited
/// long enough it goes `early`, and what is tried goes on behind it.
pub async fn held(
    worker: &Rc<Worker>,
    operation: Operation,
    arrived: Instant,
    early: Early,
    mut serving: Serving,
) -> Result<Reply, Failure> {
    let routes = worker.routes();
    let failover = &routes.table().failover;
    let hold = failover.first_content_hold;
    let hold = hold.saturating_sub(arrived.elapsed());
    match tokio::time::timeout(hold, &mut serving).await {
        Ok(served) => Ok(reply(served?).await),
        Err(_) => {
            let place = worker.cut.place();
            let stream = EventStream::waiting(operation, serving, failover.heartbeat, place);
            Ok(Reply::Stream {
                headers: early.headers(),
                body: Box::new(stream),
            })
        }
    }
}

/// What the client gets.
pub async fn reply((charge, came): Served) -> Reply {
    steps::point("journey.answered");
    match came {
        Came::Whole(answer) => {
            let (headers, body, _) = whole(charge, answer).await;
            Reply::Whole { headers, body }
        }
        Came::Stream(mut begun) => {
            let mut headers = std::mem::take(&mut begun.headers);
            describe(&mut headers, &charge, None);
            Reply::Stream {
                headers,
                body: Box::new(EventStream::begun(charge, *begun)),
            }
        }
    }
}

/// Settles a whole answer; without a bill what is made in the background is waited for.
pub async fn whole(mut charge: Box<Charge>, answer: Whole) -> (HeaderMap, Bytes, Option<Bill>) {
    let Whole {
        mut headers,
        body,
        told,
    } = answer;
    let mut outgoing = Outgoing::of(&charge);
    let is_background = charge.is_background();
    let pending = is_background.then(|| background::pending(&body)).flatten();
    let bill = match &pending {
        None => Some(charge.succeed(&told)),
        Some(_) => None,
    };
    charge.worker.desk.written().await;
    describe(&mut headers, &charge, bill);
    let body = match &mut outgoing {
        Some(outgoing) => outgoing.whole(&charge, body),
        None => body,
    };
    if let Some(id) = pending {
        background::follow(charge, id, Told::default());
    }
    (headers, body, bill)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<'a, F: 'a>(_: impl Fn(&'a Rc<Worker>, &'a Caller, &'a Incoming<'a>) -> F) -> usize {
        size_of::<F>()
    }

    /// A handler's future is moved several times before it runs: of 49 KB, that took a third of a request's time.
    #[test]
    fn the_future_of_a_call_stays_small() {
        let bytes = size(infer);
        assert!(bytes <= 6 * 1024, "{bytes} bytes");
    }
}
