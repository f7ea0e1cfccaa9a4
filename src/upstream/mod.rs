//! Calls to providers over HTTP, on the worker's own thread.
//!
//! A worker has one [`Client`]: its connections are its own, and never shared by deployments whose TLS differs. What a
//! deployment's requests have in common (address, headers, key) is prepared once and frozen. `dial` makes connections
//! (`dns`, `race`, proxies, `tls`); awc speaks HTTP/1.1 on them (`handshake`: and opens WebSockets), `http2` the other. This room moves bytes and tells what went
//! wrong; it knows no protocol of models, and of policy only what an address inside is and which proxy to take.

mod answer;
mod body;
mod client;
mod close_delimited;
mod decode;
mod dial;
mod dns;
mod handshake;
mod http2;
mod race;
mod tls;
mod transport;
mod wire;

pub use answer::{Answer, ReadError};
pub use client::{CallError, Client, Endpoint, EndpointError};
pub use decode::Decoder;
pub use handshake::HandshakeError;
pub use tls::{TlsError, certificates, check, check_entry, key};
