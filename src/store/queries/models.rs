//! Deployments that the database keeps: reading all, adding, changing and removing one.

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::super::dialect;
use super::super::rows::{GrantRow, ModelRow, OwnerType};
use super::super::schema::{model_grants, models, teams};
use super::super::{AnyConnection, StoreError};

/// A team's own model, under the name that the team knows it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamModel {
    pub team_id: String,
    pub public_name: String,
}

/// All of them, oldest first.
pub fn read_models(conn: &mut AnyConnection) -> Result<Vec<ModelRow>, StoreError> {
    let rows = models::table
        .order((models::created_at, models::model_id))
        .select(ModelRow::as_select())
        .load(conn)?;
    Ok(rows)
}

/// Adds one; `team` may call it from then on. Of several with one id exactly one succeeds.
///
/// Fails with `ModelExists` or `TeamMissing`, and then changes nothing.
pub fn insert_model(
    conn: &mut AnyConnection,
    row: &ModelRow,
    team: Option<&TeamModel>,
) -> Result<(), StoreError> {
    dialect::write_transaction(conn, |conn| {
        diesel::insert_into(models::table)
            .values(row)
            .execute(conn)
            .map_err(|error| match error {
                DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => {
                    StoreError::ModelExists(row.model_id.clone())
                }
                error => error.into(),
            })?;
        team.map_or(Ok(()), |team| grant(conn, team))
    })
}

/// Puts `row` in the place of the one with its id, which was changed at `known`: false when it was changed since, or is gone.
///
/// Fails with `TeamMissing`, and then changes nothing.
pub fn change_model(
    conn: &mut AnyConnection,
    row: &ModelRow,
    known: i64,
    team: Option<&TeamModel>,
) -> Result<bool, StoreError> {
    dialect::write_transaction(conn, |conn| {
        let as_known = models::table
            .find(&row.model_id)
            .filter(models::updated_at.eq(known));
        if diesel::update(as_known).set(row).execute(conn)? == 0 {
            return Ok(false);
        }
        team.map_or(Ok(()), |team| grant(conn, team))?;
        Ok(true)
    })
}

/// Whether there was one. What a team may call stays as it is: a list that loses its last name would allow every model.
pub fn delete_model(conn: &mut AnyConnection, model_id: &str) -> Result<bool, StoreError> {
    Ok(diesel::delete(models::table.find(model_id)).execute(conn)? > 0)
}

/// Adds a team's model to what it may call. A team without a list may call everything.
fn grant(conn: &mut AnyConnection, team: &TeamModel) -> Result<(), StoreError> {
    let known: Option<String> = teams::table
        .find(&team.team_id)
        .select(teams::team_id)
        .first(conn)
        .optional()?;
    if known.is_none() {
        return Err(StoreError::TeamMissing(team.team_id.clone()));
    }
    let granted: Vec<(String, i32)> = model_grants::table
        .filter(model_grants::owner_type.eq(OwnerType::Team as i16))
        .filter(model_grants::owner_id.eq(&team.team_id))
        .order(model_grants::position)
        .select((model_grants::model, model_grants::position))
        .load(conn)?;
    let Some((_, last)) = granted.last() else {
        return Ok(());
    };
    if granted.iter().any(|(model, _)| *model == team.public_name) {
        return Ok(());
    }
    let row = GrantRow {
        owner_type: OwnerType::Team as i16,
        owner_id: &team.team_id,
        model: &team.public_name,
        position: last.saturating_add(1),
    };
    diesel::insert_into(model_grants::table)
        .values(&row)
        .execute(conn)?;
    Ok(())
}
