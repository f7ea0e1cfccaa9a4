//! The configuration file: YAML text in, a typed [`Config`] and a list of [`Diagnostic`]s out.
//!
//! The file is LiteLLM's (1.106.2): same sections, same names, same YAML dialect, same `os.environ/NAME` lookups and the
//! same deployment ids. `main` calls [`Config::load`] and prints what it reports; every later room reads the typed fields
//! and never YAML. One pass reports every problem, each with file, line, column and path.
//!
//! This room reads the file and those it includes, and asks the environment only through the function it is given. It opens
//! no connection, logs nothing, and no message of it ever contains a secret.

mod auto_mode;
mod class_map;
mod client_limits;
mod cooldown;
mod cost_adjustments;
mod credentials;
mod crosscheck;
mod database_parts;
mod default_params;
mod diagnostic;
mod difference;
mod drain_route;
mod fallbacks;
pub mod fields;
mod general_settings;
mod health_checks;
mod hedge;
mod include;
mod litellm_settings;
mod load;
mod master_key;
mod model;
mod network;
mod outline;
mod plan;
mod price_file;
mod provider_budgets;
mod read;
mod redact;
mod resolve;
mod response_keeping;
mod retry_policy;
mod review;
mod router_settings;
mod routing;
mod source;
mod stored_models;
mod suggest;
#[cfg(test)]
mod tests;
mod variables;
mod with_stored;
mod yaml;

pub use auto_mode::{AUTO, AUTO_LARGE, AutoMode};
pub use client_limits::ClientLimits;
pub use diagnostic::{Diagnostic, Severity};
pub use difference::{ChangedDeployment, Difference, NamedDeployment};
pub use drain_route::DrainRoute;
pub use general_settings::{BudgetEnforcement, GeneralSettings};
pub use health_checks::{HealthCheckInfo, HealthChecks};
pub use litellm_settings::LitellmSettings;
pub use load::{Config, Loaded, Source};
pub use master_key::MasterKeyProblem;
pub use model::{ClientsideParam, LitellmParams, ModelEntry, ModelInfo, PriceField};
pub use network::{Curve, NetworkSettings, OwnTls, TlsChoice, Trust};
pub use outline::Outline;
pub use plan::Plan;
pub use redact::{may_be_shown, shown_address};
pub use response_keeping::ResponseKeeping;
pub use router_settings::{Affinity, GroupAlias, RouterSettings};
pub use routing::RoutingGroup;
pub use source::{LoadError, MAX_FILE_BYTES};
pub use stored_models::StoredModels;
pub use suggest::nearest;
pub use with_stored::{Reading, StoredEntry};
