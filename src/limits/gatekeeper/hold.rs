//! What a call that was let in holds: more where it goes on at a dearer place, less when it does not after all.

use super::{Gatekeeper, HoldId, MOST_HELD};
use crate::limits::entity::ScopeKind;
use crate::limits::refusal::Refusal;
use crate::types::NanoUsd;

impl Gatekeeper {
    /// Lets a call that was let in cost up to `hold`: it goes on in a dearer model group. What it holds grows in every scope or
    /// in none, and never shrinks. A budget refuses as it does at [`Self::admit`], but for what this call holds of it already.
    pub fn raise(&mut self, id: HoldId, hold: NanoUsd, now: u64) -> Result<(), Refusal> {
        let Some(kept) = self
            .holds
            .get(id.slot as usize)
            .filter(|kept| kept.open && kept.generation == id.generation)
            .copied()
        else {
            return Ok(());
        };
        for share in kept.shares {
            let Some(entity) = share
                .entity
                .and_then(|place| self.entities.get(place.0 as usize))
            else {
                continue;
            };
            let more = NanoUsd(hold.0.saturating_sub(share.held.0));
            let is_bound = entity.kind != ScopeKind::User || kept.user_budget_binds;
            let was_checked = !kept.free && (!self.strict || more.0 <= 0);
            if is_bound && !was_checked {
                entity
                    .check_budget(more, self.strict)
                    .map_err(|limited| entity.refusal(limited, now, self.window_ms))?;
            }
        }
        let Some(open) = self.holds.get_mut(id.slot as usize) else {
            return Ok(());
        };
        open.free = false;
        for share in &mut open.shares {
            let Some(entity) = share
                .entity
                .and_then(|place| self.entities.get_mut(place.0 as usize))
            else {
                continue;
            };
            let left = entity.uncommitted().unwrap_or(MOST_HELD);
            let more = hold.0.min(MOST_HELD).saturating_sub(share.held.0);
            let more = more.clamp(0, left.clamp(0, MOST_HELD));
            entity.held.0 = entity.held.0.saturating_add(more);
            share.held.0 += more;
        }
        Ok(())
    }

    /// A call costs no more than `hold` after all: what it holds beyond that is free again in every scope.
    pub fn lower(&mut self, id: HoldId, hold: NanoUsd) {
        let Some(open) = self
            .holds
            .get_mut(id.slot as usize)
            .filter(|kept| kept.open && kept.generation == id.generation)
        else {
            return;
        };
        for share in &mut open.shares {
            let entities = &mut self.entities;
            let entity = share
                .entity
                .and_then(|place| entities.get_mut(place.0 as usize));
            if let Some(entity) = entity {
                let less = share.held.0.saturating_sub(hold.0).max(0);
                entity.held.0 -= less;
                share.held.0 -= less;
            }
        }
    }
}
