//! What adaptive routers have learnt: read at start, added to while they run.

use diesel::prelude::*;

use super::super::rows::LearntRow;
use super::super::schema::route_learning::dsl;
use super::super::{AnyConnection, StoreError, dialect};

/// Rows that are read at most; who has more has routers that nobody asks any more.
const MOST_ROWS: i64 = 14_000;

/// Adds to what is there, in one transaction: several instances learn together.
pub fn add_learnt(conn: &mut AnyConnection, rows: &[LearntRow]) -> Result<(), StoreError> {
    dialect::write_transaction(conn, |conn| {
        for row in rows {
            let known = dsl::route_learning
                .filter(dsl::router.eq(&row.router))
                .filter(dsl::model_group.eq(&row.model_group))
                .filter(dsl::request_type.eq(&row.request_type));
            let more = (
                dsl::good.eq(dsl::good + row.good),
                dsl::bad.eq(dsl::bad + row.bad),
            );
            if diesel::update(known).set(more).execute(conn)? == 0 {
                diesel::insert_into(dsl::route_learning)
                    .values(row)
                    .execute(conn)?;
            }
        }
        Ok(())
    })
}

/// Everything that was learnt.
pub fn read_learnt(conn: &mut AnyConnection) -> Result<Vec<LearntRow>, StoreError> {
    let rows = dsl::route_learning.select(LearntRow::as_select());
    Ok(rows.limit(MOST_ROWS).load(conn)?)
}
