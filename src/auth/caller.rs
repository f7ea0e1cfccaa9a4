//! Who is calling, and why somebody may not.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use super::credential::CredentialError;
use crate::policy::caller_settings::CallerSettings;
use crate::types::{Principal, Role};

/// A principal as one worker thread knows it, shared by all its requests while it is cached.
pub struct Known {
    pub principal: Arc<Principal>,
    /// Where the gatekeeper counts its key, user and team: raw places, filled at the first call.
    pub places: Cell<Option<[Option<u32>; 3]>>,
    /// What key or team say of the routing of its calls.
    pub settings: Option<Arc<CallerSettings>>,
}

impl Known {
    pub fn new(principal: Arc<Principal>) -> Self {
        let stored = principal.options.router_settings.as_deref();
        Self {
            settings: stored.and_then(CallerSettings::stored),
            principal,
            places: Cell::new(None),
        }
    }
}

/// The caller of one request.
#[derive(Clone)]
pub struct Caller {
    pub known: Rc<Known>,
}

impl Caller {
    pub fn principal(&self) -> &Principal {
        &self.known.principal
    }

    pub fn role(&self) -> Role {
        self.principal().role
    }
}

/// Why a request is not let in. The texts are LiteLLM's: clients match on them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    #[error("Authentication Error, {0}")]
    Credential(#[from] CredentialError),
    #[error("LiteLLM Virtual Key expected. Received={0}, expected to start with 'sk-'.")]
    NotAVirtualKey(String),
    #[error(
        "Authentication Error, Invalid proxy server token passed. Received API Key = {key}, Key Hash (Token) ={hash}. \
         Unable to find token in cache or `LiteLLM_VerificationTokenTable`"
    )]
    Unknown { key: String, hash: String },
    #[error("Authentication Error, Key is blocked. Update via `/key/unblock` if you're an admin.")]
    KeyBlocked,
    #[error(
        "Authentication Error, Team={0} is blocked. Update via `/team/unblock` if you're an admin."
    )]
    TeamBlocked(Arc<str>),
    #[error("Authentication Error - Expired Key. Key Expiry time {expires} and current time {now}")]
    Expired {
        key: String,
        expires: String,
        now: String,
    },
    #[error(
        "Authentication Error, Only proxy admin can be used to generate, delete, update info for new keys/users/teams. \
         Route={route}. Your role={role}"
    )]
    AdminOnly { route: String, role: &'static str },
    #[error("user not allowed to access this route, role= {role}. Trying to access: {route}")]
    Viewer { route: String, role: &'static str },
    #[error(
        "Virtual key is not allowed to call this route. Only allowed to call routes: [{}]. Tried to call route: {route}",
        quoted(.allowed)
    )]
    OtherRoute { allowed: Vec<String>, route: String },
    #[error("the key cannot be checked: the database does not answer")]
    NoDatabase,
}

/// As Python prints a list of texts.
fn quoted(routes: &[String]) -> String {
    let quoted: Vec<String> = routes.iter().map(|route| format!("'{route}'")).collect();
    quoted.join(", ")
}
