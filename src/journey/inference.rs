//! The way of a request that a model answers.

use std::pin::pin;
use std::rc::Rc;

use super::admission::{Prospect, admit};
use super::asked::Asked;
use super::attempt::{Came, Whole};
use super::auto_route::{Unanswered, lead};
use super::background;
use super::call_line::CallSize;
use super::charge::{Charge, Told};
use super::continuity::{Outgoing, resume};
use super::failover::{Served, serve};
use super::failure::{Failure, Refused};
use super::headers::{describe, early};
use super::mirror::mirror;
use super::reply::{Incoming, Reply};
use super::resume::Resume;
use super::stream::{EventStream, Serving};
use super::worker::Worker;
use crate::auth::Caller;
use crate::protocol;
use crate::protocol::openai::request::Request;
use crate::steps;
use crate::types::NanoUsd;

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
    Err(Refused {
        failure,
        call_id: incoming.call_id.clone(),
        key_spend: None,
        timeout: None,
    })
}

async fn answer(
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
    let resumed = match incoming.operation.is_of_responses() {
        true => {
            let resumed = Box::pin(resume(worker, &routes, caller, &request)).await;
            Some(resumed.map_err(|failure| refused(failure, None))?)
        }
        false => None,
    };
    let (continuity, whole) = resumed.map_or((None, None), |resumed| {
        (Some(Rc::new(resumed.continuity)), resumed.body)
    });
    let own_body;
    let mut request = match &whole {
        Some(whole) => Request::read(shape, whole, incoming.model.as_deref())
            .map_err(|error| refused(Failure::Request(error), None))?,
        None => request,
    };
    let rules = &routes.settings().asking;
    let mut asked = Asked::read(rules, incoming.headers, &request, caller.principal())
        .map_err(|error| refused(Failure::Request(error), None))?
        .under(caller.known.settings.as_ref());
    asked.continuity = continuity;
    if incoming.is_copy {
        asked.be_copy();
    }
    let led = lead(worker, &routes, caller, &request, &asked, incoming.headers);
    let led = Box::pin(led)
        .await
        .map_err(|failure| refused(failure, None))?;
    own_body = led.as_ref().and_then(|led| led.body.clone());
    if let Some(body) = &own_body {
        // In its place: a request of its own would make this future larger.
        request = Request::read(shape, body, incoming.model.as_deref())
            .map_err(|error| refused(Failure::Request(error), None))?;
    }
    asked.led = led.clone();
    let admitted = admit(worker, caller, &request, &asked)
        .await
        .map_err(|failure| refused(failure, None))?;
    let (admitted, mut prospect) = admitted;
    let mut charge = Charge::new(worker, &caller.known, incoming, asked, admitted);
    charge.fallbacks = prospect.course.hops();
    charge.size = CallSize::of(&request, routes.settings().tells_calls);
    mirror(&charge, caller, incoming, &request);
    let key_spend = charge.standings[0].map(|key| key.spent);
    let limit = charge.asked.limit(charge.deployment(), request.stream);
    let served = if request.stream {
        charge.keep_room(incoming.share.take());
        stream(charge, request.into_owned(), prospect).await
    } else {
        match serve(charge, &request, &mut prospect, None).await {
            Ok(served) => Ok(reply(served).await),
            Err(failure) => Err(failure),
        }
    };
    let chosen = led.as_ref().and_then(|led| led.chosen.as_ref());
    if let (Err(Failure::Upstream { .. }), Some(chosen)) = (&served, chosen) {
        worker
            .shared
            .route_memory
            .do_send(Unanswered(chosen.clone()));
    }
    served.map_err(|failure| Refused {
        timeout: Some(limit),
        ..refused(failure, key_spend)
    })
}

/// Serves a stream. Its head waits for the first content, so that a failure before it has a status of its own; when it has
/// waited long enough it goes ahead, and what is tried goes on behind it.
async fn stream(
    charge: Box<Charge>,
    request: Request<'static>,
    prospect: Prospect,
) -> Result<Reply, Failure> {
    let failover = &charge.routes.table().failover;
    let (heartbeat, hold) = (failover.heartbeat, failover.first_content_hold);
    let hold = hold.saturating_sub(charge.arrived.elapsed());
    let early = early(&charge);
    let operation = charge.operation;
    let place = charge.worker.cut.place();
    let mut serving: Serving = Box::pin(async move {
        let mut prospect = prospect;
        let mut served = serve(charge, &request, &mut prospect, None).await?;
        Resume::prepare(&mut served, request, prospect);
        Ok(served)
    });
    match tokio::time::timeout(hold, &mut serving).await {
        Ok(served) => Ok(reply(served?).await),
        Err(_) => Ok(Reply::Stream {
            headers: early.headers(),
            body: Box::new(EventStream::waiting(operation, serving, heartbeat, place)),
        }),
    }
}

async fn reply((mut charge, came): Served) -> Reply {
    steps::point("journey.answered");
    match came {
        Came::Whole(Whole {
            mut headers,
            body,
            told,
        }) => {
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
