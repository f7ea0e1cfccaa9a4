//! Decisions as pure functions of data and `now`: strategies, windows, retries, estimates, cost.
//!
//! The actors call them and commit what they answer. Nothing here touches actix, a socket, a clock or the database, which is
//! what makes every rule testable by table and by property.

pub mod access;
pub mod auto_router;
pub mod by_class;
pub mod caller_settings;
pub mod claims;
pub mod client_access;
pub mod cooldown;
pub mod cost;
pub mod duration;
pub mod ewma;
pub mod fallback;
pub mod hedging;
pub mod latency;
pub mod mid_stream;
pub mod output_estimate;
pub mod priority_queue;
pub mod proxies;
pub mod retry;
pub mod selection;
pub mod shortlist;
pub mod spends;
pub mod strategies;
pub mod token_count;
pub mod upstream_error;
pub mod wildcard;
pub mod window;
