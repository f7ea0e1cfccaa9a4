//! The door: routes, extractors, and how errors look in each protocol.
//!
//! Every sub-room exports its own slice of [`Route`]s, each with a permission; [`routes`] is the one list of all, from which
//! the server is built and which tests walk. A handler gets a `Call` whose caller has already been let in.

mod about;
mod admin;
mod anthropic;
mod body;
mod call_id;
mod cors;
mod docs;
mod error;
mod health;
mod inference;
mod metrics;
mod missing;
mod models;
mod openai;
mod query;
mod refusal;
mod responses;
mod root_path;
mod route;
mod server;

pub use about::{About, Answer, Tag};
pub use cors::Cors;
pub use docs::DocsSettings;
pub use error::{ApiError, Surface};
pub use root_path::{RootPath, RootPathError};
pub use route::{Route, routes};
pub use server::{OwnCertificate, Running, ServeError, TlsFiles, serve};
