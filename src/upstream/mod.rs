//! Calls to providers over HTTP, by awc, on the worker's own thread.
//!
//! A worker has one [`Client`]: its connections are its own. What a deployment's requests have in common (address, headers,
//! key) is prepared once and frozen. This room moves bytes and tells what went wrong; it knows no protocol; of policy only what an address inside is.

mod answer;
mod body;
mod client;
mod connector;
mod decode;
mod public_only;

pub use answer::{Answer, ReadError};
pub use client::{CallError, Client, Endpoint, EndpointError};
