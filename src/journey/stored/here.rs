//! Errands about responses that are kept here.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::{Errand, ErrandError, Inquiry};
use crate::journey::worker::Worker;
use crate::protocol::continuity::{joined, output_of, page_of};
use crate::responses::{Forget, Recall};
use crate::store::{KeptTurn, StoreError};
use crate::types::LedgerId;

pub async fn done(
    worker: &Rc<Worker>,
    inquiry: &Inquiry<'_>,
    turn: LedgerId,
) -> Result<Bytes, ErrandError> {
    let unknown = || ErrandError::Unknown(inquiry.id.to_owned());
    if let Errand::Delete = inquiry.errand {
        let was_there = told(worker.shared.keeper.send(Forget(turn)).await)?;
        if !was_there {
            return Err(unknown());
        }
        let gone = json!({"id": inquiry.id, "object": "response", "deleted": true});
        return Ok(gone.to_string().into());
    }
    let turns: Vec<Arc<KeptTurn>> = told(worker.shared.keeper.send(Recall(turn)).await)?;
    let newest = turns.first().ok_or_else(unknown)?;
    match &inquiry.errand {
        // It was whole before it was kept.
        Errand::Cancel => Err(ErrandError::NotInBackground),
        Errand::Show | Errand::Delete => Ok(newest.answer.clone()),
        Errand::ListInput(page) => {
            let before = turns.iter().skip(1).rev();
            let before = before.flat_map(|turn| [&turn.input[..], output_of(&turn.answer)]);
            let items = joined(before.chain([&newest.input[..]]));
            let oldest = turns.last().unwrap_or(newest).id;
            let listed = page_of(&items, page, &oldest.to_string().replace('-', ""));
            let after = page.after.clone().unwrap_or_default();
            Ok(listed.ok_or(ErrandError::NoSuchItem(after))?.into())
        }
    }
}

/// What the keeper has told.
fn told<T>(answer: Result<Result<T, StoreError>, actix::MailboxError>) -> Result<T, ErrandError> {
    match answer {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            log::warn!("a kept response cannot be read: {error}");
            Err(ErrandError::Unavailable)
        }
        Err(_) => Err(ErrandError::Unavailable),
    }
}
