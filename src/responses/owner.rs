//! Whose a response is.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::types::{KeyHash, Principal, Role, Scope};

/// The user and the team of a key, or a key that has neither, as a digest. Two callers with the same one may refer to each
/// other's responses, as in LiteLLM 1.106.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner([u8; 16]);

impl Owner {
    pub fn of(principal: &Principal) -> Self {
        let id = |scope: &Option<Scope>| scope.as_ref().map(|scope| scope.id.clone());
        let (user, team) = (id(&principal.user), id(&principal.team));
        Self::new(&principal.key_hash, user.as_deref(), team.as_deref())
    }

    /// See [`Self::of`].
    pub(super) fn new(key: &KeyHash, user: Option<&str>, team: Option<&str>) -> Self {
        let mut hash = Sha256::new();
        for (kind, id) in [("user", user), ("team", team)] {
            if let Some(id) = id {
                hash.update(kind);
                hash.update((id.len() as u64).to_le_bytes());
                hash.update(id.as_bytes());
            }
        }
        if user.is_none() && team.is_none() {
            hash.update("key");
            hash.update(key.as_bytes());
        }
        let digest: [u8; 32] = hash.finalize().into();
        Self(digest.first_chunk().copied().unwrap_or_default())
    }

    /// Whether this caller may refer to what is `self`'s: an administrator may refer to everything.
    pub fn admits(self, principal: &Principal) -> bool {
        principal.role == Role::ProxyAdmin || self == Self::of(principal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_team_own_else_the_key() {
        let of = |key: &str, user, team| Owner::new(&KeyHash::of(key), user, team);
        assert_eq!(of("a", Some("u"), None), of("b", Some("u"), None));
        assert_eq!(of("a", None, Some("t")), of("b", None, Some("t")));
        for (one, other) in [
            (of("a", None, None), of("b", None, None)),
            (of("a", Some("u"), None), of("a", Some("v"), None)),
            (of("a", Some("u"), None), of("a", None, Some("u"))),
            (of("a", Some("u"), Some("t")), of("a", Some("u"), None)),
            (of("a", Some("u"), None), of("a", None, None)),
        ] {
            assert_ne!(one, other);
        }
    }
}
