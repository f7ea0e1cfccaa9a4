//! Reading what a request goes on from.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::{Continuity, ReferenceError, is_native};
use crate::auth::Caller;
use crate::journey::failure::Failure;
use crate::journey::routes::Routes;
use crate::journey::worker::Worker;
use crate::protocol::continuity::{is_for_some, joined, latest_origin, output_of, own_items};
use crate::protocol::json::{self, decoded, scan_object};
use crate::protocol::openai::request::{Request, RequestError};
use crate::responses::{Holder, Owner, Recall, ResponseId};
use crate::router::{Deployment, Destination, Pin, RoutingTable};
use crate::store::KeptTurn;
use crate::types::LedgerId;

/// What was read.
pub struct Resumed {
    pub continuity: Continuity,
    /// The request with what it goes on from; `None`: as it came.
    pub body: Option<Bytes>,
}

/// The fields that refer to something.
#[derive(Default)]
struct Told<'a> {
    input: Option<&'a [u8]>,
    previous: Option<&'a [u8]>,
    stores: Option<&'a [u8]>,
    background: Option<&'a [u8]>,
}

impl<'a> Told<'a> {
    fn read(body: &'a [u8]) -> Self {
        let mut told = Self::default();
        // It has been scanned before: it is an object, no key is escaped, none comes twice.
        let _ = scan_object(body, |field| {
            let value = &body[field.value];
            match &body[field.key] {
                b"input" => told.input = Some(value),
                b"previous_response_id" if value != b"null" => told.previous = Some(value),
                b"store" => told.stores = Some(value),
                b"background" => told.background = Some(value),
                _ => {}
            }
        });
        told
    }
}

/// Reads what a request of the Responses API goes on from.
pub async fn resume(
    worker: &Rc<Worker>,
    routes: &Routes,
    caller: &Caller,
    request: &Request<'_>,
) -> Result<Resumed, Failure> {
    let told = Told::read(request.bytes());
    let keeping = &routes.settings().responses;
    let input = told.input.unwrap_or_default();
    let mut continuity = Continuity {
        owner: Owner::of(caller.principal()),
        previous: None,
        previous_turn: None,
        pin: None,
        stores: told.stores != Some(b"false"),
        is_background: told.background == Some(b"true"),
        own_input: request.share(input),
        is_for_some: is_for_some(input),
    };
    let members = Members::of(routes, caller, request);
    let Some(previous) = told.previous else {
        if continuity.is_for_some {
            continuity.pin = members.made_by(latest_origin(input).as_deref());
        }
        return Ok(Resumed {
            continuity,
            body: None,
        });
    };
    let previous = decoded(previous).ok_or(Failure::Request(RequestError::WrongType {
        field: "previous_response_id",
        expected: "the id of a response",
    }))?;
    let unknown = || Failure::Reference(ReferenceError::Unknown(previous.clone()));
    let id = ResponseId::open(&worker.shared.vault, &previous).ok_or_else(unknown)?;
    if !keeping.open_to_all && !id.owner.admits(caller.principal()) {
        return Err(unknown());
    }
    let fields = match id.holder {
        Holder::Upstream { deployment, id } => {
            let pinned = members.keeper_of(&previous, &deployment);
            continuity.pin = Some(pinned.map_err(Failure::Reference)?);
            vec![("previous_response_id".to_owned(), json::quoted(&id))]
        }
        Holder::Here(turn) => {
            let turns = recall(worker, turn, &previous)
                .await
                .map_err(Failure::Reference)?;
            let own = own_items(input).unwrap_or_else(|| b"[]".to_vec());
            let said = turns.iter().rev();
            let said = said.flat_map(|turn| [&turn.input[..], output_of(&turn.answer)]);
            let all = joined(said.chain([own.as_slice()]));
            let most = routes.settings().most_request_bytes;
            if all.len() > most {
                let id = previous;
                return Err(Failure::Reference(ReferenceError::TooLong { id, most }));
            }
            continuity.is_for_some = is_for_some(&all);
            continuity.pin = members.made_by(latest_origin(&all).as_deref());
            continuity.previous_turn = Some(turn);
            vec![
                ("input".to_owned(), all),
                ("previous_response_id".to_owned(), b"null".to_vec()),
            ]
        }
    };
    continuity.previous = Some(previous);
    Ok(Resumed {
        continuity,
        body: Some(request.with_fields(&fields)),
    })
}

/// The conversation that ends with a turn, newest first, if all of it is there.
async fn recall(
    worker: &Rc<Worker>,
    turn: LedgerId,
    previous: &str,
) -> Result<Vec<Arc<KeptTurn>>, ReferenceError> {
    let recalled = worker.shared.keeper.send(Recall(turn)).await;
    let turns = match recalled {
        Ok(Ok(turns)) => turns,
        Ok(Err(error)) => {
            log::warn!("a conversation cannot be read: {error}");
            return Err(ReferenceError::Unavailable);
        }
        Err(_) => return Err(ReferenceError::Unavailable),
    };
    match turns.last() {
        None => Err(ReferenceError::Unknown(previous.to_owned())),
        Some(first) if first.previous.is_some() => {
            Err(ReferenceError::Incomplete(previous.to_owned()))
        }
        Some(_) => Ok(turns),
    }
}

/// The deployments that may take a request.
struct Members<'a> {
    table: &'a RoutingTable,
    /// `None`: the request's model is nobody's, which admission tells.
    destination: Option<Destination>,
}

impl<'a> Members<'a> {
    fn of(routes: &'a Routes, caller: &Caller, request: &Request<'_>) -> Self {
        let table = routes.table();
        let resolve = |model| table.resolve_for(caller.principal(), model).ok();
        Self {
            table,
            destination: request.model().and_then(resolve),
        }
    }

    fn all(&self) -> impl Iterator<Item = (u32, &'a Arc<Deployment>)> {
        let table = self.table;
        let destination = self.destination.as_ref();
        let group = destination.and_then(|to| table.group(to.group));
        let members = group.map_or(&[][..], |group| &group.members);
        let only = destination.and_then(|to| to.only);
        let members = members
            .iter()
            .filter(move |member| only.is_none_or(|only| only == member.deployment));
        members.filter_map(move |member| {
            Some((member.deployment, table.deployment(member.deployment)?))
        })
    }

    /// The member that calls the same account as `made_by`; itself, if it is one.
    fn kin(&self, made_by: &Deployment) -> Option<u32> {
        let own = self.all().find(|(_, member)| member.id == made_by.id);
        let kin = || {
            self.all()
                .find(|(_, member)| is_native(member) && member.is_same_account(made_by))
        };
        own.or_else(kin).map(|(number, _)| number)
    }

    /// Who can read what this deployment made; others may take the call without it.
    fn made_by(&self, deployment: Option<&str>) -> Option<Pin> {
        let (_, made_by) = find_deployment(self.table, deployment?)?;
        Some(Pin {
            deployment: self.kin(made_by)?,
            is_strict: false,
            is_named: false,
        })
    }

    /// Who has the responses that this deployment made: nobody else can go on from them.
    fn keeper_of(&self, id: &str, deployment: &str) -> Result<Pin, ReferenceError> {
        let gone = || ReferenceError::DeploymentGone {
            id: id.to_owned(),
            deployment: deployment.to_owned(),
        };
        let (number, made_by) = find_deployment(self.table, deployment).ok_or_else(gone)?;
        let pin = |deployment| Pin {
            deployment,
            is_strict: true,
            is_named: false,
        };
        if self.destination.is_none() {
            return Ok(pin(number));
        }
        let elsewhere = || ReferenceError::KeptElsewhere {
            id: id.to_owned(),
            made_by: made_by.group.to_string(),
        };
        self.kin(made_by).map(pin).ok_or_else(elsewhere)
    }
}

/// A deployment by its id.
pub fn find_deployment<'a>(
    table: &'a RoutingTable,
    id: &str,
) -> Option<(u32, &'a Arc<Deployment>)> {
    table
        .deployments()
        .find(|(_, deployment)| *deployment.id == *id)
}
