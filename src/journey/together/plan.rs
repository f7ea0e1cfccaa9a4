//! Which calls a request stands for, within bounds.

use std::num::NonZeroUsize;
use std::rc::Rc;

use bytes::Bytes;

use super::super::body_room::Share as BodyShare;
use super::super::failure::Failure;
use super::super::reply::{Incoming, OwnedIncoming};
use super::super::worker::Worker;
use crate::auth::Caller;
use crate::protocol;
use crate::protocol::conversations::conversations;
use crate::protocol::openai::request::{Request, RequestError};
use crate::protocol::openai::shape::wrong;

/// Between names.
pub const COMMA: char = ',';
/// Most calls of one request.
const MOST: usize = 128;
const FIRST_WINS: &str = "fastest_response";

/// See the module.
pub struct Plan {
    /// In order: by conversations, of each by models.
    pub calls: Vec<OwnedIncoming>,
    /// How many calls a conversation has, where several models get several conversations: each then has a list of its own.
    pub row: Option<NonZeroUsize>,
    /// The first answer ends the other calls.
    pub first_wins: bool,
    pub is_stream: bool,
}

impl Plan {
    /// Reads a request that is meant so, and asks the caller's lists about every model of it.
    pub fn read(
        worker: &Worker,
        caller: &Caller,
        incoming: &Incoming<'_>,
    ) -> Result<Self, Box<Failure>> {
        let several = conversations(&incoming.body);
        let body = several.as_ref().map_or(&incoming.body, |all| &all.shared);
        let shape = protocol::shape(incoming.operation);
        let request = Request::read(shape, body, incoming.model.as_deref());
        let request = request.map_err(Failure::Request)?;
        let Some(model) = request.model() else {
            return Err(Failure::UnknownModel(None).into());
        };
        let routes = worker.routes();
        let (table, principal) = (routes.table(), caller.principal());
        let is_one_name = !model.contains(COMMA) || table.has_name(principal, model);
        let models = if is_one_name {
            vec![model]
        } else {
            names(model).map_err(Failure::Request)?
        };
        let each = several.as_ref().map_or(&[][..], |all| &all.each);
        let first_wins = first_wins(&request, each.len()).map_err(Failure::Request)?;
        if request.stream && !first_wins {
            const EXPECTED: &str = "false: several answers are not streamed, unless `fastest_response: true` wants the first of them";
            return Err(Failure::Request(wrong("stream", EXPECTED)).into());
        }
        let count = models.len().saturating_mul(each.len().max(1));
        let bytes = request.bytes().len().saturating_mul(each.len());
        if count > MOST || bytes > routes.settings().most_request_bytes {
            const EXPECTED: &str = "less: a request may stand for 128 calls at most, and what conversations share is counted with each of them";
            let field = if each.is_empty() { "model" } else { "messages" };
            return Err(Failure::Request(wrong(field, EXPECTED)).into());
        }
        for name in &models {
            let denied = |by| Failure::ModelDenied {
                by,
                model: (*name).to_owned(),
            };
            table.permit(principal, name).map_err(denied)?;
        }
        let bodies = bodies(&request, &incoming.body, each);
        let headers = Rc::new(incoming.headers.clone());
        let mut calls = Vec::with_capacity(count);
        for body in &bodies {
            for name in &models {
                let place = calls.len() + 1;
                calls.push(OwnedIncoming {
                    operation: incoming.operation,
                    model: Some((*name).to_owned()),
                    headers: headers.clone(),
                    body: body.clone(),
                    arrived: incoming.arrived,
                    started_at: incoming.started_at,
                    // Ids of answers are made of it.
                    call_id: match first_wins {
                        true => incoming.call_id.clone(),
                        false => format!("{}-{place}", incoming.call_id).into(),
                    },
                    client_ip: incoming.client_ip.clone(),
                    // The client's own body has its share already.
                    share: match each.is_empty() {
                        true => None,
                        false => Some(room(worker, body)?),
                    },
                    is_copy: false,
                });
            }
        }
        let has_rows = !each.is_empty() && models.len() > 1;
        Ok(Self {
            calls,
            row: NonZeroUsize::new(models.len()).filter(|_| has_rows),
            first_wins,
            is_stream: request.stream,
        })
    }
}

/// The names of a list.
fn names(list: &str) -> Result<Vec<&str>, RequestError> {
    let names: Vec<&str> = list.split(COMMA).map(str::trim).collect();
    match names.iter().any(|name| name.is_empty()) {
        true => Err(wrong(
            "model",
            "the name of a model, or several with a comma between them",
        )),
        false => Ok(names),
    }
}

fn first_wins(request: &Request<'_>, conversations: usize) -> Result<bool, RequestError> {
    match request.addressed(FIRST_WINS) {
        None | Some(b"false" | b"null") => Ok(false),
        Some(b"true") if conversations == 0 => Ok(true),
        Some(b"true") => Err(wrong(
            FIRST_WINS,
            "left out: each of several conversations gets an answer",
        )),
        Some(_) => Err(wrong(FIRST_WINS, "true or false")),
    }
}

/// A body for each conversation; the client's own where there is one alone.
fn bodies(request: &Request<'_>, whole: &Bytes, each: &[Bytes]) -> Vec<Bytes> {
    if each.is_empty() {
        return vec![whole.clone()];
    }
    let body =
        |messages: &Bytes| request.with_fields(&[("messages".to_owned(), messages.to_vec())]);
    each.iter().map(body).collect()
}

/// Room for a body that is held beside the client's.
fn room(worker: &Worker, body: &Bytes) -> Result<BodyShare, Box<Failure>> {
    let mut share = worker.shared.bodies.share();
    match share.grow(body.len()) {
        Ok(()) => Ok(share),
        Err(_) => Err(Failure::ControlFailed.into()),
    }
}
