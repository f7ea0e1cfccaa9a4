//! Several calls of which the first answer wins.

use std::cell::Cell;
use std::rc::Rc;

use tokio::task::JoinSet;

use super::super::body_room::Share as BodyShare;
use super::super::failover::Served;
use super::super::failure::Failure;
use super::super::reply::OwnedIncoming;
use super::super::worker::Worker;
use super::contained;
use crate::auth::Caller;

/// What the calls of one race know of it.
#[derive(Clone, Default)]
pub struct Race(Rc<Cell<bool>>);

impl Race {
    /// Another call has answered.
    pub fn is_over(&self) -> bool {
        self.0.get()
    }
}

/// Makes the calls at once and gives what answers first: a whole answer, or a stream with its first content. The other calls
/// are ended then. Where all of them fail, the failure is that of the call that was named first. `share` is that of the body
/// that they have in common.
pub async fn run(
    worker: Rc<Worker>,
    caller: Caller,
    calls: Vec<OwnedIncoming>,
    share: Option<BodyShare>,
) -> Result<Served, Failure> {
    let race = Race::default();
    let mut running = JoinSet::new();
    for (place, mut call) in calls.into_iter().enumerate() {
        let (worker, caller, race) = (worker.clone(), caller.clone(), race.clone());
        running.spawn_local(async move {
            let served = contained(&worker, &caller, &call.incoming(), Some(race)).await;
            (place, served)
        });
    }
    let mut first: Option<(usize, Failure)> = None;
    while let Some(ended) = running.join_next().await {
        match ended {
            Ok((_, Ok((mut charge, came)))) => {
                race.0.set(true);
                charge.race = None;
                charge.keep_room(share);
                return Ok((charge, came));
            }
            Ok((place, Err(refused))) => {
                if first.as_ref().is_none_or(|(known, _)| place < *known) {
                    first = Some((place, refused.failure));
                }
            }
            Err(_) => {}
        }
    }
    Err(first.map_or(Failure::Panicked, |(_, failure)| failure))
}
