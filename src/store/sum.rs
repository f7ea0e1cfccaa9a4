//! `SUM` of a BIGINT column as a BIGINT.
//!
//! PostgreSQL's `sum(bigint)` is a `numeric`, which diesel can read only with a big-number crate; money fits 64 bits.

use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::expression::{
    AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate,
};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Nullable};

/// `CAST(SUM(…) AS BIGINT)`: NULL over no rows, an error where the sum does not fit.
#[derive(Clone, Copy, Debug, QueryId)]
pub(super) struct SumI64<E>(E);

pub(super) fn sum_i64<E: Expression<SqlType = BigInt>>(expression: E) -> SumI64<E> {
    SumI64(expression)
}

impl<E: Expression> Expression for SumI64<E> {
    type SqlType = Nullable<BigInt>;
}

impl<E, GroupBy> ValidGrouping<GroupBy> for SumI64<E> {
    type IsAggregate = is_aggregate::Yes;
}

impl<E: SelectableExpression<QS>, QS> SelectableExpression<QS> for SumI64<E> where
    Self: AppearsOnTable<QS>
{
}
impl<E: AppearsOnTable<QS>, QS> AppearsOnTable<QS> for SumI64<E> {}

impl<E: QueryFragment<DB>, DB: Backend> QueryFragment<DB> for SumI64<E> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("CAST(SUM(");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(") AS BIGINT)");
        Ok(())
    }
}
