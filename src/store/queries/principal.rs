//! A key's hash → the caller.

use std::sync::Arc;

use diesel::prelude::*;

use super::super::rows::OwnerType;
use super::super::schema::{keys, model_grants, teams, users};
use super::super::{AnyConnection, StoreError};
use crate::types::{KeyHash, Limits, ModelAccess, NanoUsd, Principal, Role, Scope};

/// The columns of a key that authentication needs; the rest stays unread.
#[derive(Queryable, Selectable)]
#[diesel(table_name = keys)]
struct AuthKey {
    token_hash: String,
    key_name: Option<String>,
    key_alias: Option<String>,
    user_id: Option<String>,
    team_id: Option<String>,
    blocked: bool,
    expires_at: Option<i64>,
    spend: NanoUsd,
    max_budget: Option<NanoUsd>,
    tpm_limit: Option<i64>,
    rpm_limit: Option<i64>,
    max_parallel_requests: Option<i64>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
struct AuthUser {
    user_id: String,
    user_role: Option<String>,
    spend: NanoUsd,
    max_budget: Option<NanoUsd>,
    tpm_limit: Option<i64>,
    rpm_limit: Option<i64>,
    max_parallel_requests: Option<i64>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = teams)]
struct AuthTeam {
    team_id: String,
    blocked: bool,
    spend: NanoUsd,
    max_budget: Option<NanoUsd>,
    tpm_limit: Option<i64>,
    rpm_limit: Option<i64>,
    max_parallel_requests: Option<i64>,
}

type Joined = (AuthKey, Option<AuthUser>, Option<AuthTeam>);

/// The caller whose key has this hash. Blocked and expired keys are answered too: judging them is the caller's part.
pub fn load_principal(
    conn: &mut AnyConnection,
    hash: KeyHash,
) -> Result<Option<Principal>, StoreError> {
    let hex = hash.to_string();
    // Every join is by a primary key.
    let user = users::table.on(users::user_id.nullable().eq(keys::user_id));
    let team = teams::table.on(teams::team_id.nullable().eq(keys::team_id));
    let joined: Option<Joined> = keys::table
        .left_join(user)
        .left_join(team)
        .filter(keys::token_hash.eq(&hex))
        .select((
            AuthKey::as_select(),
            Option::<AuthUser>::as_select(),
            Option::<AuthTeam>::as_select(),
        ))
        .first(conn)
        .optional()?;
    let Some((key, user, team)) = joined else {
        return Ok(None);
    };
    let grants = Grants::load(conn, &key)?;

    Ok(Some(Principal {
        key_hash: hash,
        key: scope(
            hex,
            key.spend,
            limits(
                key.rpm_limit,
                key.tpm_limit,
                key.max_parallel_requests,
                key.max_budget,
            ),
        ),
        key_alias: key.key_alias.map(Arc::from),
        key_name: key.key_name.map(Arc::from),
        role: match (&key.user_id, &user) {
            (None, _) => Role::Unknown,
            // A user without a row has the rights of one without a role.
            (Some(_), user) => {
                Role::of_user(user.as_ref().and_then(|user| user.user_role.as_deref()))
            }
        },
        is_master: false,
        blocked: key.blocked,
        expires_at: key.expires_at,
        models: grants.of(OwnerType::Key),
        user: match (user, key.user_id) {
            (Some(user), _) => {
                let limits = limits(
                    user.rpm_limit,
                    user.tpm_limit,
                    user.max_parallel_requests,
                    user.max_budget,
                );
                Some(scope(user.user_id, user.spend, limits))
            }
            // Named, but not created: nothing limits it, and its spend is logged under its id.
            (None, Some(id)) => Some(scope(id, NanoUsd(0), Limits::default())),
            (None, None) => None,
        },
        user_models: grants.of(OwnerType::User),
        team_blocked: team.as_ref().is_some_and(|team| team.blocked),
        team: team.map(|team| {
            let limits = limits(
                team.rpm_limit,
                team.tpm_limit,
                team.max_parallel_requests,
                team.max_budget,
            );
            scope(team.team_id, team.spend, limits)
        }),
        team_models: grants.of(OwnerType::Team),
    }))
}

fn scope(id: String, spend: NanoUsd, limits: Limits) -> Scope {
    Scope {
        id: id.into(),
        limits,
        spend,
    }
}

/// A negative limit, which only an import could have brought in, blocks like 0.
fn limits(
    rpm: Option<i64>,
    tpm: Option<i64>,
    parallel: Option<i64>,
    max_budget: Option<NanoUsd>,
) -> Limits {
    let count = |n: Option<i64>| n.map(|n| u64::try_from(n).unwrap_or_default());
    Limits {
        rpm: count(rpm),
        tpm: count(tpm),
        max_parallel_requests: count(parallel),
        max_budget,
    }
}

/// The models of key, user and team, in the order they were given.
struct Grants(Vec<(i16, String)>);

impl Grants {
    fn load(conn: &mut AnyConnection, key: &AuthKey) -> Result<Self, StoreError> {
        use model_grants::{model, owner_id, owner_type, position};
        let of = |owner: OwnerType, id: &str| {
            owner_type.eq(owner as i16).and(owner_id.eq(id.to_owned()))
        };
        // An owner that the key does not have matches nothing: no id is empty.
        let user = key.user_id.as_deref().unwrap_or_default();
        let team = key.team_id.as_deref().unwrap_or_default();
        let grants = model_grants::table
            .filter(
                of(OwnerType::Key, &key.token_hash)
                    .or(of(OwnerType::User, user))
                    .or(of(OwnerType::Team, team)),
            )
            .order((owner_type, position))
            .select((owner_type, model))
            .load(conn)?;
        Ok(Self(grants))
    }

    fn of(&self, owner: OwnerType) -> ModelAccess {
        let models = self.0.iter().filter(|(of, _)| *of == owner as i16);
        ModelAccess(models.map(|(_, model)| model.clone()).collect())
    }
}
