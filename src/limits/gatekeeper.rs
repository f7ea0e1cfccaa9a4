//! Admission and settlement over all scopes of a call.

mod hold;

use std::collections::HashMap;
use std::sync::Arc;

use super::entity::{Entity, EntityIx, ScopeKind, Standing};
use super::refusal::Refusal;
use super::resets::{Agenda, Renewal};
use crate::types::{NanoUsd, Scope};

/// A call has at most this many scopes: key, user, team.
pub const MAX_SCOPES: usize = 3;

/// No call holds more than a million dollars, so that sums of holds stay far from the ends of their type.
const MOST_HELD: i64 = 1_000_000 * 1_000_000_000;

/// The window of a call that takes no place in any: none begins then.
const NO_WINDOW: u64 = u64::MAX;

/// What a call asks for.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// In the order key, user, team.
    pub scopes: [Option<EntityIx>; MAX_SCOPES],
    /// Input tokens, guessed or counted.
    pub input_tokens: u64,
    /// Output tokens asked for (`max_tokens` × `n`), if the request says.
    pub output_tokens: Option<u64>,
    /// Money to hold.
    pub hold: NanoUsd,
    /// The model costs nothing: budgets are not looked at.
    pub free: bool,
    /// The budget of the key's user binds: the key belongs to no team.
    pub user_budget_binds: bool,
    /// A copy of another call: it holds and spends money, and uses up no limit.
    pub is_copy: bool,
}

/// A reservation, given back by [`Gatekeeper::settle`] once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldId {
    slot: u32,
    generation: u32,
}

/// What a call really used. The default, nothing, gives everything back but the request itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settlement {
    pub tokens: u64,
    pub cost: NanoUsd,
}

/// A correction of what an entity has spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpentChange {
    To(NanoUsd),
    By(NanoUsd),
}

#[derive(Clone, Copy, Debug, Default)]
struct Share {
    entity: Option<EntityIx>,
    /// The window the tokens were reserved in.
    window: u64,
    held: NanoUsd,
}

#[derive(Clone, Copy, Debug, Default)]
struct Hold {
    generation: u32,
    open: bool,
    free: bool,
    user_budget_binds: bool,
    is_copy: bool,
    tokens: u64,
    shares: [Share; MAX_SCOPES],
}

/// See the room's head.
#[derive(Debug)]
pub struct Gatekeeper {
    window_ms: u64,
    strict: bool,
    entities: Vec<Entity>,
    by_id: HashMap<(ScopeKind, Arc<str>), EntityIx>,
    holds: Vec<Hold>,
    free_holds: Vec<u32>,
    /// Of the open ones those of copies.
    open_copies: usize,
    overshoot: NanoUsd,
    agenda: Agenda,
    renewals: Vec<Renewal>,
}

impl Gatekeeper {
    /// `window_ms` is the length of every limit window; `strict` keeps spent + held within every budget always.
    pub fn new(window_ms: u64, strict: bool) -> Self {
        Self {
            window_ms,
            strict,
            entities: Vec::new(),
            by_id: HashMap::new(),
            holds: Vec::new(),
            free_holds: Vec::new(),
            open_copies: 0,
            overshoot: NanoUsd(0),
            agenda: Agenda::default(),
            renewals: Vec::new(),
        }
    }

    pub fn is_strict(&self) -> bool {
        self.strict
    }

    /// The place of an entity. At the first time its spend is what the store has booked; later calls update the limits and
    /// leave the money alone, because this state knows more than any row.
    pub fn enroll(&mut self, kind: ScopeKind, scope: &Scope) -> EntityIx {
        let next = EntityIx(self.entities.len() as u32);
        let place = *self.by_id.entry((kind, scope.id.clone())).or_insert(next);
        if place == next {
            self.entities.push(Entity::new(kind, scope));
        }
        let Some(entity) = self.entities.get_mut(place.0 as usize) else {
            return place;
        };
        let has_other_rhythm = place == next || entity.update(scope);
        if let (true, Some(rhythm)) = (has_other_rhythm, entity.rhythm) {
            self.agenda.add(rhythm.at, place.0);
        }
        place
    }

    /// An entity has another id from now on (a key was regenerated); calls under way settle in it all the same.
    pub fn rename(&mut self, kind: ScopeKind, from: &Arc<str>, to: &Arc<str>) {
        let Some(place) = self.by_id.remove(&(kind, from.clone())) else {
            return;
        };
        if let Some(entity) = self.entities.get_mut(place.0 as usize) {
            entity.id = to.clone();
        }
        self.by_id.insert((kind, to.clone()), place);
    }

    /// An entity is gone; if its id ever comes back it is another one.
    pub fn forget(&mut self, kind: ScopeKind, id: &Arc<str>) {
        let place = self.by_id.remove(&(kind, id.clone()));
        if let Some(entity) = place.and_then(|place| self.entities.get_mut(place.0 as usize)) {
            entity.rhythm = None;
        }
    }

    /// Changes what an enrolled entity has spent; the answer is by how much that is more than before.
    pub fn set_spent(
        &mut self,
        kind: ScopeKind,
        id: &Arc<str>,
        change: SpentChange,
    ) -> Option<NanoUsd> {
        let place = self.by_id.get(&(kind, id.clone()))?;
        let entity = self.entities.get_mut(place.0 as usize)?;
        let before = entity.spent.0;
        entity.spent.0 = match change {
            SpentChange::To(amount) => amount.0,
            SpentChange::By(more) => before.saturating_add(more.0),
        };
        Some(NanoUsd(entity.spent.0.saturating_sub(before)))
    }

    /// When the first budget begins anew, milliseconds since the Unix epoch; `None`: none ever does.
    pub fn next_reset(&self) -> Option<i64> {
        self.agenda.next()
    }

    /// Begins every budget anew whose time has come. `now` is in milliseconds since the Unix epoch: calendars go by the wall
    /// clock.
    pub fn reset_due(&mut self, now: i64) {
        while let Some((at, place)) = self.agenda.due(now) {
            let Some(entity) = self.entities.get_mut(place as usize) else {
                continue;
            };
            let Some(rhythm) = entity.rhythm.as_mut().filter(|rhythm| rhythm.at == at) else {
                continue;
            };
            let Some((_, next)) = rhythm.span.window_at(at, now) else {
                entity.rhythm = None;
                continue;
            };
            rhythm.at = next;
            self.agenda.add(next, place);
            self.renewals.push(Renewal {
                kind: entity.kind,
                id: entity.id.clone(),
                spent: std::mem::take(&mut entity.spent),
                was_due: at,
                next,
            });
        }
    }

    /// The budgets that have begun anew since this was last asked.
    pub fn take_renewals(&mut self) -> Vec<Renewal> {
        std::mem::take(&mut self.renewals)
    }

    /// Whether an entity of this id is counted here.
    pub fn knows(&self, kind: ScopeKind, id: &Arc<str>) -> bool {
        self.by_id.contains_key(&(kind, id.clone()))
    }

    pub fn find(&self, kind: ScopeKind, id: &Arc<str>) -> Option<Standing> {
        let place = self.by_id.get(&(kind, id.clone()))?;
        self.entities.get(place.0 as usize).map(Entity::standing)
    }

    pub fn standing(&self, place: EntityIx) -> Standing {
        self.entities
            .get(place.0 as usize)
            .map(Entity::standing)
            .unwrap_or_default()
    }

    /// Lets a call in, charging one request, its tokens and its money in every scope; or refuses it and charges nothing.
    ///
    /// Budgets are looked at first, then requests and parallel calls, then tokens, each in the order of the scopes: the order
    /// in which LiteLLM reports. `now` is in milliseconds of a monotonic clock.
    pub fn admit(&mut self, ask: &Ask, now: u64) -> Result<HoldId, Refusal> {
        let window_ms = self.window_ms;
        for place in ask.scopes.into_iter().flatten() {
            if let Some(entity) = self.entities.get_mut(place.0 as usize) {
                entity.window.roll(now, window_ms);
            }
        }
        let tokens = self.tokens_to_reserve(ask);
        self.check(ask, tokens)
            .map_err(|(entity, limited)| entity.refusal(limited, now, window_ms))?;
        let (slot, generation) = self.free_slot();
        let mut shares = [Share::default(); MAX_SCOPES];
        for (share, place) in shares.iter_mut().zip(ask.scopes) {
            let Some(entity) = place.and_then(|place| self.entities.get_mut(place.0 as usize))
            else {
                continue;
            };
            // The hold shrinks to what is left of a budget (never in strict mode: there it fits).
            let left = entity
                .uncommitted()
                .unwrap_or(MOST_HELD)
                .clamp(0, MOST_HELD);
            let held = if ask.free {
                NanoUsd(0)
            } else {
                NanoUsd(ask.hold.0.clamp(0, left))
            };
            entity.held.0 = entity.held.0.saturating_add(held.0);
            *share = Share {
                entity: place,
                window: NO_WINDOW,
                held,
            };
            if !ask.is_copy {
                entity.in_flight += 1;
                share.window = entity.window.take(now, tokens);
            }
        }
        if let Some(hold) = self.holds.get_mut(slot as usize) {
            *hold = Hold {
                generation,
                open: true,
                free: ask.free,
                user_budget_binds: ask.user_budget_binds,
                is_copy: ask.is_copy,
                tokens,
                shares,
            };
            self.open_copies += usize::from(ask.is_copy);
        }
        Ok(HoldId { slot, generation })
    }

    fn check(&self, ask: &Ask, tokens: u64) -> Result<(), (&Entity, super::Limited)> {
        let entities = || {
            let places = ask.scopes.iter().flatten();
            places.filter_map(|place| self.entities.get(place.0 as usize))
        };
        if !ask.free {
            let bound = |entity: &&Entity| entity.kind != ScopeKind::User || ask.user_budget_binds;
            // Teams are reported before users, whose budgets bind personal keys only.
            let mut budgets: [Option<&Entity>; MAX_SCOPES] = [None; MAX_SCOPES];
            for entity in entities().filter(bound) {
                let rank = match entity.kind {
                    ScopeKind::Key => 0,
                    ScopeKind::Team => 1,
                    ScopeKind::User => 2,
                };
                budgets[rank] = Some(entity);
            }
            for entity in budgets.into_iter().flatten() {
                entity
                    .check_budget(ask.hold, self.strict)
                    .map_err(|limited| (entity, limited))?;
            }
        }
        if ask.is_copy {
            return Ok(());
        }
        for entity in entities() {
            entity
                .check_requests()
                .map_err(|limited| (entity, limited))?;
        }
        for entity in entities() {
            entity
                .check_tokens(tokens)
                .map_err(|limited| (entity, limited))?;
        }
        Ok(())
    }

    /// Input plus output; an output of unknown length counts as a quarter of the smallest limit, at most 1,024.
    fn tokens_to_reserve(&self, ask: &Ask) -> u64 {
        let limits = ask
            .scopes
            .iter()
            .flatten()
            .filter_map(|place| self.entities.get(place.0 as usize)?.limits.tpm);
        let Some(smallest) = limits.min() else {
            return 0;
        };
        let output = ask
            .output_tokens
            .unwrap_or_else(|| (smallest / 4).min(1024));
        ask.input_tokens.saturating_add(output).max(1)
    }

    fn free_slot(&mut self) -> (u32, u32) {
        if let Some(slot) = self.free_holds.pop() {
            let generation = self
                .holds
                .get(slot as usize)
                .map_or(0, |hold| hold.generation.wrapping_add(1));
            return (slot, generation);
        }
        self.holds.push(Hold::default());
        (self.holds.len() as u32 - 1, 0)
    }

    /// Replaces a reservation by what the call used. A second settlement of the same hold changes nothing.
    pub fn settle(&mut self, id: HoldId, actual: Settlement) {
        let Some(hold) = self.close(id) else { return };
        for share in hold.shares {
            let Some(entity) = share
                .entity
                .and_then(|place| self.entities.get_mut(place.0 as usize))
            else {
                continue;
            };
            entity
                .window
                .settle(share.window, hold.tokens, actual.tokens);
            entity.release(share.held, hold.is_copy);
            let before = over(entity);
            entity.spend(actual.cost);
            self.overshoot.0 = self.overshoot.0.saturating_add(over(entity) - before);
        }
    }

    /// Takes an admission back: the call was refused after all, by its deployments, and burns nothing.
    pub fn cancel(&mut self, id: HoldId) {
        let Some(hold) = self.close(id) else { return };
        for share in hold.shares {
            let Some(entity) = share
                .entity
                .and_then(|place| self.entities.get_mut(place.0 as usize))
            else {
                continue;
            };
            entity.window.give_back(share.window, hold.tokens);
            entity.release(share.held, hold.is_copy);
        }
    }

    fn close(&mut self, id: HoldId) -> Option<Hold> {
        let hold = self.holds.get_mut(id.slot as usize)?;
        if !hold.open || hold.generation != id.generation {
            return None;
        }
        hold.open = false;
        self.open_copies -= usize::from(hold.is_copy);
        self.free_holds.push(id.slot);
        Some(*hold)
    }

    /// Reservations that are open now.
    pub fn open_holds(&self) -> usize {
        self.holds.len() - self.free_holds.len()
    }

    /// Of these the ones that are no copies of others.
    pub fn open_calls(&self) -> usize {
        self.open_holds() - self.open_copies
    }

    /// Money held now, over all entities.
    pub fn held(&self) -> NanoUsd {
        NanoUsd(
            self.entities
                .iter()
                .fold(0, |sum, entity| sum.saturating_add(entity.held.0)),
        )
    }

    /// Money spent beyond budgets since the start, over all entities: what calls cost above their holds.
    pub fn overshoot(&self) -> NanoUsd {
        self.overshoot
    }
}

fn over(entity: &Entity) -> i64 {
    entity
        .limits
        .max_budget
        .map_or(0, |budget| entity.spent.0.saturating_sub(budget.0).max(0))
}

#[cfg(test)]
mod tests;
