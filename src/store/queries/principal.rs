//! A key's hash → the caller.

use std::sync::Arc;

use diesel::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::super::rows::OwnerType;
use super::super::schema::{keys, model_grants, retired_keys, teams, users};
use super::super::{AnyConnection, StoreError};
use super::keys::parsed;
use crate::types::{
    BudgetReset, KeyHash, KeyOptions, Limits, ModelAccess, NanoUsd, Principal, Role, Scope,
};

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
    soft_budget: Option<NanoUsd>,
    budget_duration: Option<String>,
    budget_reset_at: Option<i64>,
    updated_at: i64,
    aliases: String,
    allowed_routes: String,
    metadata: String,
    router_settings: String,
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
    budget_duration: Option<String>,
    budget_reset_at: Option<i64>,
    updated_at: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = teams)]
struct AuthTeam {
    team_id: String,
    blocked: bool,
    metadata: String,
    spend: NanoUsd,
    max_budget: Option<NanoUsd>,
    tpm_limit: Option<i64>,
    rpm_limit: Option<i64>,
    max_parallel_requests: Option<i64>,
    budget_duration: Option<String>,
    budget_reset_at: Option<i64>,
    updated_at: i64,
    router_settings: String,
}

/// The limits of a row that has them.
macro_rules! limits {
    ($row:expr) => {
        Limits {
            rpm: count($row.rpm_limit),
            tpm: count($row.tpm_limit),
            max_parallel_requests: count($row.max_parallel_requests),
            max_budget: $row.max_budget,
            soft_budget: None,
        }
    };
}

macro_rules! scope {
    ($row:expr, $id:expr, $limits:expr) => {
        Scope {
            id: $id.into(),
            limits: $limits,
            spend: $row.spend,
            reset: reset($row.budget_duration, $row.budget_reset_at),
            version: $row.updated_at,
        }
    };
}

type Joined = (AuthKey, Option<AuthUser>, Option<AuthTeam>);

/// The caller whose key has this hash, or had it until it was regenerated with a grace period that still runs at `now_ms`.
/// Blocked and expired keys are answered too: judging them is the caller's part.
pub fn load_principal(
    conn: &mut AnyConnection,
    hash: KeyHash,
    now_ms: i64,
) -> Result<Option<Principal>, StoreError> {
    if let Some(principal) = load(conn, hash)? {
        return Ok(Some(principal));
    }
    let retired: Option<(String, i64)> = retired_keys::table
        .find(hash.to_string())
        .filter(retired_keys::revoke_at.gt(now_ms))
        .select((retired_keys::token_hash, retired_keys::revoke_at))
        .first(conn)
        .optional()?;
    let Some((active, retires_at)) = retired else {
        return Ok(None);
    };
    let principal = load(conn, parsed(&active)?)?;
    Ok(principal.map(|principal| Principal {
        retires_at: Some(retires_at),
        ..principal
    }))
}

fn load(conn: &mut AnyConnection, hash: KeyHash) -> Result<Option<Principal>, StoreError> {
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
        retires_at: None,
        models: grants.of(OwnerType::Key),
        allowed_routes: serde_json::from_str(&key.allowed_routes).unwrap_or_default(),
        aliases: aliases(&key.aliases),
        user: match (user, &key.user_id) {
            (Some(user), _) => {
                let limits = limits!(user);
                Some(scope!(user, user.user_id, limits))
            }
            // Named, but not created: nothing limits it, and its spend is logged under its id.
            (None, Some(id)) => Some(Scope::unlimited(id.as_str())),
            (None, None) => None,
        },
        user_models: grants.of(OwnerType::User),
        options: options(&key, team.as_ref()),
        team_blocked: team.as_ref().is_some_and(|team| team.blocked),
        team: team.map(|team| {
            let limits = limits!(team);
            scope!(team, team.team_id, limits)
        }),
        team_models: grants.of(OwnerType::Team),
        key: {
            let limits = Limits {
                soft_budget: key.soft_budget,
                ..limits!(key)
            };
            scope!(key, hex, limits)
        },
        key_alias: key.key_alias.map(Arc::from),
        key_name: key.key_name.map(Arc::from),
    }))
}

/// What the metadata say; metadata that somebody else wrote in another form say nothing.
fn options(key: &AuthKey, team: Option<&AuthTeam>) -> KeyOptions {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Metadata {
        tags: Value,
        allow_client_mock_response: Value,
        allowed_model_region: Value,
    }
    let read = |text: &str| serde_json::from_str::<Metadata>(text).unwrap_or_default();
    let of_key = read(&key.metadata);
    let of_team = team.map(|team| read(&team.metadata)).unwrap_or_default();
    let region = |metadata: &Metadata| metadata.allowed_model_region.as_str().map(Arc::from);
    // A key's settings take the place of its team's as a whole.
    let settings = [
        Some(&key.router_settings),
        team.map(|team| &team.router_settings),
    ];
    let settings = settings.into_iter().flatten().find(|json| *json != "{}");
    let tags = [&of_key.tags, &of_team.tags]
        .into_iter()
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(Value::as_str);
    KeyOptions {
        tags: tags.map(Arc::from).collect(),
        client_mocks: of_key.allow_client_mock_response == true,
        region: region(&of_key).or_else(|| region(&of_team)),
        router_settings: settings.map(|json| json.as_str().into()),
    }
}

/// Pairs of texts; anything else, which only an import could have brought in, names no model.
fn aliases(json: &str) -> Vec<(String, String)> {
    // Hardly any key has some.
    if json == "{}" {
        return Vec::new();
    }
    let map: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(json).unwrap_or_default();
    map.into_iter()
        .filter_map(|(name, model)| Some((name, model.as_str()?.to_owned())))
        .collect()
}

/// A negative limit, which only an import could have brought in, blocks like 0.
fn count(limit: Option<i64>) -> Option<u64> {
    limit.map(|limit| u64::try_from(limit).unwrap_or_default())
}

/// A budget begins anew when both its rhythm and its next time are stored.
fn reset(every: Option<String>, at: Option<i64>) -> Option<BudgetReset> {
    Some(BudgetReset {
        every: every?.into(),
        at: at?,
    })
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
