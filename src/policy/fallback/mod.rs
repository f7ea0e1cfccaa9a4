//! Which group is asked when another one has failed for good.
//!
//! `lists` are what configuration, key or team, and request say, and which of them an error is for; `read` takes them from
//! JSON; `walk` is one request's way along them; `circle` finds lists that lead back to where they began, so that no configuration with one is loaded. The journey asks after
//! the retries of a group are spent. Nothing here knows deployments, clocks or HTTP: groups are names and indexes. The rules
//! are those of LiteLLM 1.106.2.

mod circle;
mod lists;
mod read;
mod walk;

pub use circle::{Circle, circle};
pub use lists::{Fallbacks, Kind, Layered, List, Target, Targets};
pub use read::ListError;
pub use walk::{Hop, Walk};
