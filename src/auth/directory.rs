//! Whose key it is: a cache on each worker thread in front of the store.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use subtle::ConstantTimeEq;

use super::caller::{AuthError, Caller, Known};
use super::credential::abbreviated;
use crate::store::messages::LoadPrincipal;
use crate::store::{Store, ask};
use crate::types::{KeyHash, Limits, ModelAccess, NanoUsd, Principal, Role, Scope};

/// Known keys a thread keeps.
const MOST_KNOWN: usize = 100_000;
/// Unknown keys a thread keeps, and for how long: a flood of wrong keys must not become a flood of reads.
const MOST_UNKNOWN: usize = 10_000;
/// Between two tries to read a key that is known while the database is away.
const AGAIN: Duration = Duration::from_secs(5);
const UNKNOWN_TTL: Duration = Duration::from_secs(5);

/// What logs call a caller without a key.
const ANYBODY: &str = "no_master_key";

/// Raised when a key is made: threads that remember it as unknown look again.
#[derive(Debug, Default)]
pub struct Epoch(AtomicU64);

impl Epoch {
    pub fn raise(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// The master key: only its hash is kept.
pub struct Master {
    hash: KeyHash,
    principal: Arc<Principal>,
}

impl Master {
    /// What LiteLLM logs instead of the master key's hash, so that no log holds anything derived from it.
    const ALIAS: &str = "litellm_proxy_master_key";

    pub fn new(key: &str) -> Self {
        Self::of_hash(KeyHash::of(key))
    }

    /// For a key whose text nobody has any more.
    pub fn of_hash(hash: KeyHash) -> Self {
        let principal = Principal {
            is_master: true,
            ..unlimited(Self::ALIAS, Role::ProxyAdmin)
        };
        Self {
            hash,
            principal: Arc::new(principal),
        }
    }

    fn is(&self, hash: &KeyHash) -> bool {
        self.hash.as_bytes().ct_eq(hash.as_bytes()).into()
    }
}

/// A principal that no row describes: it has no limits, and `alias` stands where a key's hash and alias would.
fn unlimited(alias: &str, role: Role) -> Principal {
    let logged = KeyHash::of(alias);
    let scope = |id: &str| Scope {
        id: id.into(),
        limits: Limits::default(),
        spend: NanoUsd(0),
    };
    Principal {
        key_hash: logged,
        key: scope(&logged.to_string()),
        key_alias: Some(alias.into()),
        key_name: None,
        role,
        is_master: false,
        blocked: false,
        expires_at: None,
        models: ModelAccess::default(),
        user: Some(scope("default_user_id")),
        user_models: ModelAccess::default(),
        team: None,
        team_models: ModelAccess::default(),
        team_blocked: false,
    }
}

struct Entry {
    /// `None`: the store does not know the key.
    known: Option<Rc<Known>>,
    loaded: Instant,
    epoch: u64,
}

/// One a worker thread.
pub struct Directory {
    store: Store,
    master: Option<Arc<Master>>,
    master_known: Option<Rc<Known>>,
    /// Who everybody is while there is no master key.
    anybody: Option<Rc<Known>>,
    epoch: Arc<Epoch>,
    ttl: Duration,
    default_parallel: Option<u64>,
    entries: RefCell<HashMap<KeyHash, Entry>>,
    unknown: Cell<usize>,
}

impl Directory {
    /// `ttl` is how long a key's row is believed; `default_parallel` is `general_settings.max_parallel_requests`.
    pub fn new(
        store: Store,
        master: Option<Arc<Master>>,
        epoch: Arc<Epoch>,
        ttl: Duration,
        default_parallel: Option<u64>,
    ) -> Self {
        let known = |principal: Arc<Principal>| {
            Rc::new(Known {
                principal,
                places: Cell::new(None),
            })
        };
        let anybody = || known(Arc::new(unlimited(ANYBODY, Role::InternalUser)));
        Self {
            store,
            master_known: master
                .as_ref()
                .map(|master| known(master.principal.clone())),
            anybody: master.is_none().then(anybody),
            master,
            epoch,
            ttl,
            default_parallel,
            entries: RefCell::default(),
            unknown: Cell::new(0),
        }
    }

    /// The caller of every request while there is no master key, as in LiteLLM: a user, not an administrator.
    pub fn anybody(&self) -> Option<Caller> {
        let known = self.anybody.clone()?;
        Some(Caller { known })
    }

    /// The caller with this key. Blocked keys and teams and expired keys are refused here, for every route.
    pub async fn caller(&self, key: &str, now_ms: impl Fn() -> i64) -> Result<Caller, AuthError> {
        let hash = KeyHash::of(key);
        if let (Some(master), Some(known)) = (&self.master, &self.master_known)
            && master.is(&hash)
        {
            return Ok(Caller {
                known: known.clone(),
            });
        }
        if !key.starts_with("sk-") {
            return Err(AuthError::NotAVirtualKey(masked(key)));
        }
        let unknown = || AuthError::Unknown {
            key: abbreviated(key),
            hash: hash.to_string(),
        };
        let known = self.lookup(hash).await?.ok_or_else(unknown)?;
        let principal = &known.principal;
        if principal.blocked {
            return Err(AuthError::KeyBlocked);
        }
        if let Some(expires) = principal.expires_at {
            let now = now_ms();
            if expires <= now {
                return Err(AuthError::Expired {
                    key: abbreviated(key),
                    expires: iso(expires),
                    now: iso(now),
                });
            }
        }
        if let (true, Some(team)) = (principal.team_blocked, &principal.team) {
            return Err(AuthError::TeamBlocked(team.id.clone()));
        }
        Ok(Caller { known })
    }

    async fn lookup(&self, hash: KeyHash) -> Result<Option<Rc<Known>>, AuthError> {
        let epoch = self.epoch.now();
        let mut stale = None;
        if let Some(entry) = self.entries.borrow().get(&hash) {
            let age = entry.loaded.elapsed();
            let is_fresh = match entry.known {
                Some(_) => age < self.ttl,
                None => entry.epoch == epoch && age < UNKNOWN_TTL,
            };
            if is_fresh {
                return Ok(entry.known.clone());
            }
            stale = entry.known.clone();
        }
        match ask(&self.store.auth, LoadPrincipal { key_hash: hash }).await {
            Ok(principal) => Ok(self.remember(hash, principal, epoch)),
            Err(error) => {
                log::warn!("auth: a key could not be read: {error}");
                // Keys that are known keep working while the database is away, and are not asked for again at once.
                let known = stale.ok_or(AuthError::NoDatabase)?;
                if let Some(entry) = self.entries.borrow_mut().get_mut(&hash) {
                    entry.loaded =
                        Instant::now() - self.ttl.saturating_sub(AGAIN).min(entry.loaded.elapsed());
                }
                Ok(Some(known))
            }
        }
    }

    fn remember(
        &self,
        hash: KeyHash,
        principal: Option<Principal>,
        epoch: u64,
    ) -> Option<Rc<Known>> {
        let known = principal.map(|mut principal| {
            let limits = &mut principal.key.limits;
            limits.max_parallel_requests = limits.max_parallel_requests.or(self.default_parallel);
            Rc::new(Known {
                principal: Arc::new(principal),
                places: Cell::new(None),
            })
        });
        let mut entries = self.entries.borrow_mut();
        if entries.len() >= MOST_KNOWN + MOST_UNKNOWN
            || (known.is_none() && self.unknown.get() >= MOST_UNKNOWN)
        {
            entries.retain(|_, entry| entry.known.is_some() && entry.loaded.elapsed() < self.ttl);
            self.unknown.set(0);
            if entries.len() >= MOST_KNOWN {
                entries.clear();
            }
        }
        if known.is_none() {
            self.unknown.set(self.unknown.get() + 1);
        }
        entries.insert(
            hash,
            Entry {
                known: known.clone(),
                loaded: Instant::now(),
                epoch,
            },
        );
        known
    }
}

/// Some text that is no key: its ends, for recognition.
fn masked(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() < 12 {
        return "****".to_owned();
    }
    let head: String = characters.iter().take(4).collect();
    let tail: String = characters.iter().skip(characters.len() - 4).collect();
    format!("{head}****{tail}")
}

/// Milliseconds since the Unix epoch as ISO 8601, UTC.
pub(crate) fn iso(ms: i64) -> String {
    let time = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000);
    time.ok()
        .and_then(|time| {
            time.format(&time::format_description::well_known::Rfc3339)
                .ok()
        })
        .unwrap_or_else(|| ms.to_string())
}
