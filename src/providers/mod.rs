//! Who speaks which protocol where: one table of providers, and what follows from its rows.
//!
//! The configuration asks it which provider a model belongs to, where that lives and which key goes there; the routing
//! table asks it for the address of each operation and for what the provider makes of OpenAI's parameters. A provider that
//! differs by its address, its key and its quirks is a row of `providers.tsv`; nobody else keeps a list of providers.
//! Pure: environment variables come in through a function, nothing is sent. It must never hand a key to an address that is
//! not its provider's.
//!
//! `providers.tsv` has one provider a line, sorted by name, columns separated by tabs, empty ones at the end of a line left
//! out: name (the prefix of a model), title, protocol, base address, variables that name another one, variables that hold the
//! key, ways to send the key, operations served, rules for parameters, everything else. [`table`] reads them; a name alone,
//! with its title and `own`, stands for a protocol that is not spoken yet.

mod address;
mod anthropic;
mod azure;
mod betas;
mod entra;
mod origin;
pub mod parameters;
mod provider;
mod resolve;
mod table;
mod url;

pub use address::{Address, AddressError, Given};
pub use anthropic::VERSION as ANTHROPIC_VERSION;
pub use azure::escaped;
pub use betas::{Betas, Selected};
pub use entra::{Application, Entra, Grant, GrantError, bearer};
pub use provider::{AuthWay, ChatAbilities, MessageRules, Protocol, Provider};
pub use resolve::{ProviderError, Target, owner, resolve};
pub use table::{all, find, or_generic};
