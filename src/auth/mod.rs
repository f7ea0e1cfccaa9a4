//! Credentials to callers.
//!
//! `credential` finds the key among the headers that clients of every kind use; `directory` knows whose it is, cached on each
//! worker thread, and `changes` tells them what to read again; `permission` says what a role may do. A [`Caller`] comes from
//! here and nowhere else. Keys are looked up by
//! their hash alone; their text is neither kept nor logged.

mod caller;
mod changes;
mod credential;
mod directory;
mod permission;
mod route_access;

pub use caller::{AuthError, Caller, Known};
pub use changes::{Change, Changes};
pub use credential::{CredentialError, abbreviated, credential};
pub(crate) use directory::iso;
pub use directory::{Directory, Master};
pub use permission::{Permission, Refused};
pub use route_access::{Visited, is_granted, is_within};
