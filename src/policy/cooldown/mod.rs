//! When a failing deployment is left out, and for how long: LiteLLM 1.106.2's rules, as functions of data and `now`; and how it
//! comes back, which is ours.
//!
//! A [`Fault`] is all that a failed call tells. [`Rules`] are what the configuration says, compiled once for each deployment;
//! [`Health`] is what has happened to it, and owned by the Deployment. Windows are evaluated when they are looked at, so nothing
//! here needs a timer. Calls that the gateway refused itself, and clients that left, never come here.

mod fault;
mod health;
mod rules;
#[cfg(test)]
mod tests;
mod trial;

pub use fault::Fault;
pub use health::{Cooling, Health, State};
pub use rules::{AllowedFails, Limits, Rules, Shares};
pub use trial::Return;
