//! Who is calling, as authentication found it.

use std::sync::Arc;

use super::{KeyHash, NanoUsd};

/// What a caller may administer. Texts are those of the users table and of LiteLLM's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    ProxyAdmin,
    ProxyAdminViewer,
    InternalUser,
    InternalUserViewer,
    /// A key without a user: inference, and information about itself.
    Unknown,
}

impl Role {
    /// The role of a user row; a row with no or an unknown role acts as `internal_user`.
    pub fn of_user(text: Option<&str>) -> Self {
        match text {
            Some("proxy_admin") => Self::ProxyAdmin,
            Some("proxy_admin_viewer") => Self::ProxyAdminViewer,
            Some("internal_user_viewer") => Self::InternalUserViewer,
            _ => Self::InternalUser,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProxyAdmin => "proxy_admin",
            Self::ProxyAdminViewer => "proxy_admin_viewer",
            Self::InternalUser => "internal_user",
            Self::InternalUserViewer => "internal_user_viewer",
            Self::Unknown => "unknown",
        }
    }
}

/// Limits of one entity; `None` is unlimited, `Some(0)` blocks everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests per window.
    pub rpm: Option<u64>,
    /// Tokens per window.
    pub tpm: Option<u64>,
    /// Requests at the same time.
    pub max_parallel_requests: Option<u64>,
    /// Money in all, or since the last reset.
    pub max_budget: Option<NanoUsd>,
    /// Money from which on a warning is logged; nothing is refused for it.
    pub soft_budget: Option<NanoUsd>,
}

/// One entity whose limits a call must fit and whose spend it adds to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// `user_id` or `team_id`; for a key its hash in hex.
    pub id: Arc<str>,
    pub limits: Limits,
    /// What the store had booked when this was read.
    pub spend: NanoUsd,
    /// When the budget begins anew; `None`: never.
    pub reset: Option<BudgetReset>,
    /// Grows with every change of the stored row (its `updated_at`): of two readings the greater one is newer.
    pub version: i64,
}

impl Scope {
    /// An entity that nothing limits and no row stands for.
    pub fn unlimited(id: impl Into<Arc<str>>) -> Self {
        Self {
            id: id.into(),
            limits: Limits::default(),
            spend: NanoUsd(0),
            reset: None,
            version: 0,
        }
    }
}

/// A budget that begins anew at times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetReset {
    /// `budget_duration` as it was given: `30d`, `1mo` …
    pub every: Arc<str>,
    /// The next time, milliseconds since the Unix epoch.
    pub at: i64,
}

/// A list of models at one scope: empty, `*` and `all-proxy-models` allow every model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelAccess(pub Vec<String>);

/// What a key, and its team, say about its calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyOptions {
    /// `tags` of key and team: tags of every call.
    pub tags: Vec<Arc<str>>,
    /// `allow_client_mock_response` of the key.
    pub client_mocks: bool,
    /// `allowed_model_region` of the key, else of the team: its calls go to deployments of this region.
    pub region: Option<Arc<str>>,
    /// `router_settings` of the key, else of the team, as they are stored: a JSON map that is not empty.
    pub router_settings: Option<Arc<str>>,
}

/// The caller of one request: immutable, shared by all requests of a key while it is cached.
#[derive(Clone, Debug)]
pub struct Principal {
    pub key_hash: KeyHash,
    /// Lower-case hex of `key_hash`.
    pub key: Scope,
    pub key_alias: Option<Arc<str>>,
    /// `sk-...` and the last four characters.
    pub key_name: Option<Arc<str>>,
    pub role: Role,
    pub is_master: bool,
    pub blocked: bool,
    /// Milliseconds since the Unix epoch.
    pub expires_at: Option<i64>,
    /// The secret that was presented is a former one of a regenerated key, good until then (milliseconds since the Unix
    /// epoch).
    pub retires_at: Option<i64>,
    /// Routes and groups of routes the key is held to; none: all that its role may.
    pub allowed_routes: Vec<String>,
    /// Names the key has of its own for models: name, model.
    pub aliases: Vec<(String, String)>,
    pub models: ModelAccess,
    pub user: Option<Scope>,
    pub user_models: ModelAccess,
    pub team: Option<Scope>,
    pub team_models: ModelAccess,
    pub team_blocked: bool,
    pub options: KeyOptions,
}
