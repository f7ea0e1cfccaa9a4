//! What a provider makes of OpenAI's parameters.
//!
//! A [`Rule`] is what a row of the table says of one parameter; a [`Plan`] is what all rules come to for one deployment,
//! compiled once. The journey asks a plan about each request: it answers with [`Changes`] to top-level fields, or with the
//! parameters that the provider does not serve ([`Unsupported`]). Pure; it sees names and values, never edits a body.

mod apply;
mod name;
mod openai_models;
mod path;
mod plan;
mod rule;

pub use apply::{Change, Changes, Field, Wishes};
pub use name::{Parameter, ParameterSet};
pub use path::{Path, PathError, Step};
pub use plan::{Model, Plan, Settings, Unsupported};
pub use rule::{Action, Rule, RuleError};
