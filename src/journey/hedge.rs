//! A second call beside a slow first one, and what becomes of the two: the first content wins, the other is ended.

use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};

use super::attempt::{Attempted, Came, Failed, Leased};
use super::charge::Charge;
use super::failover::call;
use super::routes::Prepared;
use super::tried::Tried;
use crate::policy::upstream_error::Retry;
use crate::protocol::openai::request::Request;
use crate::router::{Deployment, End, Lease, Outcome, Port, Used};

/// A call that is made beside that of its charge. Dropped, it gives its slot back.
pub struct Side {
    pub deployment: Arc<Deployment>,
    pub index: u32,
    pub prepared: Rc<Prepared>,
    pub lease: Option<Lease>,
    /// The deployment has failed this request before.
    pub is_repeat: bool,
    pub began: Instant,
    pub group: u32,
    pub port: Port,
}

impl Drop for Side {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            self.end(lease, Outcome::Neutral, Used::default());
        }
    }
}

impl Side {
    /// The call has ended: its slot is free, its request's hold stays.
    pub fn end(&self, lease: Lease, outcome: Outcome, used: Used) {
        self.port.end(End {
            hold: None,
            lease: Some((lease, outcome)),
            group: self.group,
            used,
            ..End::default()
        });
    }
}

/// How one of two calls ended.
#[allow(
    clippy::large_enum_variant,
    reason = "one a hedged call, whose future is in a box"
)]
enum Ran {
    Answered(Came),
    Failed(Box<Failed>),
    /// The other one was first.
    Cancelled,
}

impl Ran {
    fn of(attempted: Attempted) -> Self {
        match attempted.came {
            Ok(came) => Self::Answered(came),
            Err(failed) => Self::Failed(failed),
        }
    }
}

/// What became of waiting.
#[allow(
    clippy::large_enum_variant,
    reason = "one a hedged call, whose future is in a box"
)]
enum Race {
    /// There was no second call.
    Alone(Attempted),
    Run {
        side: Side,
        first: Ran,
        second: Ran,
        /// The second call failed before the first did.
        second_failed_first: bool,
    },
}

/// Calls the leased deployment, and where its group hedges a second one beside it.
pub async fn first_to_answer(
    charge: &mut Charge,
    request: &Request<'_>,
    name_json: &[u8],
    tried: &mut Tried,
) -> Result<Came, Box<Failed>> {
    match charge.hedge_after() {
        None => {
            let attempted = call(&charge.leased(), request, name_json).await;
            charge.attempted(attempted)
        }
        Some(after) => Box::pin(hedged(charge, request, name_json, tried, after)).await,
    }
}

async fn hedged(
    charge: &mut Charge,
    request: &Request<'_>,
    name_json: &[u8],
    tried: &mut Tried,
    after: Duration,
) -> Result<Came, Box<Failed>> {
    let began = Instant::now();
    let race = {
        let leased = charge.leased();
        let first = pin!(call(&leased, request, name_json));
        race(charge, request, name_json, tried, first, after).await
    };
    let (mut side, first, second, second_failed_first) = match race {
        Race::Alone(attempted) => return charge.attempted(attempted),
        Race::Run {
            side,
            first,
            second,
            second_failed_first,
        } => (side, first, second, second_failed_first),
    };
    tried.add(side.index);
    charge.hedged(began);
    let (won, lost) = match (first, second) {
        (Ran::Answered(came), lost) => (Ok(came), lost),
        (lost, Ran::Answered(came)) => {
            charge.change_sides(&mut side, began);
            (Ok(came), lost)
        }
        (Ran::Failed(failed), lost) if second_failed_first => (Err(failed), lost),
        (lost, Ran::Failed(failed)) => {
            charge.change_sides(&mut side, began);
            (Err(failed), lost)
        }
        (Ran::Failed(failed), lost) => (Err(failed), lost),
        // One of them has ended.
        (Ran::Cancelled, Ran::Cancelled) => (
            Err(Failed::unusable(charge.deployment(), "nobody answered")),
            Ran::Cancelled,
        ),
    };
    match lost {
        Ran::Failed(failed) => {
            if failed.failure.retry != Retry::Anywhere {
                tried.never_again(side.index);
            }
            charge.side_failed(side, &failed.failure);
        }
        Ran::Answered(_) | Ran::Cancelled => charge.side_lost(side),
    }
    charge.upstream_time += began.elapsed();
    if let Ok(Came::Stream(_)) = &won {
        charge.first_token();
    }
    won
}

async fn race<F: Future<Output = Attempted>>(
    charge: &Charge,
    request: &Request<'_>,
    name_json: &[u8],
    tried: &Tried,
    mut first: Pin<&mut F>,
    after: Duration,
) -> Race {
    if let Ok(attempted) = tokio::time::timeout(after, first.as_mut()).await {
        return Race::Alone(attempted);
    }
    let asking = pin!(charge.beside(tried));
    let granted = match select(first.as_mut(), asking).await {
        Either::Left((attempted, _)) => return Race::Alone(attempted),
        Either::Right((granted, _)) => granted,
    };
    let Some(side) = granted else {
        return Race::Alone(first.await);
    };
    let leased = Leased {
        charge,
        deployment: side.deployment.clone(),
        prepared: side.prepared.clone(),
    };
    let mut second = pin!(call(&leased, request, name_json));
    let (is_first, attempted) = match select(first.as_mut(), second.as_mut()).await {
        Either::Left((attempted, _)) => (true, attempted),
        Either::Right((attempted, _)) => (false, attempted),
    };
    let ended = Ran::of(attempted);
    let has_failed = matches!(ended, Ran::Failed(_));
    let (first, second) = match (is_first, has_failed) {
        (true, true) => (ended, Ran::of(second.await)),
        (true, false) => (ended, Ran::Cancelled),
        (false, true) => (Ran::of(first.await), ended),
        (false, false) => (Ran::Cancelled, ended),
    };
    Race::Run {
        side,
        first,
        second,
        second_failed_first: has_failed && !is_first,
    }
}
