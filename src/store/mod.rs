//! The database: SQLite or PostgreSQL behind one code path.
//!
//! Schema, rows and typed queries, and the `DbExecutor` threads that run them. The other rooms send a message of
//! [`messages`] to one of the three addresses of a [`Store`]; tests and command-line tools call [`queries`] on a
//! connection of their own. What the two databases do differently is in `dialect.rs` alone.
//!
//! Nothing here decides anything about a request, and nothing here runs on a worker thread: every call blocks.
//! Texts that come out of the database are never trusted to be what we wrote.

mod breaker;
mod cached;
mod connection;
mod day_of;
mod dialect;
mod error;
mod executor;
mod flush;
pub mod messages;
mod migrate;
mod names;
mod open;
mod postgres_url;
pub mod queries;
mod rows;
mod schema;
mod sum;

#[cfg(test)]
mod tests;

pub use connection::AnyConnection;
pub use error::StoreError;
pub use executor::{DbExecutor, Query, ask};
pub use flush::{FlushBatch, FlushItem, FlushReport, JournalId, RefusedRow};
pub use names::NameCache;
pub use open::{Pools, Store};
pub use rows::{
    DeletedKeyRow, HealthRow, KeptTurn, KeyChanges, KeyInfo, KeyRow, KeyUpdate, LearntRow,
    ModelRow, NewKey, NewTeam, NewUser, OwnerType, Rotation, TeamRow, UserRow, WindowRow,
};
