//! OpenAI's Responses: what it refuses, what it answers, whole and as a stream, and what it keeps of it.
//!
//! Written from its API reference, not from the gateway's translator. `check` is as strict as the provider is; what it lets
//! pass is answered from the [`Behaviour`](super::Behaviour) that also answers chats and messages.

mod check;
mod check_items;
mod items;
mod kept;
mod object;
mod stream;

pub use check::{Caller, check};
pub use kept::{Shelf, compacted, kept};
pub use object::whole;
pub use stream::{failure, payloads};
