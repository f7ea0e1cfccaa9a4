//! What a response id stands for, and the conversations that this gateway keeps itself.
//!
//! A client gets ids that only we can read ([`ResponseId`]): they say whose the response is and where it is kept, at the
//! deployment that made it or here. For upstreams that keep nothing the [`Keeper`] holds what was asked and answered, in memory
//! until the store has it. The journey asks and tells; nobody here knows a protocol or decides where a call goes.

mod id;
mod keeper;
mod owner;

pub use id::{Holder, PREFIX, ResponseId};
pub use keeper::{FlushTurns, Forget, Keep, Keeper, Recall};
pub use owner::Owner;
