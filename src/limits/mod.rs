//! Limits and budgets: reserve in every scope at once or in none, settle later.
//!
//! [`Gatekeeper`] is plain state, pure in data and `now`; it lives on the control thread, where every admission of the process
//! is decided one after the other, so limits are exact without a lock. `actor` gives it a mailbox for its slow life (an entity
//! seen for the first time, edits, reports). Nothing here does I/O: what an entity had spent before is told by the store once,
//! and from then on this room is the authority.

mod actor;
mod entity;
mod gatekeeper;
mod refusal;
mod resets;

pub use actor::{
    Enroll, Forget, GatekeeperActor, Knows, Rename, Report, Reported, SetSpent, TakeRenewals,
};
pub use entity::{EntityIx, ScopeKind, Standing};
pub use gatekeeper::{Ask, Gatekeeper, HoldId, Settlement, SpentChange};
pub use refusal::{Limited, Refusal};
pub use resets::Renewal;
