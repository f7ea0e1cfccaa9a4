//! HTTP/2 to providers who offer it: few connections, many calls on each.
//!
//! `origin` is whom to reach: it decides what is spoken there, keeps the connections and opens another when all are full;
//! `connection` is one of them, with its limit of streams and its pings; `exchange` is one request and its answer. awc's own
//! HTTP/2 keeps a call from every other while it waits for its head and knows no limits, so only its HTTP/1.1 is used.
//! Nothing here knows what a request says.

mod connection;
mod exchange;
mod origin;

pub use exchange::{Head, Http2Body, SendError, exchange};
pub use origin::{Origin, Spoken};
