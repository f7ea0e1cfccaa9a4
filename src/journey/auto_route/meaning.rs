//! The vectors of texts that are compared: of examples once, of a request's text each time, by calls through a group of ours.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;

use super::own_call::{GRACE, OwnCalls};
use crate::policy::auto_router::semantic::Examples;
use crate::router::{Meaning, clock};
use crate::types::Operation;

/// A request waits for vectors so long at most.
const LONGEST: Duration = Duration::from_secs(10);
/// Where examples have no vectors, or a text had none in time, requests go on without for so long, in milliseconds.
const PAUSE: u64 = 10_000;
/// Examples of one call.
const AT_ONCE: usize = 100;

/// A text could not be compared: there were no vectors, or not in time.
#[derive(Clone, Copy, Debug)]
pub struct NotCompared;

/// The place of the route that a text is nearest to; `None`: none is near enough.
pub async fn route(
    calls: OwnCalls<'_>,
    known: &Meaning,
    text: &str,
) -> Result<Option<usize>, NotCompared> {
    let text = known.comparison.compared(text);
    if text.trim().is_empty() {
        return Ok(None);
    }
    let until = Instant::now() + LONGEST;
    let found = nearest(calls, known, text, until);
    let found = Box::pin(tokio::time::timeout(LONGEST + GRACE, found)).await;
    let found = found.unwrap_or(Err(NotCompared));
    if found.is_err() && Instant::now() >= until {
        fail(known);
    }
    found
}

async fn nearest(
    calls: OwnCalls<'_>,
    known: &Meaning,
    text: &str,
    until: Instant,
) -> Result<Option<usize>, NotCompared> {
    let comparison = &known.comparison;
    let embed = async |texts: &[&str]| vectors(calls, &comparison.embedding, texts, until).await;
    let failed_at = known.failed_at.load(Ordering::Relaxed);
    if failed_at > 0 && clock::now().saturating_sub(failed_at) < PAUSE {
        return Err(NotCompared);
    }
    if calls.are_foreseen(&comparison.embedding) {
        return Err(NotCompared);
    }
    let examples = known.examples.get_or_try_init(async || {
        let utterances: Vec<&str> = comparison.utterances().collect();
        let mut all = Vec::with_capacity(utterances.len());
        for some in utterances.chunks(AT_ONCE) {
            all.extend(embed(some).await.ok_or(())?);
        }
        Examples::new(comparison, all).ok_or(())
    });
    let Ok(examples) = examples.await else {
        fail(known);
        return Err(NotCompared);
    };
    let asked = embed(&[text]).await.and_then(|mut vectors| vectors.pop());
    Ok(examples.nearest(comparison, asked.ok_or(NotCompared)?))
}

/// The examples have no vectors, or nobody made any in time.
fn fail(known: &Meaning) {
    log::warn!("an auto router gets no vectors: for 10 s it goes on without");
    let now = clock::now().max(1);
    known.failed_at.store(now, Ordering::Relaxed);
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
    calls: OwnCalls<'_>,
    group: &Arc<str>,
    texts: &[&str],
    until: Instant,
) -> Option<Vec<Vec<f32>>> {
    let body = json!({"model": &**group, "input": texts, "encoding_format": "float"});
    let answered = calls.ask(Operation::Embedding, group, &body, until).await?;
    let mut answer: Answer = serde_json::from_slice(&answered.body).ok()?;
    answer.data.sort_by_key(|embedded| embedded.index);
    let vectors: Vec<Vec<f32>> = answer
        .data
        .into_iter()
        .map(|embedded| embedded.embedding)
        .collect();
    (vectors.len() == texts.len()).then_some(vectors)
}
