//! Deployments that the database keeps beside those of the file.
//!
//! `sealed` makes texts unreadable before they are written down and opens them again, LiteLLM's too; a [`StoredModel`] is a row
//! with its parameters opened; `change` is what `/model/*` may ask for and what it makes of a row; [`Models`] is what has
//! become of all rows. The routes ask with [`ChangeModel`] and [`TryModel`]; `run` writes rows and puts them in force. Nothing here opens a
//! connection, and nothing here shows a secret.

mod all;
mod change;
mod error;
mod sealed;
mod stored;
mod trial;

pub use all::Models;
pub use change::{ChangeModel, ModelChange, ModelUpdate, NewModel, added, updated};
pub use error::ChangeError;
pub use stored::StoredModel;
pub use trial::TryModel;
