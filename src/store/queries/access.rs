//! Users and teams: writing them; and what every owner of a budget and of models needs.

use std::collections::BTreeSet;

use diesel::prelude::*;

use super::super::dialect;
use super::super::names::{NameKind, id_of};
use super::super::rows::{GrantRow, NewTeam, NewUser, OwnerType, TeamRow, UserRow};
use super::super::schema::{daily_spend, model_grants};
use super::super::sum::sum_i64;
use super::super::{AnyConnection, StoreError};
use crate::types::NanoUsd;

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
pub(super) fn booked_so_far(
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

pub(super) fn set_grants(
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
