//! `model_list`: the deployments.
//!
//! An entry becomes a [`ModelEntry`] with its id, its provider, the address it is called at and the key that goes there.
//! An entry that cannot be used is skipped with a warning and the others stay, as in LiteLLM; a field with an impossible
//! value is an error. Nothing here knows how a provider is called.

mod access_windows;
mod auto_router;
mod azure;
mod clientside;
mod entry;
mod id;
mod info;
mod list;
mod params;
mod price;
mod python;

pub use auto_router::files as files_of_routes;
pub use clientside::{ClientsideParam, read as clientside_params};
pub use entry::{ModelEntry, read as read_one};
pub use info::ModelInfo;
pub use list::read;
pub use params::{LitellmParams, MAX_RETRIES};
pub use price::{PriceField, read_all as read_prices};
