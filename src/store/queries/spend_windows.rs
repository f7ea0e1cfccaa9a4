//! What was spent in budgets of providers, deployments and tags.

use diesel::prelude::*;

use super::super::rows::WindowRow;
use super::super::schema::spend_windows;
use super::super::{AnyConnection, StoreError};

/// More budgets than a configuration can number.
const MOST: i64 = 100_000;

/// The windows that are not over; the others are forgotten, which is the same as having spent nothing.
pub fn lasting_windows(
    conn: &mut AnyConnection,
    now_ms: i64,
) -> Result<Vec<WindowRow>, StoreError> {
    let over = spend_windows::table.filter(spend_windows::ends_at.le(now_ms));
    diesel::delete(over).execute(conn)?;
    let rows = spend_windows::table
        .order(spend_windows::budget)
        .limit(MOST)
        .select(WindowRow::as_select())
        .load(conn)?;
    Ok(rows)
}
