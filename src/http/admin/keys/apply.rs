//! Writing a change, and telling everybody whom it concerns: the very next request must see it.

use super::find::not_found;
use crate::auth::Change;
use crate::http::error::ApiError;
use crate::http::route::now_ms;
use crate::journey::Shared;
use crate::limits::{Enroll, ScopeKind, SetSpent, SpentChange};
use crate::spend::BookRenewals;
use crate::store::{KeyInfo, KeyUpdate, ask, messages};
use crate::types::{KeyHash, NanoUsd};

/// Changes a key. The gatekeeper takes over new limits with the next request, whose key is read anew.
pub async fn apply(
    shared: &Shared,
    hash: KeyHash,
    info: &KeyInfo,
    update: KeyUpdate,
) -> Result<KeyInfo, ApiError> {
    if update.changes.budget_reset_at.is_some() && info.row.budget_reset_at.is_some() {
        // What the former rhythm has ended is booked by it.
        if let Err(error) = shared.renewals.send(BookRenewals).await {
            log::error!("budgets: resets are booked later: {error}");
        }
    }
    let change = messages::ChangeKey {
        key_hash: hash,
        update,
    };
    let changed = ask(&shared.store.admin, change).await?;
    shared.changes.tell(Change::Key(hash));
    changed.ok_or_else(|| not_found("Key not found."))
}

/// Sets what a key has spent. The gatekeeper is the authority: it says by how much that changes the books, in which calls
/// may still be missing.
pub async fn set_spend(
    shared: &Shared,
    hash: KeyHash,
    spent: NanoUsd,
) -> Result<KeyInfo, ApiError> {
    let gatekeeper = shared.control.gatekeeper();
    let silent = |_| ApiError::unavailable("the gatekeeper does not answer");
    let read = messages::LoadPrincipal {
        key_hash: hash,
        now_ms: now_ms(),
    };
    let principal = ask(&shared.store.auth, read)
        .await?
        .ok_or_else(|| not_found("Key not found."))?;
    let id = principal.key.id.clone();
    let scopes = [Some(principal.key), None, None];
    let enrolled = gatekeeper.send(Enroll { scopes }).await.map_err(silent)?;
    if enrolled.is_none() {
        return Err(ApiError::broken());
    }
    let set = |change| SetSpent {
        kind: ScopeKind::Key,
        id: id.clone(),
        change,
    };
    let more = gatekeeper
        .send(set(SpentChange::To(spent)))
        .await
        .map_err(silent)?
        .unwrap_or_default();
    let update = KeyUpdate {
        spend: more,
        now_ms: now_ms(),
        ..KeyUpdate::default()
    };
    let change = messages::ChangeKey {
        key_hash: hash,
        update,
    };
    match ask(&shared.store.admin, change).await {
        Ok(changed) => {
            shared.changes.tell(Change::Key(hash));
            changed.ok_or_else(|| not_found("Key not found."))
        }
        Err(error) => {
            // It was not written, so it is not so.
            let back = SpentChange::By(NanoUsd(more.0.saturating_neg()));
            let _ = gatekeeper.send(set(back)).await;
            Err(error.into())
        }
    }
}
