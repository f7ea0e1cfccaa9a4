//! Whose key it is: a cache on each worker thread in front of the store.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use subtle::ConstantTimeEq;

use super::caller::{AuthError, Caller, Known};
use super::changes::{Change, Changes};
use super::credential::abbreviated;
use crate::store::messages::LoadPrincipal;
use crate::store::{Store, StoreError, ask};
use crate::types::{KeyHash, KeyOptions, ModelAccess, Principal, Role, Scope};

/// Known keys a thread keeps.
const MOST_KNOWN: usize = 100_000;
/// Unknown keys a thread keeps, and for how long: a flood of wrong keys must not become a flood of reads.
const MOST_UNKNOWN: usize = 10_000;
/// Between two tries to read a key that is known while the database is away.
const AGAIN: Duration = Duration::from_secs(5);
/// How long a caller that is known waits for the row to be read again.
const STALE_PATIENCE: Duration = Duration::from_secs(1);
const UNKNOWN_TTL: Duration = Duration::from_secs(5);

/// Who LiteLLM takes callers for that it lets in while the database is away.
const UNLOOKED: &str = "__db_unavailable_fallback__";

/// What logs call a caller without a key.
const ANYBODY: &str = "no_master_key";

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
            options: KeyOptions {
                client_mocks: true,
                ..KeyOptions::default()
            },
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
    Principal {
        key_hash: logged,
        key: Scope::unlimited(logged.to_string()),
        key_alias: Some(alias.into()),
        key_name: None,
        role,
        is_master: false,
        blocked: false,
        expires_at: None,
        retires_at: None,
        allowed_routes: Vec::new(),
        aliases: Vec::new(),
        models: ModelAccess::default(),
        user: Some(Scope::unlimited("default_user_id")),
        user_models: ModelAccess::default(),
        team: None,
        team_models: ModelAccess::default(),
        team_blocked: false,
        options: KeyOptions::default(),
    }
}

struct Entry {
    /// `None`: the store does not know the key.
    known: Option<Rc<Known>>,
    loaded: Instant,
}

/// One a worker thread.
pub struct Directory {
    store: Store,
    master: Option<Arc<Master>>,
    master_known: Option<Rc<Known>>,
    /// Who everybody is while there is no master key.
    anybody: Option<Rc<Known>>,
    unlooked: Rc<Known>,
    changes: Arc<Changes>,
    /// How many changes this thread knows of.
    seen: Cell<u64>,
    /// Whether a former secret of a key was ever presented: then a key may be known under another hash.
    has_former: Cell<bool>,
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
        changes: Arc<Changes>,
        ttl: Duration,
        default_parallel: Option<u64>,
    ) -> Self {
        let known = |principal: Arc<Principal>| Rc::new(Known::new(principal));
        let anybody = || known(Arc::new(unlimited(ANYBODY, Role::InternalUser)));
        Self {
            store,
            master_known: master
                .as_ref()
                .map(|master| known(master.principal.clone())),
            anybody: master.is_none().then(anybody),
            unlooked: known(Arc::new(Principal {
                user: Some(Scope::unlimited(UNLOOKED)),
                ..unlimited(UNLOOKED, Role::InternalUser)
            })),
            master,
            seen: Cell::new(changes.count()),
            changes,
            has_former: Cell::new(false),
            ttl,
            default_parallel,
            entries: RefCell::default(),
            unknown: Cell::new(0),
        }
    }

    /// Who a caller is whose key cannot be looked up because the database is away, where such callers are let in.
    pub fn unlooked(&self) -> Caller {
        let known = self.unlooked.clone();
        Caller { known }
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
        let known = self.lookup(hash, now_ms()).await?.ok_or_else(unknown)?;
        let principal = &known.principal;
        if principal.retires_at.is_some_and(|at| at <= now_ms()) {
            return Err(unknown());
        }
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

    async fn lookup(&self, hash: KeyHash, now_ms: i64) -> Result<Option<Rc<Known>>, AuthError> {
        self.catch_up();
        let seen = self.seen.get();
        let mut stale = None;
        if let Some(entry) = self.entries.borrow().get(&hash) {
            let age = entry.loaded.elapsed();
            let is_fresh = match entry.known {
                Some(_) => age < self.ttl,
                None => age < UNKNOWN_TTL,
            };
            if is_fresh {
                return Ok(entry.known.clone());
            }
            stale = entry.known.clone();
        }
        let read = LoadPrincipal {
            key_hash: hash,
            now_ms,
        };
        let asking = ask(&self.store.auth, read);
        let answer = match &stale {
            None => asking.await,
            // Who is known waits so long and not longer; others with the same key do not wait at all meanwhile.
            Some(_) => {
                self.ask_again_after(hash, STALE_PATIENCE);
                match tokio::time::timeout(STALE_PATIENCE, asking).await {
                    Ok(answer) => answer,
                    Err(_) => Err(StoreError::Unavailable("no answer in time".to_owned())),
                }
            }
        };
        match answer {
            Ok(principal) => {
                let known = principal.map(|principal| self.known(principal));
                // What changed while it was being read may be missing in it: good for this request, which began before.
                if !self.has_changed_since(seen, hash, known.as_deref()) {
                    self.remember(hash, known.clone());
                }
                Ok(known)
            }
            Err(error) => {
                log::warn!("auth: a key could not be read: {error}");
                // Keys that are known keep working while the database is away, and are not asked for again at once.
                let known = stale.ok_or(AuthError::NoDatabase)?;
                self.ask_again_after(hash, AGAIN);
                Ok(Some(known))
            }
        }
    }

    /// Believes what is known of a key for so long, or as long as any row is.
    fn ask_again_after(&self, hash: KeyHash, time: Duration) {
        if let Some(entry) = self.entries.borrow_mut().get_mut(&hash) {
            let believed = self.ttl.saturating_sub(time).min(entry.loaded.elapsed());
            entry.loaded = Instant::now() - believed;
        }
    }

    fn known(&self, mut principal: Principal) -> Rc<Known> {
        let limits = &mut principal.key.limits;
        limits.max_parallel_requests = limits.max_parallel_requests.or(self.default_parallel);
        Rc::new(Known::new(Arc::new(principal)))
    }

    /// Forgets what has changed since this thread last looked.
    fn catch_up(&self) {
        if self.changes.count() == self.seen.get() {
            return;
        }
        let (changes, count) = self.changes.since(self.seen.get());
        let mut entries = self.entries.borrow_mut();
        match changes {
            None => {
                entries.clear();
                self.unknown.set(0);
            }
            Some(changes) => {
                for change in changes {
                    if let (Change::Key(hash), false) = (&change, self.has_former.get()) {
                        entries.remove(hash);
                    } else {
                        entries
                            .retain(|hash, entry| !touches(&change, *hash, entry.known.as_deref()));
                    }
                }
            }
        }
        self.seen.set(count);
    }

    fn has_changed_since(&self, seen: u64, hash: KeyHash, known: Option<&Known>) -> bool {
        if self.changes.count() == seen {
            return false;
        }
        match self.changes.since(seen).0 {
            None => true,
            Some(changes) => changes.iter().any(|change| touches(change, hash, known)),
        }
    }

    fn remember(&self, hash: KeyHash, known: Option<Rc<Known>>) {
        if known
            .as_ref()
            .is_some_and(|known| known.principal.key_hash != hash)
        {
            self.has_former.set(true);
        }
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
        let loaded = Instant::now();
        entries.insert(hash, Entry { known, loaded });
    }
}

/// Whether a change concerns what is known under `hash`.
fn touches(change: &Change, hash: KeyHash, known: Option<&Known>) -> bool {
    let principal = known.map(|known| &known.principal);
    match change {
        Change::Key(changed) => {
            *changed == hash || principal.is_some_and(|known| known.key_hash == *changed)
        }
        Change::User(id) => {
            principal.is_some_and(|known| known.user.as_ref().is_some_and(|user| user.id == *id))
        }
        Change::Team(id) => {
            principal.is_some_and(|known| known.team.as_ref().is_some_and(|team| team.id == *id))
        }
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
