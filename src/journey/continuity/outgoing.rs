//! An answer of the Responses API on its way to the client.

use std::sync::Arc;

use bytes::Bytes;

use super::{Continuity, is_native, keeps_responses};
use crate::journey::charge::Charge;
use crate::policy::duration::Span;
use crate::protocol::continuity::{Names, Outward, Rename, own_items};
use crate::responses::{Holder, Keep, ResponseId};
use crate::router::Deployment;
use crate::store::KeptTurn;
use crate::types::Operation;
use crate::vault::Vault;

/// The state of one answer: its names are changed as it passes, and when it has ended it is kept, if nobody else does.
pub struct Outgoing {
    outward: Outward,
    /// How long it is kept here; `None`: not here.
    retention: Option<Span>,
}

impl Outgoing {
    /// For the answer of the deployment that `charge` has called; `None`: it is no answer of the Responses API.
    pub fn of(charge: &Charge) -> Option<Self> {
        let continuity = charge.asked.continuity.as_ref()?;
        let deployment = charge.deployment();
        let (is_native, is_kept_there) = (is_native(deployment), keeps_responses(deployment));
        let keeping = &charge.routes.settings().responses;
        let stores = continuity.stores && charge.operation == Operation::Responses;
        let retention = keeping.retention.filter(|_| stores && !is_kept_there);
        let names = Names {
            response: (stores && (is_kept_there || retention.is_some()))
                .then(|| names(continuity, charge, deployment, is_kept_there)),
            previous: continuity
                .previous
                .clone()
                .map(|previous| -> Rename { Box::new(move |_| Some(previous.clone())) }),
            deployment: is_native.then(|| deployment.id.to_string()),
        };
        Some(Self {
            outward: Outward::new(names),
            retention,
        })
    }

    /// What comes from now on is this deployment's: it goes on with what another one began.
    pub fn is_made_by(&mut self, deployment: &Deployment) {
        let own = is_native(deployment).then(|| deployment.id.to_string());
        self.outward.is_made_by(own.as_deref());
    }

    /// A whole answer.
    pub fn whole(&mut self, charge: &Charge, answer: Bytes) -> Bytes {
        let answer = self.outward.whole(answer);
        self.keep(charge);
        answer
    }

    /// The next bytes of a stream. When they hold its last event it is kept before they leave.
    pub fn pass(&mut self, charge: &Charge, out: Bytes) -> Bytes {
        let had_ended = self.outward.ended().is_some();
        let out = self.outward.pass(out);
        if !had_ended {
            self.keep(charge);
        }
        out
    }

    /// What waits for the end of an event that does not come.
    pub fn finish(&mut self) -> Bytes {
        self.outward.finish()
    }

    /// The last bytes of a stream that has failed.
    pub fn last(&mut self, out: Bytes) -> Bytes {
        let out = self.outward.pass(out);
        [&out[..], &self.outward.finish()].concat().into()
    }

    fn keep(&self, charge: &Charge) {
        let (Some(retention), Some(answer)) = (self.retention, self.outward.ended()) else {
            return;
        };
        let Some(continuity) = &charge.asked.continuity else {
            return;
        };
        let created_at = charge.started_at / 1000;
        let Some(expires_at) = retention.expires_at(created_at) else {
            return;
        };
        let own = own_items(&continuity.own_input);
        let turn = KeptTurn {
            id: charge.ledger_id,
            previous: continuity.previous_turn,
            created_at,
            expires_at,
            input: own.map_or(Bytes::from_static(b"[]"), Bytes::from),
            answer: answer.clone(),
        };
        charge.worker.shared.keeper.do_send(Keep(turn));
    }
}

fn names(
    continuity: &Continuity,
    charge: &Charge,
    deployment: &Arc<Deployment>,
    is_kept_there: bool,
) -> Rename {
    let (owner, vault) = (continuity.owner, charge.worker.shared.vault.clone());
    let (turn, deployment) = (charge.ledger_id, deployment.clone());
    let seal = move |vault: &Vault, upstream: &str| {
        let holder = if is_kept_there {
            Holder::Upstream {
                deployment: (*deployment.id).into(),
                id: upstream.into(),
            }
        } else {
            Holder::Here(turn)
        };
        ResponseId { owner, holder }.seal(vault)
    };
    Box::new(move |upstream| {
        let sealed = seal(&vault, upstream);
        sealed
            .inspect_err(|error| log::error!("a response gets no id of ours: {error}"))
            .ok()
    })
}
