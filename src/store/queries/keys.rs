//! Keys: making, showing, changing, regenerating and deleting them.

use diesel::dsl::case_when;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::super::dialect;
use super::super::error::constraint;
use super::super::names::NameKind;
use super::super::rows::{
    DeletedKeyRow, KeyInfo, KeyRow, KeyUpdate, NewKey, OwnerType, RetiredRow, Rotation,
};
use super::super::schema::{deleted_keys, keys, model_grants, retired_keys};
use super::super::{AnyConnection, StoreError};
use super::access::{booked_so_far, set_grants};
use crate::types::{KeyHash, LedgerId};

/// Inserts a key with its models. Of several concurrent calls with one alias exactly one succeeds.
///
/// Fails with `AliasTaken`, `KeyExists` (the stored row stays as it is; a former secret of another key exists too) or
/// `TeamMissing`. A user that does not exist is no error: keys may name one before it is created.
pub fn insert_key(conn: &mut AnyConnection, new: &NewKey) -> Result<(), StoreError> {
    dialect::write_transaction(conn, |conn| {
        if is_retired(conn, &new.row.token_hash)? {
            return Err(StoreError::KeyExists);
        }
        let total_spend = booked_so_far(conn, NameKind::Key, &new.row.token_hash)?;
        let row = KeyRow {
            total_spend,
            ..new.row.clone()
        };
        diesel::insert_into(keys::table)
            .values(&row)
            .execute(conn)
            .map_err(|error| refused(error, &row.key_alias, &row.team_id))?;
        set_grants(conn, OwnerType::Key, &row.token_hash, &new.models)
    })
}

/// What a constraint on keys has refused.
fn refused(error: DieselError, alias: &Option<String>, team: &Option<String>) -> StoreError {
    let DieselError::DatabaseError(kind, information) = &error else {
        return error.into();
    };
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    match kind {
        DatabaseErrorKind::ForeignKeyViolation => StoreError::TeamMissing(text(team)),
        DatabaseErrorKind::UniqueViolation
            if constraint(information.as_ref()).contains("key_alias") =>
        {
            StoreError::AliasTaken(text(alias))
        }
        DatabaseErrorKind::UniqueViolation => StoreError::KeyExists,
        _ => error.into(),
    }
}

fn is_retired(conn: &mut AnyConnection, hash: &str) -> Result<bool, StoreError> {
    let row: Option<String> = retired_keys::table
        .find(hash)
        .select(retired_keys::token_hash)
        .first(conn)
        .optional()?;
    Ok(row.is_some())
}

/// Everything about a key; by the primary key, its models by theirs.
pub fn key_info(conn: &mut AnyConnection, hash: KeyHash) -> Result<Option<KeyInfo>, StoreError> {
    let row = keys::table
        .find(hash.to_string())
        .select(KeyRow::as_select())
        .first(conn)
        .optional()?;
    row.map(|row| with_models(conn, row)).transpose()
}

fn with_models(conn: &mut AnyConnection, row: KeyRow) -> Result<KeyInfo, StoreError> {
    let models = model_grants::table
        .filter(model_grants::owner_type.eq(OwnerType::Key as i16))
        .filter(model_grants::owner_id.eq(&row.token_hash))
        .order(model_grants::position)
        .select(model_grants::model)
        .load(conn)?;
    Ok(KeyInfo { row, models })
}

/// The hashes of the keys that have these aliases.
pub fn keys_by_alias(
    conn: &mut AnyConnection,
    aliases: &[String],
) -> Result<Vec<(String, KeyHash)>, StoreError> {
    let found: Vec<(Option<String>, String)> = keys::table
        .filter(keys::key_alias.eq_any(aliases))
        .select((keys::key_alias, keys::token_hash))
        .load(conn)?;
    found
        .into_iter()
        .map(|(alias, hash)| Ok((alias.unwrap_or_default(), parsed(&hash)?)))
        .collect()
}

pub(super) fn parsed(hash: &str) -> Result<KeyHash, StoreError> {
    hash.parse()
        .map_err(|_| StoreError::Bug(format!("'{hash}' in the keys table is no key hash")))
}

/// Changes a key and returns it as it is then; `None` when there is no such key. `updated_at` always grows.
///
/// Fails with `AliasTaken` or `TeamMissing`, and then changes nothing.
pub fn update_key(
    conn: &mut AnyConnection,
    hash: KeyHash,
    update: &KeyUpdate,
) -> Result<Option<KeyInfo>, StoreError> {
    dialect::write_transaction(conn, |conn| {
        change(conn, &hash.to_string(), update)?;
        key_info(conn, hash)
    })
}

fn change(conn: &mut AnyConnection, hash: &str, update: &KeyUpdate) -> Result<(), StoreError> {
    let KeyUpdate {
        changes,
        models,
        spend,
        now_ms,
    } = update;
    // Two changes within a millisecond must not look like one.
    let grown = case_when(
        keys::updated_at.lt(now_ms),
        now_ms.into_sql::<diesel::sql_types::BigInt>(),
    )
    .otherwise(keys::updated_at + 1_i64);
    let changed = diesel::update(keys::table.find(hash))
        .set((
            changes,
            keys::spend.eq(keys::spend + spend.0),
            keys::updated_at.eq(grown),
        ))
        .execute(conn)
        .map_err(|error| {
            let asked = |value: &Option<Option<String>>| value.clone().flatten();
            refused(error, &asked(&changes.key_alias), &asked(&changes.team_id))
        })?;
    match models {
        Some(models) if changed > 0 => set_grants(conn, OwnerType::Key, hash, models),
        _ => Ok(()),
    }
}

/// Gives a key a new secret, and changes it: the row stays the same but for its hash. The former hash is remembered.
///
/// `None` when there is no such key. Fails with `KeyExists` when the new secret is, or was, another key's.
pub fn rotate_key(
    conn: &mut AnyConnection,
    old: KeyHash,
    new: KeyHash,
    rotation: &Rotation,
    update: &KeyUpdate,
) -> Result<Option<KeyInfo>, StoreError> {
    let (from, to) = (old.to_string(), new.to_string());
    dialect::write_transaction(conn, |conn| {
        if is_retired(conn, &to)? {
            return Err(StoreError::KeyExists);
        }
        change(conn, &from, update)?;
        let renamed = diesel::update(keys::table.find(&from))
            .set((
                keys::token_hash.eq(&to),
                keys::key_name.eq(&rotation.key_name),
                keys::rotation_count.eq(keys::rotation_count + 1_i64),
                keys::last_rotation_at.eq(Some(update.now_ms)),
            ))
            .execute(conn)
            .map_err(|error| refused(error, &None, &None))?;
        if renamed == 0 {
            return Ok(None);
        }
        let grants = model_grants::table
            .filter(model_grants::owner_type.eq(OwnerType::Key as i16))
            .filter(model_grants::owner_id.eq(&from));
        diesel::update(grants)
            .set(model_grants::owner_id.eq(&to))
            .execute(conn)?;
        let row = RetiredRow {
            old_hash: &from,
            token_hash: &to,
            revoke_at: rotation.revoke_at,
            created_at: update.now_ms,
        };
        diesel::insert_into(retired_keys::table)
            .values(&row)
            .execute(conn)?;
        key_info(conn, new)
    })
}

/// Who deletes, and when.
#[derive(Clone, Debug)]
pub struct Deletion {
    pub by: Option<String>,
    /// Hash of the key that did it.
    pub by_key: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub now_ms: i64,
}

/// Moves those of the keys that there are to the archive, in one transaction, and returns them.
pub fn delete_keys(
    conn: &mut AnyConnection,
    hashes: &[KeyHash],
    deletion: &Deletion,
) -> Result<Vec<KeyInfo>, StoreError> {
    dialect::write_transaction(conn, |conn| {
        let mut gone = Vec::with_capacity(hashes.len());
        for hash in hashes {
            gone.extend(key_info(conn, *hash)?);
        }
        for info in &gone {
            let row = DeletedKeyRow {
                id: LedgerId::now().to_string(),
                token_hash: info.row.token_hash.clone(),
                key_alias: info.row.key_alias.clone(),
                user_id: info.row.user_id.clone(),
                team_id: info.row.team_id.clone(),
                document: serde_json::to_string(info)
                    .map_err(|error| StoreError::Bug(error.to_string()))?,
                deleted_at: deletion.now_ms,
                deleted_by: deletion.by.clone(),
                deleted_by_key: deletion.by_key.clone(),
            };
            diesel::insert_into(deleted_keys::table)
                .values(&row)
                .execute(conn)?;
            set_grants(conn, OwnerType::Key, &info.row.token_hash, &[])?;
            diesel::delete(keys::table.find(&info.row.token_hash)).execute(conn)?;
        }
        Ok(gone)
    })
}
