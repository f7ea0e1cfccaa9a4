//! The UTC day of a column that holds microseconds since the Unix epoch.
//!
//! As a fragment of its own because PostgreSQL groups by an expression only when its text is the same in `SELECT` and
//! `GROUP BY`: a bound divisor would be a different parameter in each.

use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::expression::{
    AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate,
};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::BigInt;

/// `column / 86400000000`: days since 1970-01-01. Times before it are no calls.
#[derive(Clone, Copy, Debug, QueryId)]
pub(super) struct DayOf<E>(E);

pub(super) fn day_of<E: Expression<SqlType = BigInt>>(column: E) -> DayOf<E> {
    DayOf(column)
}

impl<E: Expression> Expression for DayOf<E> {
    type SqlType = BigInt;
}

/// Selected without grouping it is a value of each row, grouped by itself it is the group's.
impl<E> ValidGrouping<DayOf<E>> for DayOf<E> {
    type IsAggregate = is_aggregate::Yes;
}

impl<E: SelectableExpression<QS>, QS> SelectableExpression<QS> for DayOf<E> where
    Self: AppearsOnTable<QS>
{
}
impl<E: AppearsOnTable<QS>, QS> AppearsOnTable<QS> for DayOf<E> {}

impl<E: QueryFragment<DB>, DB: Backend> QueryFragment<DB> for DayOf<E> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("(");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(" / 86400000000)");
        Ok(())
    }
}
