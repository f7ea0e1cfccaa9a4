//! One request that several calls answer: its model is a list of names (`"model": "a,b"`), its messages are a list of
//! conversations, or both (LiteLLM's batch completions). Chats alone.
//!
//! `inference` asks whether a request is meant so; each call is then a request of its own, admitted, limited, called and booked
//! like any other. Either all answers are given in the order of what was asked for, or, with `fastest_response`, the one that
//! is there first and the other calls are ended ([`race`]). Nothing here chooses deployments or knows a price.

mod plan;
mod race;
mod told;

use std::pin::pin;
use std::rc::Rc;

use actix_web::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;
use tokio::task::JoinSet;

pub use self::race::Race;

use self::plan::Plan;
use super::attempt::Came;
use super::charge::Bill;
use super::failover::Served;
use super::failure::{Failure, Refused};
use super::headers::Early;
use super::inference::{begin_and_serve, held, reply, whole};
use super::reply::{Answers, Incoming, OwnedIncoming, Reply};
use super::stream::Serving;
use super::worker::Worker;
use crate::auth::Caller;
use crate::protocol::conversations::conversations;
use crate::protocol::openai::request::{Request, RequestError};
use crate::steps;
use crate::types::Operation;

/// Says that the answer is the first of several, as LiteLLM 1.106.2 does.
const FASTEST: HeaderName = HeaderName::from_static("x-litellm-fastest_response_batch_completion");

/// Whether a request, as it was read or not, wants several calls. A name that somebody has given to a model is one name, commas
/// and all.
pub fn is_meant(
    worker: &Worker,
    caller: &Caller,
    incoming: &Incoming<'_>,
    read: &Result<Request<'_>, RequestError>,
) -> bool {
    if incoming.operation != Operation::Chat || incoming.is_copy {
        return false;
    }
    match read {
        Ok(request) => request.model().is_some_and(|model| {
            let is_list = model.contains(plan::COMMA);
            is_list && !worker.routes().table().has_name(caller.principal(), model)
        }),
        Err(RequestError::WrongType {
            field: "messages", ..
        }) => conversations(&incoming.body).is_some(),
        Err(_) => false,
    }
}

/// Serves such a request.
pub async fn answer(
    worker: &Rc<Worker>,
    caller: &Caller,
    incoming: &Incoming<'_>,
) -> Result<Reply, Refused> {
    let refused = |failure| Refused::of(incoming, failure);
    let plan = Plan::read(worker, caller, incoming).map_err(|failure| refused(*failure))?;
    match plan.first_wins {
        true => fastest(worker, caller, incoming, plan).await,
        false => all(worker, caller, incoming, plan).await,
    }
}

/// All answers. Where there is none at all the first call's error is the answer.
async fn all(
    worker: &Rc<Worker>,
    caller: &Caller,
    incoming: &Incoming<'_>,
    plan: Plan,
) -> Result<Reply, Refused> {
    let mut calls = JoinSet::new();
    let mut answers: Vec<Result<(Bytes, Bill), Box<Refused>>> = Vec::new();
    for (place, mut call) in plan.calls.into_iter().enumerate() {
        let (worker, caller) = (worker.clone(), caller.clone());
        // What stays of one that panics where nothing contains it.
        answers.push(Err(Refused::of(incoming, Failure::Panicked).into()));
        calls.spawn_local(async move { (place, one(&worker, &caller, &mut call).await) });
    }
    while let Some(ended) = calls.join_next().await {
        if let Ok((place, answer)) = ended
            && let Some(free) = answers.get_mut(place)
        {
            *free = answer.map_err(Box::new);
        }
    }
    if answers.iter().all(Result::is_err)
        && let Some(Err(first)) = answers.drain(..).next()
    {
        return Err(Refused {
            call_id: incoming.call_id.clone(),
            ..*first
        });
    }
    let bills = answers.iter().flatten().map(|(_, bill)| *bill);
    let headers = told::headers(incoming, bills);
    let mut all = Vec::with_capacity(answers.len());
    for answer in answers {
        all.push(match answer {
            Ok((body, _)) => Ok(body),
            Err(refused) => Err(refused),
        });
    }
    Ok(Reply::Several {
        headers,
        answers: Answers { all, row: plan.row },
    })
}

/// One call's whole answer.
async fn one(
    worker: &Rc<Worker>,
    caller: &Caller,
    call: &mut OwnedIncoming,
) -> Result<(Bytes, Bill), Refused> {
    let incoming = call.incoming();
    let (charge, came) = contained(worker, caller, &incoming, None).await?;
    match came {
        Came::Whole(answer) => {
            let (_, body, bill) = whole(charge, answer).await;
            bill.map(|bill| (body, bill))
                .ok_or_else(|| Refused::of(&incoming, Failure::ControlFailed))
        }
        // Streams are refused before anything is called.
        Came::Stream(_) => Err(Refused::of(&incoming, Failure::ControlFailed)),
    }
}

/// The first answer, or the first content of a stream.
async fn fastest(
    worker: &Rc<Worker>,
    caller: &Caller,
    incoming: &Incoming<'_>,
    plan: Plan,
) -> Result<Reply, Refused> {
    let is_stream = plan.is_stream;
    let share = incoming.share.take();
    let race = race::run(worker.clone(), caller.clone(), plan.calls, share);
    let serving: Serving = Box::pin(race);
    let reply = match is_stream {
        true => {
            let (operation, arrived) = (incoming.operation, incoming.arrived);
            held(worker, operation, arrived, Early::of(incoming), serving).await
        }
        false => match serving.await {
            Ok(served) => Ok(reply(served).await),
            Err(failure) => Err(failure),
        },
    };
    let mut reply = reply.map_err(|failure| Refused::of(incoming, failure))?;
    if let Reply::Whole { headers, .. } | Reply::Stream { headers, .. } = &mut reply {
        headers.insert(FASTEST, HeaderValue::from_static("True"));
    }
    Ok(reply)
}

/// Serves one call as a request of its own. A panic is its own, too.
async fn contained(
    worker: &Rc<Worker>,
    caller: &Caller,
    incoming: &Incoming<'_>,
    race: Option<Race>,
) -> Result<Served, Refused> {
    let served = pin!(begin_and_serve(worker, caller, incoming, race));
    match steps::contained_future("journey.together", served).await {
        Some(served) => served,
        None => Err(Refused::of(incoming, Failure::Panicked)),
    }
}
