//! Keys, users and teams: writing them, and showing a key.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::super::dialect;
use super::super::error::constraint;
use super::super::names::{NameKind, id_of};
use super::super::rows::{
    GrantRow, KeyInfo, KeyRow, NewKey, NewTeam, NewUser, OwnerType, TeamRow, UserRow,
};
use super::super::schema::{daily_spend, keys, model_grants};
use super::super::sum::sum_i64;
use super::super::{AnyConnection, StoreError};
use crate::types::{KeyHash, NanoUsd};

/// Inserts a key with its models. Of several concurrent calls with one alias exactly one succeeds.
///
/// Fails with `AliasTaken`, `KeyExists` (the stored row stays as it is) or `TeamMissing`. A user that does not exist is
/// no error: keys may name one before it is created.
pub fn insert_key(conn: &mut AnyConnection, new: &NewKey) -> Result<(), StoreError> {
    dialect::write_transaction(conn, |conn| {
        let total_spend = booked_so_far(conn, NameKind::Key, &new.row.token_hash)?;
        let row = KeyRow {
            total_spend,
            ..new.row.clone()
        };
        diesel::insert_into(keys::table)
            .values(&row)
            .execute(conn)
            .map_err(|error| not_inserted(error, &row))?;
        set_grants(conn, OwnerType::Key, &row.token_hash, &new.models)
    })
}

fn not_inserted(error: DieselError, row: &KeyRow) -> StoreError {
    let DieselError::DatabaseError(kind, information) = &error else {
        return error.into();
    };
    match kind {
        DatabaseErrorKind::ForeignKeyViolation => {
            StoreError::TeamMissing(row.team_id.clone().unwrap_or_default())
        }
        DatabaseErrorKind::UniqueViolation
            if constraint(information.as_ref()).contains("key_alias") =>
        {
            StoreError::AliasTaken(row.key_alias.clone().unwrap_or_default())
        }
        DatabaseErrorKind::UniqueViolation => StoreError::KeyExists,
        _ => error.into(),
    }
}

/// Everything about a key; by the primary key, its models by theirs.
pub fn key_info(conn: &mut AnyConnection, hash: KeyHash) -> Result<Option<KeyInfo>, StoreError> {
    let hash = hash.to_string();
    let row = keys::table
        .find(&hash)
        .select(KeyRow::as_select())
        .first(conn)
        .optional()?;
    let Some(row) = row else { return Ok(None) };
    let models = model_grants::table
        .filter(model_grants::owner_type.eq(OwnerType::Key as i16))
        .filter(model_grants::owner_id.eq(&hash))
        .order(model_grants::position)
        .select(model_grants::model)
        .load(conn)?;
    Ok(Some(KeyInfo { row, models }))
}

/// Inserts a user or changes one; spend of a row that exists stays.
pub fn upsert_user(conn: &mut AnyConnection, new: &NewUser) -> Result<(), StoreError> {
    dialect::write_transaction(conn, |conn| {
        let total_spend = booked_so_far(conn, NameKind::User, &new.row.user_id)?;
        dialect::upsert_user(
            conn,
            &UserRow {
                total_spend,
                ..new.row.clone()
            },
        )?;
        set_grants(conn, OwnerType::User, &new.row.user_id, &new.models)
    })
}

/// Inserts a team or changes one; spend of a row that exists stays.
pub fn upsert_team(conn: &mut AnyConnection, new: &NewTeam) -> Result<(), StoreError> {
    dialect::write_transaction(conn, |conn| {
        let total_spend = booked_so_far(conn, NameKind::Team, &new.row.team_id)?;
        dialect::upsert_team(
            conn,
            &TeamRow {
                total_spend,
                ..new.row.clone()
            },
        )?;
        set_grants(conn, OwnerType::Team, &new.row.team_id, &new.models)
    })
}

/// What the ledger holds under an id before its row exists: so `total_spend` is the sum of the logs from the beginning.
fn booked_so_far(
    conn: &mut AnyConnection,
    kind: NameKind,
    text: &str,
) -> Result<NanoUsd, StoreError> {
    let Some(id) = id_of(conn, kind, text)? else {
        return Ok(NanoUsd(0));
    };
    let sum = daily_spend::table.select(sum_i64(daily_spend::spend));
    let booked: Option<i64> = match kind {
        NameKind::Key => sum.filter(daily_spend::key_ref.eq(id)).first(conn)?,
        NameKind::User => sum.filter(daily_spend::user_ref.eq(id)).first(conn)?,
        NameKind::Team => sum.filter(daily_spend::team_ref.eq(id)).first(conn)?,
        _ => None,
    };
    Ok(NanoUsd(booked.unwrap_or_default()))
}

fn set_grants(
    conn: &mut AnyConnection,
    owner: OwnerType,
    owner_id: &str,
    models: &[String],
) -> Result<(), StoreError> {
    let of_owner = model_grants::table
        .filter(model_grants::owner_type.eq(owner as i16))
        .filter(model_grants::owner_id.eq(owner_id));
    diesel::delete(of_owner).execute(conn)?;
    let mut seen = BTreeSet::new();
    for (position, model) in (0..).zip(models.iter().filter(|model| seen.insert(model.as_str()))) {
        let row = GrantRow {
            owner_type: owner as i16,
            owner_id,
            model,
            position,
        };
        diesel::insert_into(model_grants::table)
            .values(&row)
            .execute(conn)?;
    }
    Ok(())
}
