//! Errands about responses that were made before: showing one, deleting it, cancelling it, listing what it was made from.
//!
//! They go to whom the response's id names: the store, or the deployment that made it. They ask no model, so they cost
//! nothing and take no slot. Who may not refer to a response is told what is told of one that never was.

mod error;
mod here;
pub mod upstream;

use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::header::HeaderMap;
use bytes::Bytes;

pub use error::ErrandError;

use super::failure::{Failure, Refused};
use super::worker::Worker;
use crate::auth::Caller;
use crate::protocol::continuity::Page;
use crate::responses::{Holder, ResponseId};

/// What is to be done with a response.
#[derive(Clone, Debug)]
pub enum Errand {
    Show,
    Delete,
    Cancel,
    /// A page of what it was made from.
    ListInput(Page),
}

/// An errand of a client.
pub struct Inquiry<'a> {
    /// The response's id as the client wrote it.
    pub id: &'a str,
    pub errand: Errand,
    /// Query parameters that an upstream is asked with, `name=value`, encoded.
    pub query: &'a str,
    pub call_id: Arc<str>,
}

/// Does an errand: headers and body of the answer.
pub async fn inquire(
    worker: &Rc<Worker>,
    caller: &Caller,
    inquiry: &Inquiry<'_>,
) -> Result<(HeaderMap, Bytes), Refused> {
    done(worker, caller, inquiry)
        .await
        .map_err(|failure| Refused {
            failure,
            call_id: inquiry.call_id.clone(),
            key_spend: None,
            timeout: None,
        })
}

async fn done(
    worker: &Rc<Worker>,
    caller: &Caller,
    inquiry: &Inquiry<'_>,
) -> Result<(HeaderMap, Bytes), Failure> {
    let routes = worker.routes();
    let unknown = || Failure::Errand(ErrandError::Unknown(inquiry.id.to_owned()));
    let id = ResponseId::open(&worker.shared.vault, inquiry.id).ok_or_else(unknown)?;
    let open_to_all = routes.settings().responses.open_to_all;
    if !open_to_all && !id.owner.admits(caller.principal()) {
        return Err(unknown());
    }
    match &id.holder {
        Holder::Here(turn) => here::done(worker, inquiry, *turn)
            .await
            .map(|body| (HeaderMap::new(), body))
            .map_err(Failure::Errand),
        Holder::Upstream { deployment, .. } => {
            let found = super::continuity::find_deployment(routes.table(), deployment);
            let prepared = found.and_then(|(number, _)| routes.deployment(number));
            let prepared = prepared.ok_or_else(|| {
                Failure::Errand(ErrandError::DeploymentGone {
                    id: inquiry.id.to_owned(),
                    deployment: deployment.to_string(),
                })
            })?;
            upstream::done(worker, prepared, inquiry, &id).await
        }
    }
}
