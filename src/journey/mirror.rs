//! Mirrored traffic (`silent_model`): a copy of a request goes to other groups, behind the client's back and after its own call
//! has been admitted. Nobody waits for it; what it answers is read to its end and thrown away, what it costs is booked to the same key.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::body_room::Share as BodyShare;
use super::charge::Charge;
use super::failure::Failure;
use super::inference::infer;
use super::reply::{Incoming, OwnedIncoming, Reply};
use super::worker::Worker;
use crate::auth::Caller;
use crate::protocol::json;
use crate::protocol::openai::request::Request;
use crate::types::{LedgerId, Operation};

/// Copies under way on one thread; beyond them none is sent.
const MOST: u32 = 64;

/// How many copies are under way on a thread.
#[derive(Clone, Default)]
pub struct Copies(Rc<Cell<u32>>);

/// One of them.
struct UnderWay(Copies);

impl Copies {
    fn begin(&self) -> Option<UnderWay> {
        let count = self.0.get();
        (count < MOST).then(|| {
            self.0.set(count + 1);
            UnderWay(self.clone())
        })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let count = &self.0.0;
        count.set(count.get().saturating_sub(1));
    }
}

/// Sends the copies that the chosen deployment wants. A copy has none itself.
pub fn mirror(charge: &Charge, caller: &Caller, incoming: &Incoming<'_>, request: &Request<'_>) {
    let groups = &charge.deployment().silent_models;
    if groups.is_empty() || incoming.is_copy {
        return;
    }
    // What refers to something at one deployment means nothing elsewhere.
    let continuity = charge.asked.continuity.as_ref();
    if charge.asked.pin().is_some() || continuity.is_some_and(|own| own.is_background) {
        return;
    }
    for group in groups {
        let Some(under_way) = charge.worker.copies.begin() else {
            log::warn!("no copy for {group}: {MOST} of them are under way on this thread");
            continue;
        };
        let mut share = charge.worker.shared.bodies.share();
        if share.grow(request.bytes().len()).is_err() {
            log::warn!(
                "no copy for {group}: there is no room for its body (max_requests_in_memory_mb)"
            );
            continue;
        }
        let copy = Copy {
            worker: charge.worker.clone(),
            caller: caller.clone(),
            group: group.clone(),
            incoming: another(incoming, body(request, group), share),
        };
        actix_rt::spawn(async move {
            copy.send().await;
            drop(under_way);
        });
    }
}

/// A request that begins now, with this body.
fn another(incoming: &Incoming<'_>, body: Bytes, share: BodyShare) -> OwnedIncoming {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    OwnedIncoming {
        operation: incoming.operation,
        model: None,
        headers: Rc::new(incoming.headers.clone()),
        body,
        arrived: Instant::now(),
        started_at: now.unwrap_or_default().as_micros() as i64,
        call_id: LedgerId::now().to_string().into(),
        client_ip: incoming.client_ip.clone(),
        share: Some(share),
        is_copy: true,
    }
}

/// The request for another group, which is to fail there if it fails, and is kept nowhere.
fn body(request: &Request<'_>, group: &str) -> Bytes {
    let mut fields = vec![
        ("model".to_owned(), json::quoted(group)),
        ("disable_fallbacks".to_owned(), b"true".to_vec()),
    ];
    if request.operation() == Operation::Responses {
        fields.push(("store".to_owned(), b"false".to_vec()));
    }
    request.with_fields(&fields)
}

struct Copy {
    worker: Rc<Worker>,
    caller: Caller,
    group: Arc<str>,
    incoming: OwnedIncoming,
}

impl Copy {
    async fn send(mut self) {
        let incoming = self.incoming.incoming();
        let failure = match infer(&self.worker, &self.caller, &incoming).await {
            Ok(Reply::Whole { .. } | Reply::Several { .. }) => return,
            Ok(Reply::Stream { mut body, .. }) => loop {
                match body.next().await {
                    Some(Ok(_)) => {}
                    Some(Err(failure)) => break failure,
                    None => return,
                }
            },
            Err(refused) => refused.failure,
        };
        log::info!("a copy for {} failed: {}", self.group, reason(&failure));
    }
}

/// Why a copy failed, without a word of what a provider says: that may hold the prompt.
fn reason(failure: &Failure) -> String {
    match failure {
        Failure::Upstream { failure, .. } => {
            format!("{} {}", failure.status, failure.class.as_str())
        }
        Failure::UnknownModel(_) | Failure::NoDeploymentOfName(_) => {
            "there is no such model group".to_owned()
        }
        Failure::Limited(_) => "its budget does not allow it".to_owned(),
        Failure::NoDeployment(_) | Failure::Paused(_) => "no deployment takes it".to_owned(),
        Failure::Request(_) | Failure::Reference(_) => "the request is none there".to_owned(),
        _ => "it could not be made".to_owned(),
    }
}
