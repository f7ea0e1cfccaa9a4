//! The vectors of semantic routers: of their examples once, of a request's text each time, by calls through a group of ours.
//!
//! Such a call is one like any other: admitted under the caller's limits, journalled and billed, with a row of its own.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use actix_web::http::header::HeaderMap;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::super::admission::admit;
use super::super::asked::Asked;
use super::super::attempt::Came;
use super::super::charge::Charge;
use super::super::failover::serve;
use super::super::reply::Incoming;
use super::super::routes::Routes;
use super::super::worker::Worker;
use super::Led;
use crate::auth::Caller;
use crate::policy::auto_router::semantic::{Examples, Route};
use crate::protocol;
use crate::protocol::openai::request::Request;
use crate::router::{Asker, Meaning, clock};
use crate::types::Operation;

/// A request waits for vectors so long at most.
const LONGEST: Duration = Duration::from_secs(10);
/// When examples had no vectors, requests go to the default for so long before they are asked for again, in milliseconds.
const PAUSE: u64 = 10_000;
/// Examples of one call.
const AT_ONCE: usize = 100;

/// The route of a text. `None`: none is near enough, or something went wrong.
pub async fn route<'a>(
    worker: &Rc<Worker>,
    routes: &Rc<Routes>,
    caller: &Caller,
    known: &'a Meaning,
    text: &str,
) -> Option<&'a Route> {
    let text = known.settings.compared(text);
    if text.trim().is_empty() {
        return None;
    }
    let found = Box::pin(tokio::time::timeout(
        LONGEST,
        nearest(worker, routes, caller, known, text),
    ));
    let place = found.await.ok().flatten()?;
    known.settings.routes.get(place)
}

async fn nearest(
    worker: &Rc<Worker>,
    routes: &Rc<Routes>,
    caller: &Caller,
    known: &Meaning,
    text: &str,
) -> Option<usize> {
    let settings = &known.settings;
    let embed =
        async |texts: &[&str]| vectors(worker, routes, caller, &settings.embedding, texts).await;
    let has_just_failed = || {
        let failed_at = known.failed_at.load(Ordering::Relaxed);
        failed_at > 0 && clock::now().saturating_sub(failed_at) < PAUSE
    };
    if !known.examples.initialized() && has_just_failed() {
        return None;
    }
    let examples = known.examples.get_or_try_init(async || {
        let utterances: Vec<&str> = settings.utterances().collect();
        let mut all = Vec::with_capacity(utterances.len());
        for some in utterances.chunks(AT_ONCE) {
            all.extend(embed(some).await.ok_or(())?);
        }
        Examples::new(settings, all).ok_or(())
    });
    let Ok(examples) = examples.await else {
        log::warn!(
            "the examples of a semantic router have no vectors: its default group is used for 10 s"
        );
        known
            .failed_at
            .store(clock::now().max(1), Ordering::Relaxed);
        return None;
    };
    let asked = embed(&[text]).await?.pop()?;
    examples.nearest(settings, asked)
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Embedded>,
}

#[derive(Deserialize)]
struct Embedded {
    index: usize,
    embedding: Vec<f32>,
}

/// One vector for each text, in their order.
async fn vectors(
    worker: &Rc<Worker>,
    routes: &Rc<Routes>,
    caller: &Caller,
    group: &Arc<str>,
    texts: &[&str],
) -> Option<Vec<Vec<f32>>> {
    let asker = Asker::of(caller.principal());
    let destination = routes.table().resolve(group, asker).ok()?;
    let body = json!({"model": &**group, "input": texts, "encoding_format": "float"});
    let (headers, body) = (HeaderMap::new(), Bytes::from(body.to_string()));
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let incoming = Incoming {
        operation: Operation::Embedding,
        model: None,
        headers: &headers,
        body: body.clone(),
        arrived: Instant::now(),
        started_at: i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        call_id: uuid::Uuid::new_v4().to_string().into(),
        client_ip: None,
        is_copy: false,
    };
    let request = Request::read(protocol::shape(Operation::Embedding), &body, None).ok()?;
    let asked = Asked::of_the_gateway(Led::to(destination));
    let admitted = admit(worker, caller, &request, &asked).await;
    let (admitted, mut prospect) = admitted
        .inspect_err(|_| log::debug!("a semantic router's call of {group} was refused"))
        .ok()?;
    let charge = Charge::new(worker, &caller.known, &incoming, asked, admitted);
    let (mut charge, came) = serve(charge, &request, &mut prospect, None).await.ok()?;
    let Came::Whole(whole) = came else {
        return None;
    };
    charge.succeed(&whole.told);
    let mut answer: Answer = serde_json::from_slice(&whole.body).ok()?;
    answer.data.sort_by_key(|embedded| embedded.index);
    let vectors: Vec<Vec<f32>> = answer
        .data
        .into_iter()
        .map(|embedded| embedded.embedding)
        .collect();
    (vectors.len() == texts.len()).then_some(vectors)
}
