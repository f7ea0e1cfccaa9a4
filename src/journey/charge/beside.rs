//! The second call of a request: how it is asked for, and what it leaves behind.

use std::time::{Duration, Instant};

use super::{Charge, LEASES, Told, as_asked};
use crate::journey::attempt::{Attempted, Came, Failed, Leased};
use crate::journey::hedge::Side;
use crate::journey::tried::Tried;
use crate::policy::upstream_error::Failure;
use crate::router::{Next, Outcome, Used};
use crate::types::NanoUsd;

/// How a call is called in a row that was ended because another one of its request was first.
const LOST: &str = "Hedged";
/// Its status: the client that it was for has left it.
const LOST_STATUS: u16 = 499;

impl Charge {
    /// The deployment that is leased for the request.
    pub fn leased(&self) -> Leased<'_> {
        Leased {
            charge: self,
            deployment: self.deployment.clone(),
            prepared: self.prepared.clone(),
        }
    }

    /// Takes note of a call that has ended.
    pub fn attempted(&mut self, attempted: Attempted) -> Result<Came, Box<Failed>> {
        self.upstream_time += attempted.waited;
        // One that is made in the background has begun before its content.
        if let Ok(Came::Stream(_)) = &attempted.came
            && !self.is_background()
        {
            self.first_token();
        }
        attempted.came
    }

    /// After how much silence a second call may be made beside the present one: not for an answer that is gone on with, nor
    /// where one deployment alone can take the call.
    pub fn hedge_after(&mut self) -> Option<Duration> {
        let is_held = self.pin().is_some_and(|pin| pin.is_strict);
        // Who has lost goes on with a response that is made in the background.
        let is_alone = self.resumed.is_some() || is_held || self.is_background();
        let may = !is_alone && self.calls_left() > 0;
        self.hedge_after.take().filter(|_| may)
    }

    /// Asks for another deployment of the group, that works for the request at the same time; what the request may cost is
    /// held for both.
    pub async fn beside(&self, tried: &Tried) -> Option<Side> {
        let one = self.next(&self.destination, true, tried.deployments());
        let next = Next {
            besides: NanoUsd(one.besides.0.saturating_add(self.held.0)),
            is_hedge: true,
            ..one
        };
        for _ in 0..LEASES {
            let ticket = match self.worker.port.next(next.clone()).await {
                Ok(ticket) => ticket,
                Err(denied) => {
                    log::debug!(
                        "no second call: {}",
                        crate::journey::admission::Denial(&denied)
                    );
                    return None;
                }
            };
            let prepared = (self.worker).leased(&self.routes, ticket.lease, &self.destination);
            let Some(prepared) = prepared else {
                self.worker.port.return_lease(ticket, next.group);
                continue;
            };
            return Some(Side {
                deployment: as_asked(&prepared.deployment, &self.asked),
                index: ticket.lease.deployment,
                prepared,
                lease: Some(ticket.lease),
                is_repeat: tried.holds(ticket.lease.deployment),
                began: Instant::now(),
                group: self.group(),
                port: self.worker.port.clone(),
            });
        }
        None
    }

    /// Two calls were made at the same time, the first of them at `began`.
    pub fn hedged(&mut self, began: Instant) {
        self.calls = self.calls.saturating_add(1);
        self.hedged_since = Some(began);
    }

    /// The second call is the request's from now on, and the first one stands beside it.
    pub fn change_sides(&mut self, side: &mut Side, began: Instant) {
        std::mem::swap(&mut self.deployment, &mut side.deployment);
        std::mem::swap(&mut self.deployment_index, &mut side.index);
        std::mem::swap(&mut self.prepared, &mut side.prepared);
        std::mem::swap(&mut self.lease, &mut side.lease);
        std::mem::swap(&mut self.is_repeat, &mut side.is_repeat);
        // What was waited before it began is not its own.
        self.waited_before = self.upstream_time + side.began.saturating_duration_since(began);
        std::mem::swap(&mut self.attempt_began, &mut side.began);
    }

    /// The call beside has failed.
    pub fn side_failed(&mut self, mut side: Side, failure: &Failure) {
        let outcome = self.outcome_at(&side.deployment, side.is_repeat, failure);
        if let Some(lease) = side.lease.take() {
            side.end(lease, outcome, Used::default());
        }
        let id = side.deployment.id.clone();
        self.remember_call(id, failure.class.as_str(), failure.status);
    }

    /// The call beside was ended because the request has its answer. Its provider says no usage: it has read the prompt.
    pub fn side_lost(&mut self, mut side: Side) {
        let told = Told::default();
        let priced = self.price_at(&side.deployment, &side.prepared, &told, true);
        self.carried.add(&priced);
        if let Some(lease) = side.lease.take() {
            let used = Used {
                input: priced.usage.prompt_tokens(),
                output: 0,
                cost: priced.bill.spend(),
            };
            self.spends(&lease, used.cost);
            side.end(lease, Outcome::Neutral, used);
        }
        let id = side.deployment.id.clone();
        self.remember_call(id, LOST, LOST_STATUS);
    }

    /// Milliseconds that the group needed for the first content, also where two calls were made for it: else the slow ones
    /// would be forgotten, and more and more calls look slow.
    pub(super) fn first_content_ms(&self) -> Option<u32> {
        let first = self.arrived + self.own_first_token?;
        let since = self.hedged_since.unwrap_or(self.attempt_began);
        let time = first.saturating_duration_since(since).as_millis();
        Some(u32::try_from(time).unwrap_or(u32::MAX))
    }
}
